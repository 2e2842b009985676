#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Claim: a real trace, imported by three workers that are all killed twenty times, leaves the state
of one undisturbed worker, and no line is applied twice.

How: the import says how many lines are done; behind each 1/21 of the file the whole process group
gets SIGKILL, and the same command is given again. The state hashes of both worlds are compared, and
the counts of the last run with those of the undisturbed one.
"""
import json
import os
import re
import signal
import subprocess
import sys
import time

import rig

KILLS = 20
TRACES = [
    ("ledger-paysim", "paysim.csv.zst", "from=nameOrig,to=nameDest,amount=amount"),
    ("ledger-amlsim-cycle", "transactions.csv.zst",
     "from=sourceNodeId,to=targetNodeId,amount=value"),
]


def order(world, file, columns, *more):
    return ["import", "transfers", world, file, "--columns", columns, "--scale", 2, "--json", *more]


def killed_at(words, lines):
    """Starts the import, kills its group once `lines` are done; how many were, at the kill."""
    process = rig.start(*words, "--progress", 1, stdout=subprocess.PIPE,
                        stderr=subprocess.PIPE)
    done = 0
    for line in process.stderr:
        match = re.match(r"(\d+) of \d+ lines", line)
        if match and (done := int(match[1])) >= lines:
            break
    os.killpg(process.pid, signal.SIGKILL)
    out, err = process.communicate()
    rig.claim(process.returncode == -signal.SIGKILL and out == "",
              f"the kill at {lines} lines came too late", out + err)
    return done


def verified(world):
    answer = rig.run("verify", world, "--json")
    rig.claim(answer.code == 0, f"{world} is sound", answer)
    return answer.json()


def check(trace, file, columns):
    with rig.Place() as place:
        calm, stormy = place / "calm", place / "stormy"
        for world in (calm, stormy):
            rig.claim(rig.run("init", world).code == 0, "a world is made")
        undisturbed = rig.run(*order(calm, file, columns, "--workers", 1))
        rig.claim(undisturbed.code == 0, "the undisturbed import is done", undisturbed)
        wanted = undisturbed.json()
        lines = wanted["lines"]
        rig.claim(lines == wanted["applied"] + wanted["refused"] + wanted["malformed"],
                  "every line is counted once", wanted)

        # Slow enough that a kill meets it where it is meant to; the same command otherwise.
        words = order(stormy, file, columns, "--workers", 3, "--rate", 60000)
        at = [killed_at(words, lines * kill // (KILLS + 1)) for kill in range(1, KILLS + 1)]
        last = rig.run(*words)
        rig.claim(last.code == 0, "the last import is done", last)
        seen = last.json()
        rig.claim(seen["applied"] + seen["already_applied"] == wanted["applied"],
                  "every line that one worker applies is applied", f"{seen}\n{wanted}")
        rig.claim(seen["already_applied"] >= at[-1] - wanted["refused"] - wanted["malformed"],
                  "what was applied before the last kill is not applied again", seen)
        for count in ("lines", "refused", "malformed"):
            rig.claim(seen[count] == wanted[count], f"{count} are the same", f"{seen}\n{wanted}")

        one, three = verified(calm), verified(stormy)
        rig.claim(one["state_hash"] == three["state_hash"], "the state hashes are equal",
                  f"{one}\n{three}")
        rig.claim(one["image_hash"] != one["state_hash"], "the hashes are two", one)
        print(json.dumps({"trace": trace, "lines": lines, "applied": wanted["applied"],
                          "refused": wanted["refused"], "malformed": wanted["malformed"],
                          "kills": len(at), "killed_at_lines": at,
                          "seconds_undisturbed": round(wanted["seconds"], 2),
                          "already_applied_in_last_run": seen["already_applied"],
                          "state_hash": three["state_hash"]}), flush=True)


def main():
    missing = [trace for trace, file, _ in TRACES if not (rig.inputs() / trace / file).exists()]
    if missing:
        print(f"SKIPPED: not there: {', '.join(missing)} in {rig.inputs()}; name their folder with "
              "PERDURE_DATA")
        return 77
    began = time.monotonic()
    for trace, file, columns in TRACES:
        try:
            check(trace, rig.inputs() / trace / file, columns)
        except AssertionError as why:
            print(f"FAILED {trace}: {why}\nagain: python3 {sys.argv[0]}")
            return 1
    print(f"passed in {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())

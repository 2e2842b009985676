#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Claim: a real trace, imported by three workers that are all killed again and again, leaves the
state of one undisturbed worker, and no line is applied twice.

How: the import says how many lines are done; behind each 1/(kills + 1) of the file the whole
process group gets SIGKILL, and the same command is given again. The state hashes of both worlds are
compared, and the counts of the last run with those of the undisturbed one. Where balances are tight
the order of lines decides what is refused: there it is one worker that is killed, and what it had
refused before a kill must stay refused.

usage: import_kills.py [--torture] [TRACE...]
"""
import json
import os
import re
import signal
import subprocess
import sys
import time

import rig
import traces

KILLS = 5
KILLS_TORTURE = 100
TIGHT = {
    "ledger-paysim": (["--opening", "column"],
                      ",opening_from=oldbalanceOrg,opening_to=oldbalanceDest"),
    "game-wow-ledger": (["--opening", "fixed:500"], ""),
}


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


def check(trace, kills, workers=3, more=(), columns=""):
    with rig.Place() as place:
        calm, stormy = rig.made(place, "calm"), rig.made(place, "stormy")
        undisturbed = rig.run(*traces.order(calm, trace, "--workers", 1, *more, columns=columns))
        rig.claim(undisturbed.code == 0, "the undisturbed import is done", undisturbed)
        wanted = undisturbed.json()
        lines = wanted["lines"]
        rig.claim(lines == sum(wanted[count] for count in
                               ("applied", "refused", "malformed", "left_out")),
                  "every line is counted once", wanted)
        rig.claim(("insufficient_funds" in wanted["refused_by_reason"]) == (workers == 1),
                  "grants are large enough for everything, tight balances are not", wanted)

        # Slow enough that a kill meets it where it is meant to; the same command otherwise.
        rate = min(60000, lines * 2)
        words = traces.order(stormy, trace, "--workers", workers, "--rate", rate, *more,
                             columns=columns)
        at = [killed_at(words, lines * kill // (kills + 1)) for kill in range(1, kills + 1)]
        last = rig.run(*words)
        rig.claim(last.code == 0, "the last import is done", last)
        seen = last.json()
        rig.claim(seen["applied"] + seen["already_applied"] == wanted["applied"],
                  "every line that one worker applies is applied", f"{seen}\n{wanted}")
        left = sum(wanted[count] for count in ("refused", "malformed", "left_out"))
        rig.claim(seen["already_applied"] >= at[-1] - left,
                  "what was applied before the last kill is not applied again", seen)
        for count in ("lines", "refused_by_reason", "malformed_by_reason", "left_out", "rounded"):
            rig.claim(seen[count] == wanted[count], f"{count} are the same", f"{seen}\n{wanted}")

        one, three = rig.verdict(calm), rig.verdict(stormy)
        rig.claim(one["state_hash"] == three["state_hash"], "the state hashes are equal",
                  f"{one}\n{three}")
        rig.claim(one["image_hash"] != one["state_hash"], "the hashes are two", one)
        print(json.dumps({"trace": trace, "workers": workers, "lines": lines,
                          "applied": wanted["applied"],
                          "refused": wanted["refused_by_reason"], "left_out": wanted["left_out"],
                          "malformed": wanted["malformed"], "rounded": wanted["rounded"],
                          "kills": len(at), "first_kill": at[0], "last_kill": at[-1],
                          "seconds_undisturbed": round(wanted["seconds"], 2),
                          "already_applied_in_last_run": seen["already_applied"],
                          "state_hash": three["state_hash"]}), flush=True)


def main():
    missing = traces.missing()
    if missing:
        print(missing)
        return 77
    began = time.monotonic()
    words = sys.argv[1:]
    kills = KILLS_TORTURE if "--torture" in words else KILLS
    for trace in [word for word in words if word != "--torture"] or traces.TRACES:
        try:
            check(trace, kills)
            if trace in TIGHT:
                check(trace, kills, 1, *TIGHT[trace])
        except AssertionError as why:
            print(f"FAILED {trace}: {why}\nagain: python3 {' '.join(sys.argv)}")
            return 1
    print(f"passed in {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())

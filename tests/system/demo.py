#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Claims: the demo kills what it says, loses nothing and exits 0; with a keeper that acknowledges
at the write it exits 1, because the play of a power cut is real; it leaves nothing behind, not even
when it is interrupted.
"""
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import rig

FIELDS = {"acked_applied", "lost_by_kills", "acked_durable", "lost_by_machine_crash",
          "applied_not_yet_durable", "kills", "kills_in_transaction", "takeover_p50_us",
          "takeover_max_us", "recovery_ms", "conserved", "recovered_rows",
          "recovered_transactions", "checkpoint_lsn", "checkpoints_begun", "cut_max_us",
          "restored_lsn", "restored_ms", "restored_misplaced", "restored_conserved"}


def leftovers(place, told):
    """What is still there of what the demo said it made."""
    region = re.search("its memory is (.+)", told)
    rig.claim(region, "the demo says where its memory is", told)
    there = [region[1]] if Path(region[1]).exists() else []
    return [*map(str, place.path.iterdir()), *there]


def the_demo_loses_nothing_and_says_so():
    with rig.Place() as place:
        answer = rig.run("demo", "--quick", "--json", "--directory", place.path)
        rig.claim(answer.code == 0, "the demo exits 0", answer)
        seen = answer.json()
        rig.claim(set(seen) == FIELDS, "its object has the promised fields", seen)
        rig.claim(seen["lost_by_kills"] == 0 and seen["lost_by_machine_crash"] == 0,
                  "nothing is lost", seen)
        rig.claim(seen["conserved"] is True, "money is conserved", seen)
        rig.claim(seen["checkpoint_lsn"] > 0 and seen["recovered_rows"] > 0,
                  "checkpoints are taken under load and recovered from", seen)
        rig.claim(seen["restored_misplaced"] == 0 and seen["restored_conserved"] is True and
                  seen["restored_lsn"] > 0, "a point in the past is what it was", seen)
        rig.claim(seen["kills"] >= 3 and seen["kills_in_transaction"] > 0,
                  "processes are killed, some inside a transaction", seen)
        rig.claim(seen["acked_durable"] > 1000 and
                  seen["acked_applied"] == seen["acked_durable"] + seen["applied_not_yet_durable"],
                  "the books add up", seen)
        rig.claim(seen["takeover_max_us"] >= seen["takeover_p50_us"] and
                  seen["recovery_ms"] > 0, "it is measured", seen)
        left = leftovers(place, answer.err)
        rig.claim(not left, "nothing is left behind", left)


def an_acknowledgement_before_the_sync_is_caught():
    if not Path(rig.RIGGED).exists():
        raise AssertionError(f"{rig.RIGGED} is not built")
    with rig.Place() as place:
        answer = rig.run("demo", "--quick", "--json", "--sabotage=ack_at_write", "--directory",
                         place.path)
        rig.claim(answer.code == 1, "the sabotaged demo exits 1", answer)
        seen = answer.json()
        rig.claim(seen["lost_by_machine_crash"] > 0, "and says what the crash took", seen)
        rig.claim(seen["lost_by_kills"] == 0, "the kills alone took nothing", seen)


def an_interrupted_demo_leaves_nothing_behind():
    with rig.Place() as place:
        process = rig.start("demo", "--directory", place.path, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)
        told = ""
        for line in process.stderr:
            told += line
            if "trades/s" in line:
                break
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate()
        rig.claim(process.returncode == 1 and out == "", "it exits 1", f"{out}{err}")
        left = leftovers(place, told)
        rig.claim(not left, "nothing is left behind", left)


if __name__ == "__main__":
    sys.exit(rig.main([the_demo_loses_nothing_and_says_so,
                       an_acknowledgement_before_the_sync_is_caught,
                       an_interrupted_demo_leaves_nothing_behind]))

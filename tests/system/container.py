#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Claims about containers, in namespaces of their own: a full tmpfs is answered by no_memory and
never by SIGBUS; a /dev/shm that is too small is said and done without; processes in several PID
namespaces share a world and repair each other's dead.
"""
import json
import subprocess
import sys

import rig
from rig import kept, made, refused, stop, transfers, verdict


def in_namespace(kinds, script):
    """Runs a shell script in namespaces of its own, as a container would; None where that is not
    allowed. Mounts end with it."""
    done = subprocess.run(["unshare", *kinds, "sh", "-c", script], capture_output=True, text=True)
    if done.returncode != 0 and ("unshare:" in done.stderr or "mount:" in done.stderr):
        print(f"  SKIPPED a part: {done.stderr.strip()}", flush=True)
        return None
    return rig.Answer(done.returncode, done.stdout, done.stderr)


def a_full_tmpfs_is_an_answer_and_no_signal():
    with rig.Place() as place:
        world = made(place, "world", "--set", "region.ring=1MiB", "--set", "region.slots=8")
        small = place / "small"
        small.mkdir()
        file = place / "t.csv"
        file.write_text("from,to,amount\n" + "".join(f"a{i},b{i},1\n" for i in range(200_000)))
        where = f'--set region.directory="{small}"'
        answer = in_namespace(["--mount"], f"""
            mount -t tmpfs -o size=8m none "{small}" || exit
            "{rig.PERDURE}" verify "{world}" {where} && exit 50
            mount -o remount,size=48m "{small}" || exit
            "{rig.PERDURE}" import transfers "{world}" "{file}" --scale 2 {where} \\
                --columns from=from,to=to,amount=amount
            code=$?
            "{rig.PERDURE}" verify "{world}" {where} || exit 51
            exit $code""")
        if answer is None:
            return
        refused(answer, 1, "no_memory", "region.directory")
        rig.claim("t.csv: stopped at line" in answer.err, "the import says where it stopped",
                  answer)
        rig.claim("conserved" in answer.out and "NOT" not in answer.out, "money is conserved",
                  answer)


def a_full_disk_stops_the_import_and_loses_nothing():
    with rig.Place() as place:
        disk = place / "disk"
        disk.mkdir()
        world, file = disk / "world", place / "t.csv"
        file.write_text("from,to,amount\n" + "".join(f"a{i},b{i},1\n" for i in range(100_000)))
        order = (f'"{rig.PERDURE}" import transfers "{world}" "{file}" --scale 2 '
                 "--columns from=from,to=to,amount=amount")
        answer = in_namespace(["--mount"], f"""
            mount -t tmpfs -o size=6m none "{disk}" || exit
            "{rig.PERDURE}" init "{world}" --set journal.segment=1MiB --set region.ring=1MiB \\
                --set region.directory="{place.path}" || exit
            {order} && exit 50
            [ $? = 1 ] || exit 51
            rm "$(readlink "{world}/region")"
            mount -o remount,size=200m "{disk}" || exit
            {order} --json || exit 52
            "{rig.PERDURE}" verify "{world}" --json || exit 53""")
        if answer is None:
            return
        rig.claim(answer.code == 0, "it is refused, and goes on when there is space", answer)
        rig.claim("durability_lost" in answer.err or "disk_full" in answer.err, "and says why",
                  answer)
        seen = json.loads(answer.out.splitlines()[-2])
        rig.claim(seen["already_applied"] > 0 and
                  seen["already_applied"] + seen["applied"] == 100_000, "to its end", seen)


def a_container_with_a_small_dev_shm_still_works():
    with rig.Place() as place:
        world = made(place)
        answer = in_namespace(["--mount"], f"""
            mount -t tmpfs -o size=64m none /dev/shm || exit
            "{rig.PERDURE}" verify "{world}" && "{rig.PERDURE}" status "{world}" --json""")
        if answer is not None:
            rig.claim(answer.code == 0, "it works", answer)
            region = json.loads(answer.out.splitlines()[-1])["region"]
            rig.claim(region.startswith(str(world)), "in the world's own directory", answer)


def processes_of_several_pid_namespaces_share_a_world():
    with rig.Place() as place:
        world = made(place)
        keeper = kept(world)
        transfers(place, world, [f"a,b{i},1" for i in range(2000)])
        order = (f'"{rig.PERDURE}" import transfers "{world}" "{place / "t.csv"}" --scale 2 '
                 "--columns from=from,to=to,amount=amount --asset other")
        # Killed in there, and its workers with it: pids mean nothing out here, life locks do.
        inside = in_namespace(["--pid", "--fork", "--mount-proc"], f"""
            {order} --rate 1000 & sleep 1; kill -9 $!; wait; exit 0""")
        if inside is not None:
            answer = in_namespace(["--pid", "--fork", "--mount-proc"], order + " --json")
            rig.claim(answer.code == 0, "the import goes on", answer)
            seen = answer.json()
            rig.claim(seen["already_applied"] > 0 and
                      seen["already_applied"] + seen["applied"] == 2000, "to its end", seen)
            sitting = rig.run("status", world, "--json").json()["participants"]
            rig.claim(len({each["process"] for each in sitting}) == 1,
                      "the dead have left their slots", sitting)
        rig.claim(stop(keeper) == 0, "the keeper has seen it all", keeper.log)
        verdict(world)


if __name__ == "__main__":
    sys.exit(rig.main([a_full_tmpfs_is_an_answer_and_no_signal,
                       a_full_disk_stops_the_import_and_loses_nothing,
                       a_container_with_a_small_dev_shm_still_works,
                       processes_of_several_pid_namespaces_share_a_world]))

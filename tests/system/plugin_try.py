#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Claims: `perdure plugin validate` lists each check and answers 0 or 1 by them; `perdure plugin
run` plays a plugin in a world that is gone afterwards and prints what it wants; with --gdb it waits
for a debugger, which stops in the plugin's own code by the line that it prints. No world of the
user's is touched.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import rig
from rig import claim, refused

BUILD = os.environ.get("PERDURE_BUILD", str(rig.SOURCE / "build" / "release"))
SAMPLES = Path(BUILD) / "tests" / "plugins" / "samples"
PAYER = ["plugin", "run", SAMPLES / "payer.so", "--account", "bank=gold:1000", "--account", "@1"]


def worlds():
    """Folders of stages that are there now, wherever they are made."""
    return {path for place in (tempfile.gettempdir(), "/dev/shm")
            for path in Path(place).glob("perdure-stage-*")}


def ours_are_gone(pid):
    """Others may run at the same time: only those of that process count."""
    return not [path for path in worlds() if f"perdure-stage-{pid}-" in path.name]


def validate_tells_each_check():
    good = rig.run("plugin", "validate", SAMPLES / "misfit_none.so")
    claim(good.code == 0 and good.out.endswith("\nvalid\n"), "it is valid", good)
    for part in ("passed          manifest and ELF file: org.example.misfit 1.0.0",
                 "passed          configure rate = 10: a dry run",
                 "passed          system calls: none was denied"):
        claim(part in good.out, f"it says {part}", good)
    bad = rig.run("plugin", "validate", SAMPLES / "misfit_destroy.so", "--json")
    claim(bad.code == 1, "it is not valid", bad)
    told = bad.json()
    failed = [each for each in told["checks"] if each["result"] == "failed"]
    claim(not told["valid"], "as JSON too", bad)
    claim([each["check"] for each in failed] == ["destroy"], "one failed", bad)
    claim("signal 6" in failed[0]["reason"], "it says why", bad)
    none = rig.run("plugin", "validate", SAMPLES / "none.so", "--json").json()
    claim({each["result"] for each in none["checks"]} == {"failed", "not applicable"}, "none", none)


def run_prints_what_the_plugin_wants():
    words = [each for i in range(2, 9) for each in ("--account", f"@{i}")]
    process = subprocess.Popen([rig.PERDURE, *map(str, PAYER), *words, "--windows", "3"],
                               text=True, stdout=subprocess.PIPE)
    out, _ = process.communicate(timeout=120)
    claim(process.returncode == 0, "it ends well", out)
    claim(len(re.findall(r"^window \d, world time 0\.\d00 s: 2 commits$", out, re.M)) == 3,
          "three windows", out)
    for part in ("  window 2, commit 1: transfer 1 of gold from bank to @8", "bank: 976 of gold",
                 "@8: 3 of gold"):
        claim(part in out, f"it prints {part}", out)
    claim(ours_are_gone(process.pid), "its world is gone")


def run_tells_what_became_of_it():
    fails = rig.run(*PAYER, "--windows", "3")  # The other players are not there.
    claim(fails.code == 1 and "refused: unknown_account at command 1" in fails.out, "why", fails)
    dies = rig.run("plugin", "run", SAMPLES / "misfit_crash.so")
    claim(dies.code == 1 and "on_tick: it died of signal 11" in dies.out, "how", dies)
    events = rig.run("plugin", "run", SAMPLES / "sample_sink.so", "--account", "a=gold:9",
                     "--account", "b", "--transfer", "a:b:gold:2", "--windows", "3")
    claim(events.code == 0 and events.out.count(": 1 commits, 1 events") == 3, "events", events)
    refused(rig.run(*PAYER, "--account", "x=gold"), 2, "x=gold", "NAME=ASSET:AMOUNT")
    refused(rig.run(*PAYER, "--account", "x=gold:-1"), 2, "no amount", "gold:500")
    refused(rig.run("plugin", "run", SAMPLES / "none.so"), 1, "none.so")


def a_debugger_stops_in_the_plugin():
    if shutil.which("gdb") is None:
        print("skipped: there is no gdb")
        return
    words = [each for i in range(2, 9) for each in ("--account", f"@{i}")]
    process = subprocess.Popen([rig.PERDURE, *map(str, PAYER), *words, "--windows", "2", "--gdb"],
                               text=True, stdout=subprocess.PIPE)
    try:
        line = process.stdout.readline().strip()
        claim(re.match(r"gdb -p \d+ -ex 'add-symbol-file /.*payer\.so -o 0x[0-9a-f]+'$", line),
              "it prints how to come", line)
        claim("waiting for a debugger" in process.stdout.readline(), "it waits")
        gdb = subprocess.run(
            line + " -batch -ex 'break on_tick' -ex continue -ex 'backtrace 2' -ex delete "
            "-ex detach",
            shell=True, text=True, capture_output=True, timeout=120,
            env={**os.environ, "DEBUGINFOD_URLS": ""})
        if "Operation not permitted" in gdb.stderr:
            print("skipped: this machine lets nobody attach")
            return
        claim(re.search(r"#0 .*on_tick", gdb.stdout), "it stops in the plugin",
              gdb.stdout + gdb.stderr)
        out, _ = process.communicate(timeout=120)
        claim(process.returncode == 0 and "bank: 984 of gold" in out, "then it goes on", out)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=60)
    claim(ours_are_gone(process.pid), "its world is gone")


def a_signal_ends_it_and_leaves_nothing():
    process = subprocess.Popen([rig.PERDURE, *map(str, PAYER), "--gdb"], text=True,
                               stdout=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.readline()
    claim(not ours_are_gone(process.pid), "it has a world")
    process.terminate()
    claim(process.wait(timeout=60) == 1, "it ends")
    claim(ours_are_gone(process.pid), "its world is gone")


CASES = [validate_tells_each_check, run_prints_what_the_plugin_wants, run_tells_what_became_of_it,
         a_debugger_stops_in_the_plugin, a_signal_ends_it_and_leaves_nothing]

if __name__ == "__main__":
    sys.exit(rig.main(CASES))

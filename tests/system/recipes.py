#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Claims: every recipe of docs/operations.md does what its section says. Each failure is brought
about on a real world, the commands are typed as they stand in the page, and what the page quotes is
what is shown; no section with commands is left out.
"""
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import rig
from rig import claim, drop_region

PAGE = (rig.SOURCE / "docs" / "operations.md").read_text()
PERDURE = os.path.abspath(rig.PERDURE)
RIGGED = os.path.abspath(rig.RIGGED)
FOLLOWED = set()
KEEPER = r"""
set -e
touch serve.log
keep() {
    perdure serve "$@" 2>>serve.log &
    keeper=$!
    until grep -q '"keeping"' serve.log; do
        if ! kill -0 $keeper 2>/dev/null; then wait $keeper; return; fi
        sleep 0.01
    done
}
end() {
    code=$?
    if [ -n "$keeper" ]; then kill $keeper 2>/dev/null || true; wait $keeper || true; fi
    cat serve.log
    rm serve.log
    exit $code
}
trap end EXIT
"""


class Scene:
    """A folder with a copy of a world that has two full checkpoints, an increment between them and
    several segments; and another copy, COPY. Nobody has it open, and its memory is gone."""

    seed = None
    place = None

    def __init__(self, heading):
        self.heading = heading
        self.section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
        FOLLOWED.add(heading)
        self.folder = Scene.place / f"scene{len(FOLLOWED)}{time.monotonic_ns()}"
        self.folder.mkdir()
        os.chdir(self.folder)
        for name in ("WORLD", "COPY"):
            shutil.copytree(Scene.seed, name, symlinks=True)
            Path(name, "region").unlink()
        self.seen = ""

    def do(self, script, code=0, unshare=False, env=None):
        """A shell script; with `unshare` its mounts end with it, None where that is not allowed."""
        words = ["unshare", "--mount"] * unshare + ["bash", "-c", script]
        path = f"{Scene.place / 'bin'}:{os.environ['PATH']}"
        done = subprocess.run(words, text=True, capture_output=True, timeout=120,
                              env={**os.environ, "PATH": path, **(env or {})})
        self.seen = done.stdout + done.stderr
        if unshare and ("unshare:" in self.seen or "mount:" in self.seen):
            print(f"  SKIPPED a part: {self.seen.strip()}", flush=True)
            return None
        claim(done.returncode == code, f"{self.heading}: exits {code}, not {done.returncode}",
              f"{script}\n{self.seen}")
        return self.seen

    def block(self, number, **words):
        commands = self.section.split("```")[1::2][number].strip()
        for word, value in words.items():
            commands = re.sub(rf"\b{word}\b", str(value), commands)
        return commands.replace("perdure serve", "keep")

    def follow(self, number, code=0, env=None, **words):
        return self.do(KEEPER + self.block(number, **words), code, env=env)

    def says(self, *words):
        """The page promises these words, and they were shown."""
        seen = re.sub(" +", " ", self.seen)
        for word in words:
            claim(f"`{word}" in self.section, f"{self.heading} quotes {word}")
            claim(word in seen, f"{self.heading}: {word} is shown", self.seen)

    def pay(self, name, count=50):
        lines = "".join(f"{name}{i % 9},alice,1.{i % 90 + 10}\n" for i in range(count))
        Path(f"{name}.csv").write_text("from,to,amount\n" + lines)
        self.do(f"perdure import transfers WORLD {name}.csv --scale 2 "
                "--columns from=from,to=to,amount=amount")


def files(kind):
    return sorted(Path("WORLD").glob({"pcp": "checkpoints/*.pcp", "pj": "journal/*.pj"}[kind]))


def spoil(path, at=400, size=1):
    with open(path, "r+b") as file:
        file.seek(at)
        old = file.read(size)
        file.seek(at)
        file.write(bytes(byte ^ 0x5a for byte in old))


def make_seed():
    Scene.seed = Scene.place / "seed"
    (Scene.place / "bin").mkdir()
    (Scene.place / "bin" / "perdure").symlink_to(PERDURE)
    rig.made(Scene.place, "seed", "--set", "journal.segment=1MiB", "--set", "region.ring=1MiB")
    for turn, (count, more) in enumerate(((36_000, ["--full"]), (500, []), (500, ["--full"]))):
        lines = [f"a{i * 7919 % 5000},{f'b{i * 31 % 97}' if i % 9 else 'alice'},{i % 90}.{turn}1"
                 for i in range(count)]
        answer = rig.transfers(Scene.place, Scene.seed, lines, name=f"{turn}.csv")
        claim(answer.code == 0, "transfers are played", answer)
        claim(rig.run("checkpoint", Scene.seed, *more).code == 0, "a checkpoint is taken")
    rig.transfers(Scene.place, Scene.seed, ["a1,alice,1"] * 20, name="last.csv")
    os.environ["STATE"] = rig.verdict(Scene.seed)["state_hash"]
    claim(len(list(Scene.seed.glob("journal/*.pj"))) > 1, "it has several segments")


def is_whole(scene):
    claim(os.environ["STATE"] in scene.seen, f"{scene.heading}: nothing is lost", scene.seen)


def dead_processes():
    scene = Scene("A process was killed")
    scene.do("""perdure import transfers WORLD ../0.csv --asset gone --rate 1000 --scale 2 \\
                    --columns from=from,to=to,amount=amount 2>/dev/null &
                until [ -e WORLD/region ]; do sleep 0.01; done; sleep 0.3; kill -9 $!""")
    scene.follow(0)
    scene.says("repairs")
    scene = Scene("The keeper was killed")
    scene.do(KEEPER + "keep WORLD; kill -9 $keeper")
    scene.follow(0)
    for point in ("checkpoint.section", "checkpoint.renamed"):
        scene = Scene("A checkpoint was killed in its midst")
        scene.pay("late")
        answer = rig.run("checkpoint", "WORLD", program=RIGGED,
                         env={"PERDURE_CRASH_AT": f"{point}:1"})
        claim(answer.code == -9, f"killed at {point}", answer)
        scene.follow(0)
        claim(not list(Path("WORLD/checkpoints").glob("*.new")), "no draft is left")


def reboots():
    scene = Scene("The machine lost power or was booted")
    scene.do("perdure verify WORLD")
    drop_region(Path("WORLD"))
    scene.follow(0)
    scene.says("recovered", "checkpoint_lsn", "rows", "transactions", "milliseconds")


def damaged_regions():
    for at, size, code, words in ((0, 4096, 1, "not a Perdure region"),
                                  (4096, 4 << 20, 3, "the region has met garbled structures")):
        scene = Scene("The region is damaged")
        scene.do("perdure verify WORLD")
        spoil("WORLD/region", at, size)
        scene.do("perdure verify WORLD", code)
        scene.says(words)
        scene.follow(0)
        is_whole(scene)


def damaged_checkpoints():
    scene = Scene("A checkpoint is damaged, or rot was found")
    scene.do("perdure verify WORLD")
    spoil(files("pcp")[-1])
    scene.do(KEEPER + """keep WORLD --set checkpoint.scrub=64MiB
                         until grep -q 'damaged on disk' serve.log; do sleep 0.01; done""")
    scene.says("damaged on disk")
    scene.follow(0, 3)
    claim(files("pcp")[-2].name in scene.seen, "the file is named", scene.seen)
    scene.follow(1)
    scene.says("nothing has changed")
    scene.follow(2)
    scene = Scene("All checkpoints are damaged")
    for each in files("pcp"):
        spoil(each)
    scene.follow(0)
    is_whole(scene)
    scene = Scene("All checkpoints are damaged")
    for each in files("pcp"):
        spoil(each)
    first = files("pj")[0].rename("segment")  # As if the journal began behind it.
    scene.do("perdure serve WORLD", 3)
    first.rename(f"WORLD/journal/{1:020}.pj")
    scene.follow(1)


def lost_segments():
    scene = Scene("A journal segment is lost or damaged")
    scene.do("perdure verify WORLD")
    scene.pay("late")
    files("pj")[0].unlink()
    scene.do("perdure verify WORLD", 3)
    scene.follow(0)
    drop_region(Path("WORLD"))
    scene.do(KEEPER + "keep WORLD")
    scene = Scene("A journal segment is lost or damaged")
    files("pj")[-1].unlink()
    scene.do("perdure serve WORLD", 3)
    scene.follow(1)
    is_whole(scene)
    scene = Scene("There is no copy of what is damaged")
    files("pj")[-1].unlink()
    scene.do("perdure serve WORLD", 3)
    scene.follow(0)


def lost_files():
    for loss in (lambda: spoil("WORLD/MANIFEST", 600), lambda: os.unlink("WORLD/MANIFEST")):
        scene = Scene("MANIFEST is lost or damaged")
        loss()
        scene.do("perdure serve WORLD", 3)
        scene.do("perdure init WORLD", 1)
        scene.follow(0)
        is_whole(scene)
    scene = Scene("catalog.db is damaged")
    Path("WORLD/catalog.db").write_bytes(b"rubbish" * 3000)
    scene.do("perdure history WORLD", 1)
    scene.says("it is no catalog")
    scene.follow(0)
    claim(Path("WORLD/catalog.db.broken").exists(), "the broken one is kept")


def full_disks():
    scene = Scene("The disk is full")
    lost = Scene("A write to the disk failed")
    os.chdir(scene.folder)
    order = "--scale 2 --columns from=from,to=to,amount=amount"
    shown = scene.do(f"""
        mkdir small && mount -t tmpfs -o size=8m none small && cp -a WORLD small/ && cd small
        export PERDURE_REGION_DIRECTORY={scene.folder}
        {KEEPER}
        keep WORLD
        n=0
        while timeout 20 perdure import transfers WORLD ../../0.csv --asset x$n {order}
        do n=$((n + 1)); done
        mount -o remount,size=100m .
        {scene.block(0)} | tee status
        if grep -q 'durability *LOST' status; then
            wait $keeper || true
            keeper=; rm serve.log; touch serve.log
            {lost.block(0)}
        fi
        for i in $(seq 1000)  # It goes on by itself, and not in the same moment.
        do perdure status WORLD | grep -q 'durable until there is room' || break
        done
        perdure import transfers WORLD ../../0.csv --asset more {order}
        perdure verify WORLD""", unshare=True)
    if shown is not None:
        scene.says("disk_full")
    scene = Scene("/dev/shm is full")
    rows = "".join(f"n{i},m{i},1\n" for i in range(60_000))
    Path("many.csv").write_text("from,to,amount\n" + rows)
    shown = scene.do(f"""
        mount -t tmpfs -o size=36m none /dev/shm || exit
        export PERDURE_REGION_SLOTS=8
        perdure verify WORLD || exit 50
        perdure import transfers WORLD many.csv {order} && exit 51
        {KEEPER}
        {scene.block(0)}
        perdure import transfers WORLD many.csv {order}""", unshare=True)
    if shown is not None:
        scene.says("no_memory")


def wrong_commits():
    scene = Scene("Something wrong was committed")
    Path("WORLD/region").unlink(missing_ok=True)
    keeper = rig.kept("WORLD")
    last = rig.verdict("WORLD")["last_lsn"]
    scene.follow(0, FROM=last - 10, TO=last, LSN=last - 5)
    claim("alice" in scene.seen, "what came to the account is told", scene.seen)
    scene.follow(1, LSN=last - 5, EVENT="transferred")
    claim(f"WORLD.then, the state behind LSN {last - 5:,}" in scene.seen, "as asked", scene.seen)
    before = int(re.search(r"WORLD.before, the state behind LSN ([\d,]+)",
                           scene.seen)[1].replace(",", ""))
    claim(last - 5 < before < last, "before the last transfer", scene.seen)
    claim(rig.stop(keeper) == 0, "it stops")
    scene.follow(2, LSN=last - 5)
    is_whole(scene)  # The old one.


def failing_disks():
    library = rig.preloaded(Scene.place, "sync", """
        int fdatasync(int file) {
            static int (*real)(int);
            if (!real) real = dlsym(RTLD_NEXT, "fdatasync");
            if (access("broken", F_OK) != 0) return real(file);
            errno = EIO;
            return -1;
        }""")
    scene = Scene("A write to the disk failed")
    if library is None:
        return
    scene.do(f"""
        {KEEPER}
        export LD_PRELOAD={library}
        keep WORLD
        unset LD_PRELOAD
        touch broken
        perdure import transfers WORLD ../last.csv --asset x --scale 2 \\
            --columns from=from,to=to,amount=amount && exit 50
        wait $keeper && exit 51
        keeper=
        perdure status WORLD""")
    scene.says("durability LOST")
    scene.follow(0)
    claim("sound" in scene.seen, "what was durable is there, and it goes on", scene.seen)


def set_clocks():
    library = rig.preloaded(Scene.place, "clock", """
        int clock_gettime(clockid_t which, struct timespec* now) {
            static int (*real)(clockid_t, struct timespec*);
            if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
            const int answer = real(which, now);
            if (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)
                now->tv_sec += atol(getenv("SECONDS_OFF"));
            return answer;
        }""")
    for days in (-10, 10):
        scene = Scene("The clock was set back or forward")
        if library is None:
            return
        scene.follow(0, env={"SECONDS_OFF": str(days * 86400), "LD_PRELOAD": library})
        is_whole(scene)
        claim(len(files("pcp")) >= 2, "two generations are there", files("pcp"))


def copies_and_strangers():
    scene = Scene("A world was copied while it ran")
    shutil.rmtree("COPY")
    scene.do(f"""{KEEPER}
        keep WORLD
        perdure import transfers WORLD ../0.csv --asset on --rate 5000 --scale 2 \\
            --columns from=from,to=to,amount=amount >import.log 2>&1 &
        sleep 0.3
        {scene.block(0)}
        kill $! && wait $! || true""")
    # One that cp made: whole if it was lucky, or without the file that was begun meanwhile.
    shutil.copytree("WORLD", "COPY", symlinks=True)
    scene.follow(1)
    last = sorted(Path("COPY/journal").glob("*.pj"))[-1]
    whole = last.read_bytes()
    last.unlink()
    scene.follow(1, 3)
    scene.says("the MANIFEST promises it, there is no such file")
    scene.follow(2)
    scene.do("perdure verify WORLD.copy --deep && perdure verify COPY.saved --deep")
    last.write_bytes(whole)

    scene = Scene("Two worlds have one identifier")
    scene.pay("mine")
    scene.do("perdure checkpoint WORLD --full && perdure checkpoint COPY --full")
    shutil.copy(sorted(Path("COPY/checkpoints").glob("*.pcp"))[-1], files("pcp")[-1])
    drop_region(Path("WORLD"))
    scene.do("perdure history WORLD && timeout 1 perdure serve WORLD", 124)
    scene.says("not the checkpoint that the MANIFEST promises")
    scene.follow(0)
    is_whole(scene)

    scene = Scene("A checkpoint of another world lies in this one")
    scene.do("perdure restore WORLD --to other --latest")
    shutil.copy(sorted(Path("other/checkpoints").glob("*.pcp"))[-1], files("pcp")[-1])
    scene.follow(0)
    scene.says("it is a checkpoint of another world")
    is_whole(scene)


def no_section_is_left_out():
    there = {part.split("\n")[0] for part in PAGE.split("\n## ")[1:] if "```" in part}
    claim(there == FOLLOWED, "each has been followed", there ^ FOLLOWED)


CASES = [dead_processes, reboots, damaged_regions, damaged_checkpoints, lost_segments, lost_files,
         full_disks, failing_disks, wrong_commits, set_clocks, copies_and_strangers]

if __name__ == "__main__":
    with rig.Place() as Scene.place:
        make_seed()
        try:
            sys.exit(rig.main(CASES + [no_section_is_left_out] * (len(sys.argv) == 1)))
        finally:
            os.chdir("/")

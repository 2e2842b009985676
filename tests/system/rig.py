# SPDX-License-Identifier: Apache-2.0
"""What the system tests share: the command under test, a place to work in, claims that can fail."""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PERDURE = os.environ.get("PERDURE_BIN", "build/release/bin/perdure")
RIGGED = os.environ.get("PERDURE_RIGGED_BIN", "build/release/bin/perdure_rigged")
GAME_SERVER = Path(PERDURE).parent / "example_game_server"
SOURCE = Path(os.environ.get("PERDURE_SOURCE", Path(__file__).resolve().parent.parent.parent))


STARTED = []


def inputs():
    """The folder of real traces: $PERDURE_DATA, or beside the source tree."""
    return Path(os.environ.get("PERDURE_DATA", SOURCE.parent / "shared" / "data"))


class Answer:
    """What one run of the command said and how it ended."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def __str__(self):
        return f"exit {self.code}\n{self.out}{self.err}"

    def json(self):
        lines = self.out.splitlines()
        if len(lines) != 1:
            raise AssertionError(f"exactly one object was to be printed:\n{self}")
        return json.loads(lines[0])


def run(*words, program=PERDURE, env=None, timeout=120):
    done = subprocess.run([program, *map(str, words)], text=True, timeout=timeout,
                          capture_output=True, env={**os.environ, **(env or {})})
    return Answer(done.returncode, done.stdout, done.stderr)


def start(*words, **more):
    """A process in a group of its own, so that it can be killed with all its children. It ends with
    its Place at the latest."""
    STARTED.append(subprocess.Popen([PERDURE, *map(str, words)], text=True, start_new_session=True,
                                    **more))
    return STARTED[-1]


def wait_until(what, question, seconds=60):
    """Polls; the limit only keeps a broken program from hanging the suite."""
    end = time.monotonic() + seconds
    while not question():
        if time.monotonic() > end:
            raise AssertionError(f"never happened: {what}")
        time.sleep(0.005)


class Place:
    """A directory that is gone afterwards, with the regions of the worlds in it."""

    def __enter__(self):
        self.path = Path(tempfile.mkdtemp(prefix="perdure_system_"))
        return self

    def __exit__(self, *_):
        for each in STARTED:
            if each.poll() is None:
                os.killpg(each.pid, signal.SIGKILL)
                each.wait()
        STARTED.clear()
        for link in self.path.rglob("region"):
            if link.is_symlink():
                Path(os.readlink(link)).unlink(missing_ok=True)
        for folder in self.path.rglob("*"):
            if folder.is_dir() and not folder.is_symlink():
                folder.chmod(0o700)
        shutil.rmtree(self.path)

    def __truediv__(self, name):
        return self.path / name


def claim(holds, what, seen=""):
    if not holds:
        raise AssertionError(f"{what}\n{seen}")


def refused(answer, code, *words):
    """The answer is a refusal that says what, why and what to do."""
    claim(answer.code == code, f"it exits {code}", answer)
    claim("to do" in answer.err and "reason" in answer.err, "it says cause and remedy", answer)
    for word in words:
        claim(word in answer.err, f"it names {word}", answer)


def made(place, name="world", *more):
    world = place / name
    answer = run("init", world, *more)
    claim(answer.code == 0, "a world is made", answer)
    return world


def transfers(place, world, lines, *more, header="from,to,amount", name="t.csv"):
    file = place / name
    file.write_text(header + "\n" + "".join(line + "\n" for line in lines))
    return run("import", "transfers", world, file, "--columns", "from=from,to=to,amount=amount",
                   "--scale", 2, *more)


def verdict(world, code=0):
    answer = run("verify", world, "--json")
    claim(answer.code == code, f"verify exits {code}", answer)
    return answer.json()


def drop_region(world):
    """What a reboot does."""
    Path(os.readlink(world / "region")).unlink()


def kept(world, *more):
    """A keeper that has begun to keep, or to stand by."""
    process = start("serve", world, *more, stderr=subprocess.PIPE)
    process.log = []
    for line in process.stderr:
        process.log.append(json.loads(line))
        if process.log[-1]["message"] in ("keeping", "standing by"):
            break
    return process


def stop(process, how=signal.SIGTERM):
    process.send_signal(how)
    process.log += [json.loads(line) for line in process.stderr]
    return process.wait(60)


def preloaded(place, name, source):
    """A library that stands in for a failing part of the machine; None: there is no compiler."""
    file = place / f"{name}.c"
    file.write_text("#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <errno.h>\n"
                    "#include <stdlib.h>\n#include <time.h>\n#include <unistd.h>\n" + source)
    library = file.with_suffix(".so")
    built = subprocess.run(["cc", "-shared", "-fPIC", "-o", library, file, "-ldl"],
                           capture_output=True, text=True)
    if built.returncode != 0:
        print(f"  SKIPPED a part: {built.stderr.strip()}", flush=True)
    return str(library) if built.returncode == 0 else None


def main(cases):
    """Runs functions; their names are sentences that are true when they pass."""
    wanted = sys.argv[1:]
    failed = 0
    for case in cases:
        if wanted and case.__name__ not in wanted:
            continue
        began = time.monotonic()
        try:
            case()
            verdict = "ok"
        except AssertionError as why:
            failed += 1
            verdict = f"FAILED: {why}\nagain: python3 {sys.argv[0]} {case.__name__}"
        print(f"{case.__name__} ({time.monotonic() - began:.1f} s): {verdict}", flush=True)
    return 1 if failed else 0

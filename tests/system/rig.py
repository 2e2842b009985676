# SPDX-License-Identifier: Apache-2.0
"""What the system tests share: the command under test, a place to work in, claims that can fail."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PERDURE = os.environ.get("PERDURE_BIN", "build/release/bin/perdure")
RIGGED = os.environ.get("PERDURE_RIGGED_BIN", "build/release/bin/perdure_rigged")
SOURCE = Path(os.environ.get("PERDURE_SOURCE", Path(__file__).resolve().parent.parent.parent))


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
    """A process in a group of its own, so that it can be killed with all its children."""
    return subprocess.Popen([PERDURE, *map(str, words)], text=True, start_new_session=True, **more)


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

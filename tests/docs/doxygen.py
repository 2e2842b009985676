#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Claims: doxygen reads every public header without a warning, and each header's first comment is
the page of its file. Nothing is written into the source tree. Skips, aloud, where there is no
doxygen; with a FOLDER as argument the pages stay there (`./dev docs`).
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(os.environ.get("PERDURE_SOURCE", Path(__file__).resolve().parent.parent.parent))
FOLDERS = ("shm", "io", "core")


def public_headers():
    for folder in FOLDERS:
        lists = (SOURCE / folder / "CMakeLists.txt").read_text()
        for name in re.findall(r"^\s+(\w+\.hpp)$", lists, re.M):
            yield f"{folder}/{name}"


def run(headers, target):
    settings = (SOURCE / "Doxyfile").read_text()
    settings += f"\nINPUT = {' '.join(headers)}\nOUTPUT_DIRECTORY = {target}\n"
    return subprocess.run(["doxygen", "-"], input=settings, text=True, cwd=SOURCE,
                          capture_output=True)


def main():
    if shutil.which("doxygen") is None:
        print("SKIPPED: doxygen is not installed")
        return 77
    headers = sorted(public_headers())
    with tempfile.TemporaryDirectory(prefix="perdure_docs_") as scratch:
        target = sys.argv[1] if len(sys.argv) > 1 else scratch
        Path(target).mkdir(parents=True, exist_ok=True)
        done = run(headers, target)
        if done.returncode != 0:
            print(done.stderr + "doxygen found something in the public headers")
            return 1
        pages = [path for path in Path(target, "html").glob("*_8hpp.html")
                 if re.search(r"Promise  |Format   |Threads  ", path.read_text())]
        print(f"doxygen: {len(headers)} headers, {len(pages)} with their promises")
        return 0 if len(headers) > 50 and len(pages) >= len(headers) else 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Claims: every rule of tidy.py finds its violation, and a clean tree has no finding.

How: a small clean tree is written, one fault is put in, and the one finding it must cause is looked
for; the clean tree is checked first, so that no fault hides behind another.
"""
import tempfile
import unittest
from pathlib import Path

import tidy

SPDX = "// SPDX-License-Identifier: Apache-2.0\n"
HEADER = SPDX + "//\n// A thing.\n//\n// Promise     It holds.\n// Threads     Any.\n#pragma once\n"
CMAKE = "# SPDX-License-Identifier: Apache-2.0\n"
FORMAT = SPDX + "//\n// FORMAT a thing\n//\n// Format      docs/formats/thing.md\n#pragma once\n"
PROVEN = "static_assert(mapped<thing> && sizeof(thing) == 8);\n"

CLEAN = {
    "shm/CMakeLists.txt": CMAKE + "perdure_library(shm SOURCES ring.cpp HEADERS ring.hpp )\n",
    "shm/ring.hpp": HEADER + "#include <cstdint>\n",
    "shm/ring.cpp": SPDX + "#include <perdure/shm/ring.hpp>\n",
    "shm/ring_format.hpp": FORMAT + "struct thing {\n    std::uint64_t a;\n};\n" + PROVEN,
    "io/file.hpp": HEADER + "#include <perdure/shm/ring.hpp>\n",
    "core/world.hpp": HEADER + "#include <perdure/io/file.hpp>\n",
    "core/amount.hpp": HEADER,
    "apps/CMakeLists.txt": CMAKE,
    "tests/CMakeLists.txt": CMAKE,
}


def function_of(lines):
    return "int f(int a) {\n" + "    ++a;\n" * (lines - 3) + "    return a;\n}\n"


# Fault: file -> text put behind the clean text (or "=" in front: in its place), expected words.
FAULTS = [
    ("shm/ring.cpp", "=int x;\n", "no SPDX-License"),
    ("apps/CMakeLists.txt", "=x()\n", "no SPDX-License"),
    ("shm/ring.cpp", "#include <perdure/io/file.hpp>\n", "shm may not see io"),
    ("core/amount.hpp", "#include <perdure/io/file.hpp>\n", "core may not see io"),
    ("core/world.hpp", "#include <perdure/apps/cli.hpp>\n", "core may not see apps"),
    ("io/file.hpp", "#include <perdure/shm/crash_point.hpp>\n", "a crash point in a header"),
    ("shm/ring.cpp", "#include <perdure/tests/x.hpp>\n", "nothing sees tests"),
    ("shm/ring.cpp", '#include "ring.hpp"\n', "write <perdure/folder/file.hpp>"),
    ("core/amount.hpp", "#include <chrono>\n", "core is deterministic"),
    ("core/amount.hpp", "#include <sys/mman.h>\n", "core is deterministic"),
    ("io/file.hpp", "#include <boost/interprocess/mapped_region.hpp>\n", "is for shm only"),
    ("shm/ring.cpp", "#include <zstd.h>\n", "is for io, plugins only"),
    ("io/file.hpp", "#include <CLI/CLI.hpp>\n", "is for apps only"),
    ("shm/ring.cpp", "int ring_manager = 0;\n", "banned in names: manager"),
    ("io/file_info.hpp", "=" + HEADER, "banned in names: info"),
    ("shm/ring.cpp", "int a = 0;\n" * 400, "402 lines, 400 allowed"),
    ("io/file.hpp", "int a;\n" * 250, "258 lines, 250 allowed"),
    ("shm/ring.cpp", function_of(71), "a function of 71 lines"),
    ("shm/ring.cpp", "// " + "x" * 98 + "\n", "101 columns"),
    ("shm/ring.cpp", "int f(int a, int b, int c, int d, int e, int g) {\n}\n", "6 parameters"),
    ("io/file.hpp", "=" + SPDX + "#pragma once\n", "says its Promise"),
    ("io/file.hpp", "=" + HEADER.replace("#pragma once\n", ""), "#pragma once follows"),
    ("io/file.hpp", "=" + HEADER.replace("Promise ", "Pledge  "), "no such heading: Pledge"),
    ("io/file.hpp", "=" + HEADER.replace("Promise     ", "Format      "), "in this order"),
    ("shm/ring_format.hpp", "struct b {\n    int* p;\n};\n" + PROVEN, "a pointer in the mapped"),
    ("shm/ring_format.hpp", "struct b {\n    bool p;\n};\n" + PROVEN, "bool in the mapped"),
    ("shm/ring_format.hpp", "struct b {\n    int p : 3;\n};\n" + PROVEN, "a bit-field in"),
    ("shm/ring_format.hpp", "struct b {\n    double p;\n};\n" + PROVEN, "floating point in"),
    ("shm/ring_format.hpp", "struct b {\n    int p;\n};\n", "no static_assert on mapped<b>"),
    ("shm/ring.cpp", "// TODO later\n", "needs the number of its issue"),
    ("shm/ring.cpp", "thread_local int a;\n", "thread_local"),
    ("shm/lost.cpp", "=" + SPDX, "does not name lost.cpp"),
    ("tests/lost.py", "=" + CMAKE + "CASES = []\n", "does not name lost.py"),
    ("plugins/lost.cpp", "=" + SPDX, "no CMakeLists.txt above it"),
    ("apps/CMakeLists.txt", "x(gone.cpp)\n", "gone.cpp is listed and not there"),
    ("shm/ring.hpp", "#include <perdure/shm/ring_format.hpp>\n", "which is not"),
    ("shm/ring.hpp", "#include <perdure/shm/ring.hpp>\n", "an include cycle"),
]


def findings_of(files):
    with tempfile.TemporaryDirectory() as place:
        for name, text in files.items():
            path = Path(place, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return [f for f in tidy.check(Path(place))[1] if "a file that is gone" not in f]


class Tidy(unittest.TestCase):
    def test_a_clean_tree_has_no_finding(self):
        self.assertEqual(findings_of(CLEAN), [])

    def test_every_fault_is_found(self):
        for name, fault, words in FAULTS:
            with self.subTest(file=name, expected=words):
                text = fault[1:] if fault[0] == "=" else CLEAN[name] + fault
                self.assertIn(words, "\n".join(findings_of({**CLEAN, name: text})))

    def test_every_rule_has_a_fault(self):
        found = "\n".join("\n".join(findings_of(
            {**CLEAN, name: fault[1:] if fault[0] == "=" else CLEAN[name] + fault}))
            for name, fault, _ in FAULTS)
        for rule in tidy.RULES:
            kept, tidy.RULES = tidy.RULES, [r for r in tidy.RULES if r is not rule]
            try:
                fewer = "\n".join("\n".join(findings_of(
                    {**CLEAN, name: fault[1:] if fault[0] == "=" else CLEAN[name] + fault}))
                    for name, fault, _ in FAULTS)
            finally:
                tidy.RULES = kept
            self.assertLess(len(fewer), len(found), f"no fault of FAULTS needs {rule.__name__}")

    def test_limits_are_met_exactly(self):
        allowed = SPDX + function_of(70) + "int a = 0;\n" * (400 - 71)
        self.assertEqual(findings_of({**CLEAN, "shm/ring.cpp": allowed}), [])

    def test_words_in_comments_and_strings_are_not_names(self):
        words = '// The helper.\nconst char* a = "base";\nint b = c.data();\n'
        text = CLEAN["shm/ring.cpp"] + words
        self.assertEqual(findings_of({**CLEAN, "shm/ring.cpp": text}), [])


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Claims: both readers refuse a checkpoint that breaks any one rule of docs/formats/checkpoint.md,
"Valid", although every checksum, hash and link over what was broken is right again, the MANIFEST's
too; and both take one that was sealed again and breaks none. What only the second reader looks for
is named: no damage makes it, only a writer that is wrong, and that reads what it wrote back.
"""
import ctypes
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "system")]
import rig  # noqa: E402
from checkpoint_reader import tree_root  # noqa: E402
from journal_reader import blake, crc32c, unpack_frame  # noqa: E402

ZSTD = ctypes.CDLL("libzstd.so.1")
ZSTD.ZSTD_compress.restype = ctypes.c_size_t
SECTION = "<8sHHI4Q4I"
KIND, ZERO, TABLE, ROWS, FIRST, LAST, AS_OF, RAW = range(1, 9)


def sealed(raw):
    return raw + struct.pack("<I", crc32c(raw))


def packed(raw):
    room = ctypes.create_string_buffer(len(raw) + 4096)
    size = ZSTD.ZSTD_compress(room, ctypes.c_size_t(len(room)), raw, ctypes.c_size_t(len(raw)), 1)
    return room.raw[:size]


class File:
    """A checkpoint taken apart; raw() puts it together with everything right that follows."""

    def __init__(self, path):
        raw = path.read_bytes()
        self.head, self.tail, self.sections = bytearray(raw[:156]), bytearray(raw[-160:-4]), []
        index_at, count = struct.unpack("<2Q", self.tail[32:48])
        for at, _ in struct.iter_unpack("<Q32s", raw[index_at:index_at + 40 * count]):
            fields = list(struct.unpack(SECTION, raw[at:at + 64]))
            payload = raw[at + 64:at + 64 + fields[9]]
            self.sections.append((fields, bytearray(unpack_frame(payload, fields[RAW]))))
        self.behind_frame = b""
        self.gap = b""
        self.footer = lambda tail: None

    def raw(self):
        head = sealed(bytes(self.head))
        body, index = head + self.gap, b""
        for fields, archive in self.sections:
            payload = packed(bytes(archive)) + self.behind_frame
            said = struct.pack(SECTION, *fields[:9], len(payload), crc32c(payload), 0)[:-4]
            section = sealed(said) + payload
            index += struct.pack("<Q", len(body)) + blake(section)
            body += section
        tail = self.tail
        leaves = [index[at + 8:at + 40] for at in range(0, len(index), 40)]
        tail[32:48] = struct.pack("<2Q", len(body), len(leaves))
        tail[72:104] = tree_root([blake(head), *leaves])
        tail[152:156] = struct.pack("<I", crc32c(index))
        self.footer(tail)
        return body + index + sealed(bytes(tail))


def promise(world, raw):
    """Makes the MANIFEST's last record of a checkpoint that of these bytes."""
    rows, before = (world / "MANIFEST").read_bytes(), bytes(32)
    rows = [bytearray(rows[at:at + 512]) for at in range(0, len(rows), 512)]
    named = [row for row in rows if row[10] == 16][-1]
    named[112:144], named[200:208] = blake(raw[-160:]), struct.pack("<Q", len(raw))
    out = b""
    for row in rows:
        row[144:176] = before
        out += sealed(bytes(row[:508]))
        before = blake(out[-512:])
    (world / "MANIFEST").write_bytes(out)


def put(where, at, layout, value):
    where[at:at + struct.calcsize(layout)] = struct.pack(layout, value)


def of_header(at, layout, value):
    return lambda file: put(file.head, at, layout, value)


def of_footer(at, layout, value):
    return lambda file: setattr(file, "footer", lambda tail: put(tail, at, layout, value))


def of_section(number, field, value):
    def change(file):
        file.sections[number][0][field] = value
    return change


def of_archive(number, at, layout, value):
    return lambda file: put(file.sections[number][1], at, layout, value)


def longer(file):
    file.sections[1][1].append(0)
    file.sections[1][0][RAW] += 1


def twice(file):
    file.sections.append(file.sections[1])
    put(file.tail, 48, "<Q", struct.unpack("<Q", file.tail[48:56])[0] + file.sections[1][0][ROWS])


def swapped(file):
    """The first two row numbers."""
    archive = file.sections[1][1]
    archive[9], archive[10] = archive[10], archive[9]


RULES = [
    ("1 lsn 0", of_header(112, "<Q", 0)), ("1 reserved", of_header(140, "<I", 1)),
    ("1 format", of_header(8, "<H", 2)), ("1 header_bytes", of_header(12, "<I", 161)),
    ("2 kind", of_header(10, "<H", 3)), ("2 a parent of a full one", of_header(48, "<Q", 7)),
    ("3 footer's magic", of_footer(0, "<Q", 7)), ("3 footer's id", of_footer(16, "<Q", 7)),
    ("3 footer's reserved", of_footer(10, "<H", 1)), ("3 its back", of_footer(120, "<Q", 1)),
    ("4 sections", of_footer(40, "<Q", 1 << 25)), ("4 index_at", of_footer(32, "<Q", 160)),
    ("5 index_crc", of_footer(152, "<I", 1)),
    ("5 a gap", lambda file: setattr(file, "gap", bytes(8))),
    ("6 root", of_footer(72, "<Q", 7)),
    ("7 kind", of_section(1, KIND, 3)), ("7 schemas twice", of_section(1, KIND, 1)),
    ("7 reserved", of_section(1, ZERO, 1)), ("7 magic", of_section(1, 0, b"PDCKSECU")),
    ("8 raw_bytes", of_section(1, RAW, (1 << 26) + 1)), ("8 rows", of_section(1, ROWS, 1 << 27)),
    ("8 first_row", of_section(1, FIRST, 1 << 40)), ("8 table", of_section(1, TABLE, 240)),
    ("9 behind the frame", lambda file: setattr(file, "behind_frame", b"\0" * 8)),
    ("10 endianness", of_archive(1, 0, "<B", 0)), ("10 count", of_archive(1, 1, "<Q", 1)),
    ("10 a byte more", longer),
    ("11 number 1", of_archive(0, 9, "<I", 1)), ("11 live", of_archive(0, 25, "<I", 2)),
    ("11 length of a name", of_archive(0, 29, "<Q", 32)),
    ("11 count of schemas", of_section(0, ROWS, 1)),
    ("12 no such table", of_section(1, TABLE, 239)), ("12 rows that do not ascend", swapped),
    ("12 first_row", of_section(1, FIRST, 1 << 20)), ("12 a section twice", twice),
    ("13 as_of", of_section(1, AS_OF, 1)), ("13 last_lsn", of_footer(64, "<Q", 1 << 40)),
    ("13 rows", of_footer(48, "<Q", 5)), ("13 row_bytes", of_footer(56, "<Q", 5)),
    ("14 world", of_header(16, "<Q", 7)), ("14 lsn", of_header(112, "<Q", 1)),
    ("15 parent_link", of_header(64, "<Q", 7)),
]


SMALL = {"PERDURE_REGION_CAPACITY": "64MiB", "PERDURE_REGION_RING": "64KiB",
         "PERDURE_REGION_SLOTS": "4"}


def second_reader(world):
    return subprocess.run([sys.executable, "-B", HERE / "checkpoint_reader.py", world], text=True,
                          capture_output=True)


def each_rule_is_kept_by_both():
    with rig.Place() as place:
        seed, broken = rig.made(place, "seed"), []
        rig.transfers(place, seed, [f"a{i},b{i % 7},1" for i in range(60)])
        rig.claim(rig.run("checkpoint", seed, "--full").code == 0, "a checkpoint is taken")
        wanted = rig.verdict(seed)["state_hash"]
        for number, (rule, change) in enumerate([("none", lambda file: None), *RULES]):
            world = place / f"world{number}"
            shutil.copytree(seed, world, symlinks=True)
            os.unlink(world / "region")
            path = next((world / "checkpoints").glob("*.pcp"))
            file = File(path)
            change(file)
            path.write_bytes(file.raw())
            promise(world, path.read_bytes())
            second = second_reader(world)
            first = rig.run("verify", world, "--json", env=SMALL)
            Path(os.readlink(world / "region")).unlink()
            rig.claim(first.code == 0 and first.json()["state_hash"] == wanted, rule, first)
            has_refused = path.with_suffix(".pcp.rejected").exists()
            if rule == "none":
                rig.claim(second.returncode == 0 and wanted in second.stdout and not has_refused,
                          "what breaks no rule is taken", f"{second}\n{first}")
            elif second.returncode != 3 or not has_refused:
                broken.append(f"rule {rule}: {'' if has_refused else 'not '}refused by perdure; "
                              f"second reader: {second.returncode} {second.stderr[-300:]}")
        rig.claim(not broken, "every broken rule is refused by both", "\n".join(broken))


if __name__ == "__main__":
    sys.exit(rig.main([each_rule_is_kept_by_both]))

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A second reader of the journal, written from docs/formats/ alone; shares no code with the first.

usage: journal_reader.py WORLD    writes the records to standard output; exit 0 at the end, 3 damage
"""
import struct
import sys
from pathlib import Path
from stored_bytes import Damage, blake, crc32c, is_guarded, must, unpack_frame, unpack_segment

MASK = (1 << 64) - 1

def read_manifest(path):
    """The segments the world promises: dicts with what opened and, if so, sealed them."""
    raw = path.read_bytes()
    rows = [raw[at:at + 512] for at in range(0, len(raw) - 511, 512)]
    whole = [row[:8] == b"PDMANFST" and is_guarded(row) for row in rows]
    count = whole.index(False) if False in whole else len(rows)
    must(count > 0 and not any(whole[count:]), "MANIFEST")
    segments, before, world = [], bytes(32), rows[0][32:48]
    for number, row in enumerate(rows[:count], 1):
        fmt, kind, size, seq = struct.unpack_from("<HHIQ", row, 8)
        known = 0 < kind < 6 or kind in (16, 17)
        must((fmt, size, seq) == (1, 512, number) and row[32:48] == world and known
             and not any(row[208 if kind == 16 else 176:508]) and row[144:176] == before
             and (kind == 1) == (number == 1), f"MANIFEST {number}")
        before = blake(row)
        generation, first, last, first_seq, last_seq = struct.unpack_from("<5Q", row, 72)
        if kind == 2:
            segments.append({"id": row[56:72], "generation": generation, "lsn": first,
                             "seq": first_seq, "before": row[112:144], "sealed": None})
        elif kind == 3:
            segments[-1]["sealed"] = (last_seq, last, row[112:144])
        elif kind == 4:
            must(segments.pop(0)["id"] == row[56:72], "a segment retired out of turn")
    return world, segments

def intact_block(raw, at, world, segment):
    """The block at a byte: its fields, or None."""
    head = raw[at:at + 176]
    if at + 4096 > len(raw) or head[:8] != b"PDJNLBLK":
        return None
    fmt, codec, size = struct.unpack_from("<HHI", head, 8)
    generation, seq, synced, first, last, *_, raw_bytes, stored = struct.unpack_from(
        "<8QII", head, 48)
    end = (at + 176 + stored + 4095) // 4096 * 4096
    payload = raw[at + 176:at + 176 + stored]
    good = (is_guarded(head) and fmt == 1 and size == 176
            and not any(head[152:164]) and not any(head[168:172]) and head[16:32] == world
            and head[32:48] == segment["id"] and generation == segment["generation"]
            and seq >= segment["seq"] and synced < seq and segment["lsn"] <= first <= last
            and stored <= raw_bytes <= 1 << 28 and 16 * (last - first + 1) <= raw_bytes
            and end <= len(raw) and not any(raw[at + 176 + stored:end])
            and crc32c(payload) == struct.unpack_from("<I", head, 164)[0])
    return good and {"codec": codec, "seq": seq, "synced": synced, "first": first, "last": last,
                     "raw_bytes": raw_bytes, "before": head[120:152], "payload": payload,
                     "hash": blake(head + payload), "end": end}

class Cursor:
    def __init__(self, raw):
        self.raw, self.at = raw, 0

    def take(self, size):
        must(self.at + size <= len(self.raw), "the payload ends early")
        self.at += size
        return self.raw[self.at - size:self.at]

    def fields(self, layout):
        return struct.unpack(layout, self.take(struct.calcsize(layout)))
    def stream(self, mode, size):
        return self.take(size) if mode == 1 else unpack_frame(self.take(*self.fields("<I")), size)

def read_group(cursor, lsns):
    record_bytes, count, checksum, reserved = cursor.fields("<IIB7s")
    must(count == len(lsns) and record_bytes % 16 == 0 and record_bytes <= 1024
         and checksum in (1, 2) and not any(reserved), "group header")
    columns = []
    for column in range(record_bytes // 8):
        method, source, raw, packed, zero, constant, seed = cursor.fields("<BBBBIQQ")
        must(zero == 0 and raw & packed == 0 and 1 <= method <= 6, "column header")
        residues = [constant] * count
        for b in [b for b in range(8) if (raw | packed) >> b & 1]:
            plane = cursor.stream(1 if raw >> b & 1 else 2, count)
            residues = [t | byte << 8 * b for t, byte in zip(residues, plane)]
        if method == 2:
            residues = list(lsns)
        elif method in (3, 4):
            must(source < column, "a column from a later one")
            residues = [w if method == 3 else -w & MASK for w in columns[source]]
        elif method == 5:
            for i, t in enumerate(residues):
                seed = residues[i] = seed + (t >> 1 ^ -(t & 1)) & MASK
        elif method == 6:
            residues = [lsn - t & MASK for lsn, t in zip(lsns, residues)]
        columns.append(residues)
    for words in zip(*columns):
        record = struct.pack(f"<{len(words)}Q", *words)
        crc = struct.pack("<I", crc32c(record[:12], record[20:]))
        yield record[:16] + crc + record[20:] if checksum == 2 else record

def loose_records(raw):
    while raw:
        size = struct.unpack_from("<I", raw, 8)[0]
        must(16 <= size <= len(raw), "loose record")
        yield raw[:size]
        raw = raw[size:]

def decode(block):
    if block["codec"] == 1:
        return block["payload"]
    must(block["codec"] == 2, "codec")
    cursor = Cursor(block["payload"])
    count, loose_bytes, groups, order_mode, loose_mode, zero = cursor.fields("<IIHBBI")
    must(count == block["last"] - block["first"] + 1 and groups <= 64 and zero == 0, "codec 2")
    order = bytes(count) if order_mode == 3 else cursor.stream(order_mode, count)
    loose = b"" if loose_mode == 3 else cursor.stream(loose_mode, loose_bytes)
    sources = []
    for group in range(groups):
        lsns = [block["first"] + i for i, number in enumerate(order) if number == group]
        sources.append(iter(list(read_group(cursor, lsns))))
    must(cursor.at == len(cursor.raw), "bytes behind the payload")
    sources.append(loose_records(loose))
    return b"".join(next(sources[number]) for number in order)

def check_records(raw, block):
    at, lsn = 0, block["first"]
    while at < len(raw):
        found, size, _, state = struct.unpack_from("<QIHH", raw, at)
        record = raw[at:at + size]
        must(found == lsn and size % 16 == 0 and len(record) == size
             and (state == 4 and size == 16 or state == 3 and size >= 48), f"record {lsn}")
        must(state == 4 or struct.pack("<I", crc32c(record[:12], record[20:])) == record[16:20],
             f"record {lsn}: checksum")
        at, lsn = at + size, lsn + 1
    must(lsn == block["last"] + 1 and len(raw) == block["raw_bytes"], "records of the block")

def read_world(directory, out):
    world, segments = read_manifest(directory / "MANIFEST")
    seq, lsn, before = [segments[0][key] for key in ("seq", "lsn", "before")]
    for segment in segments:
        path = directory / "journal" / f"{segment['lsn']:020}.pj"
        packed = path.with_suffix(".pz")
        raw = path.read_bytes() if path.exists() else unpack_segment(packed.read_bytes())
        facts = struct.unpack_from("<4Q", raw, 48)
        must(raw[:16] == b"PDJNLSEG" + struct.pack("<HHI", 1, 0, 128) and is_guarded(raw[:128])
             and not any(raw[120:124] + raw[128:4096]) and raw[16:48] == world + segment["id"]
             and raw[88:120] == before and facts[:3] == (segment["generation"], lsn, seq)
             and facts[3] <= len(raw), f"{path}: header")
        at, raw = 4096, raw[:facts[3]]
        while not (segment["sealed"] and seq > segment["sealed"][0]):
            block = intact_block(raw, at, world, segment)
            if not block or (block["seq"], block["first"], block["before"]) != (seq, lsn, before):
                must(not segment["sealed"] and not block, f"{path}: byte {at}")
                later = [intact_block(raw, i, world, segment) for i in range(at, len(raw), 4096)]
                must(not any(one and one["seq"] > seq and one["synced"] >= seq for one in later),
                     f"{path}: byte {at}")
                break
            records = decode(block)
            check_records(records, block)
            out.write(records)
            at, seq, lsn, before = block["end"], seq + 1, block["last"] + 1, block["hash"]
        must(segment["sealed"] in (None, (seq - 1, lsn - 1, before)), f"{path}: end")

if __name__ == "__main__":
    try:
        read_world(Path(sys.argv[1]), sys.stdout.buffer)
    except (Damage, OSError) as damage:
        print(f"damage: {damage}", file=sys.stderr)
        sys.exit(3)

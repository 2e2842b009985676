#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A second reader of checkpoints, written from docs/formats/ alone; shares no code with the first.

usage: checkpoint_reader.py WORLD [--lsn LSN]    prints state_hash and image_hash; exit 0, 3 damage
Begins with the newest checkpoint, or with that of LSN (0: with none), and replays the journal.
"""
import struct
import sys
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

from journal_reader import (MASK, Cursor, Damage, blake, crc32c, is_guarded, loose_records, must,
                            read_manifest, read_world, unpack_frame)
from world_hashes import DERIVED, hashes

class Schema:
    def __init__(self, row):  # of table 1
        self.name, version, self.row_bytes, self.flags, count, self.key_at, self.heap = (
            struct.unpack("<16x32s5I8xI", row[:80]))
        self.fields = list(struct.iter_unpack("<24s4H8x", row[80:80 + 40 * min(count, 18)]))
        named = [(0, 16), *((at, size) for _, _, at, size, _ in self.fields)]
        nexts = [*(at for at, _ in named[1:]), self.row_bytes]
        gaps = [(at + size, after - at - size) for (at, size), after in zip(named, nexts)]
        must(24 <= self.row_bytes <= 4096 and self.row_bytes % 8 == self.key_at % 8 == 0
             and count <= 18 and all(0 < kind <= 6 and size for _, kind, _, size, _ in self.fields)
             and all(size >= 0 for _, size in gaps), f"schema {self.name}")
        self.parts = [(at, size, size <= 64) for at, size in named] + [
            (at, size, False) for at, size in gaps if size]
        self.text = self.name.rstrip(b"\0") + struct.pack("<xI", version) + b"".join(
            name.rstrip(b"\0") + struct.pack("<xHH", kind, size)
            for name, kind, _, size, _ in self.fields)

def read_schemas(cursor, count):
    def sized(most):
        size, = cursor.fields("<Q")
        must(1 <= size <= most, "length of a text or list")
        return cursor.take(size)
    for _ in range(count):
        number, header = cursor.fields("<I16s")
        name, (*first, key_at, index, overflow, heap, fields) = sized(31), cursor.fields("<7IQ")
        row = struct.pack("<16s32s8I", header, name, *first, fields, key_at, index, overflow, heap)
        for _ in range(fields):
            row += struct.pack("<24s10s6x", sized(23), cursor.take(10))
        row, indexes = row.ljust(800, b"\0"), [sized(6) for _ in range(*cursor.fields("<Q"))]
        must(cursor.fields("<Q") == (len(indexes),) and len(indexes) <= 12 and header[12] == 1
             and 1 < number < 240 and all(max(one) < fields for one in indexes), "a schema")
        for one in indexes:
            row += struct.pack("<4sH6s4x", cursor.take(4), len(one), one)
        yield number, row.ljust(1024, b"\0")

def read_rows(cursor, count, schema):
    def read_part(size, in_columns, stride=(count + 15) // 16 * 16):
        if not in_columns:
            return [cursor.take(size) for _ in range(count)]
        columns = [cursor.take(8 * stride) for _ in range(0, size, 8)]
        return [b"".join(column[i::stride] for column in columns)[:size] for i in range(count)]
    numbers = [int.from_bytes(word, "little") for word in read_part(8, True)]
    by_place = sorted((at, read_part(size, in_columns)) for at, size, in_columns in schema.parts)
    return zip(numbers, map(b"".join, zip(*(part for _, part in by_place))))

def page_of(table, row, schemas):  # all of table 1 is of one moment
    return table, row // (4096 // schemas[table].row_bytes) if table in schemas else 0

def read_section(raw, lsn, tables, schemas, as_of):
    """Takes over what it says; answers the lengths of its rows. The first one holds schemas."""
    magic, kind, zero, table, count, first, last, shown, size, stored, payload_crc, _ = (
        struct.unpack("<8sHHI4Q4I", raw[:64]))
    must(magic == b"PDCKSECT" and is_guarded(raw[:64]) and zero == 0 and stored == len(raw) - 64
         and count <= size <= 1 << 26 and crc32c(raw[64:]) == payload_crc and lsn <= shown
         and kind == (2 if as_of else 1) and last < 1 << 48, "header or payload")
    must(table in schemas and not schemas[table].flags & DERIVED if as_of else table == 0, "table")
    cursor = Cursor(unpack_frame(raw[64:], size))
    must(cursor.fields("<BQ") == (1, count), "archive")
    rows = dict(read_rows(cursor, count, schemas[table]) if as_of else read_schemas(cursor, count))
    ends = (min(rows), max(rows)) if as_of and rows else (0, 0)
    must(cursor.at == len(cursor.raw) and len(rows) == count and list(rows) == sorted(rows)
         and (first, last) == ends and (rows or not as_of), "rows")
    if not as_of:
        schemas.update((number, Schema(row)) for number, row in rows.items())
    pages = {page_of(table, number, schemas) for number in rows} if as_of else {(1, 0)}
    must(pages.isdisjoint(as_of), "a page in two sections")
    for number, row in rows.items():
        row_lsn, _, live = struct.unpack("<QII", row[:16])
        must(1 <= row_lsn <= shown and live <= 1 and (live or not any(row[16:])), f"row {number}")
        tables[table or 1][number] = list(struct.unpack("<512Q", row.ljust(4096, b"\0")))
    as_of.update(dict.fromkeys(pages, shown))
    return [len(row) for row in rows.values() if table]

def tree_root(level):
    if len(level) == 1:
        return level[0]
    pairs = [level[i:i + 2] for i in range(0, len(level), 2)]
    return tree_root([blake(b"".join(pair)) if len(pair) == 2 else pair[0] for pair in pairs])

def read_checkpoint(raw, promise, tables):
    """Puts its rows in their place; answers the schemas, and the LSN that each page shows."""
    schemas, as_of, lengths, head, tail = {}, {}, [], raw[:160], raw[-160:]
    must(len(raw) == promise.bytes and is_guarded(head) and not any(head[136:156])
         and head[:96] + head[112:120] == promise.head, "header")
    must(tail[:32] == struct.pack("<8sHHI16s", b"PDCHKEND", 1, 0, 160, promise.id) and is_guarded(
        tail) and blake(tail) == promise.link and not any(tail[104:152]), "footer")
    index_at, count, *sums = struct.unpack("<5Q", tail[32:72])
    index = raw[index_at:-160]
    must(count and len(index) == 40 * count and is_guarded(index + tail[152:156]), "index")
    places = [*struct.iter_unpack("<Q32s", index), (index_at, b"")]
    must(tree_root([blake(head)] + [found for _, found in places[:-1]]) == tail[72:104]
         and places[0][0] == 160, "hash tree")
    for (promise.at, found), (end, _) in zip(places, places[1:]):
        must(blake(raw[promise.at:end]) == found, "hash of the section")
        lengths += read_section(raw[promise.at:end], promise.lsn, tables, schemas, as_of)
    must(sums == [len(lengths), sum(lengths), promise.last_lsn]
         and promise.last_lsn == max(as_of.values()), "footer's sums")
    return schemas, as_of

def read_promises(raw):
    """The checkpoints published and not retired by identifier, the last one last; zero: none."""
    kept = {bytes(16): SimpleNamespace(link=bytes(32), lsn=0, last_lsn=0, chain=[])}
    for row in filter(is_guarded, (raw[at:at + 512] for at in range(0, len(raw) - 511, 512))):
        said, world, name, kind, lsn, last_lsn, link, parent, size = struct.unpack(
            "<10xH20x16s8x16s3Q16x32s32x16s8xQ304x", row)
        if said == 16:
            must(name not in kept and parent in (bytes(16), next(reversed(kept)))
                 and kept[parent].lsn < lsn <= last_lsn
                 and kind == (2 if any(parent) else 1), f"MANIFEST: checkpoint {lsn}")
            head = struct.pack("<8sHHI16s16s16s32sQ", b"PDCHKPNT", 1, kind, 160, world, name,
                               parent, kept[parent].link, lsn)
            kept[name] = one = SimpleNamespace(
                id=name, lsn=lsn, last_lsn=last_lsn, link=link, bytes=size, head=head, at=0)
            one.chain = [*kept[parent].chain, one]
        elif said == 17:
            gone = any(name) and kept.pop(name, None)
            must(gone and all(gone not in one.chain for one in kept.values()),
                 "MANIFEST: a checkpoint retired out of turn")
    return kept

def replay(record, tables, schemas, as_of):
    """Adds a record's differences, but to the pages that show it already."""
    lsn, _, _, _, _, flags, events, _, _, changes, _ = record.fields("<QIHHIHHQQII")
    record.take(16 * flags)
    for _ in range(events):
        record.take(record.fields("<HHI")[2] - 8)
    for table, first, mask, number, before in (record.fields("<HHIQQ") for _ in range(changes)):
        words = [(first + i, *record.fields("<Q")) for i in range(32) if mask >> i & 1]
        if lsn > as_of.get(page_of(table, number, schemas), 0):
            row = tables[table][number]
            must(row[0] in (before, lsn), f"record {lsn}: row {number} of {table} is of {row[0]}")
            for word, difference in words:
                row[word] = row[word] + difference & MASK
            row[0] = lsn
    must(len(record.raw) - record.at < 16 and not any(record.raw[record.at:]), f"record {lsn}: end")

def read_tables(directory, named):
    """The tables at the end of the journal, from a checkpoint on."""
    manifest, tables = directory / "MANIFEST", defaultdict(lambda: defaultdict(lambda: [0] * 512))
    segments, kept = read_manifest(manifest)[1], read_promises(manifest.read_bytes())
    newest = [one for one in kept.values() if named in (None, one.lsn)][-1:]
    must(newest, f"MANIFEST: no checkpoint {named}")
    schemas, as_of = {}, {}
    for one in newest[0].chain:
        path = directory / "checkpoints" / f"{one.lsn:020}.pcp"
        try:
            schemas, as_of = read_checkpoint(path.read_bytes(), one, tables)
        except (Damage, struct.error) as damage:
            raise Damage(f"{path}, from byte {one.at} on: {damage}") from damage
    blocks, lsn = [], segments[0]["lsn"] - 1
    must(lsn <= newest[0].lsn, "the journal begins too late for the checkpoint")
    read_world(directory, SimpleNamespace(write=blocks.append))
    for record in (record for block in blocks for record in loose_records(block)):
        lsn, _, _, state = struct.unpack("<QIHH", record[:16])
        if lsn > newest[0].lsn and state == 3:
            replay(Cursor(record), tables, schemas, as_of)
    must(lsn >= newest[0].last_lsn, f"the journal ends with {lsn}, before the checkpoint")
    return tables

if __name__ == "__main__":
    try:
        tables = read_tables(Path(sys.argv[1]), int(sys.argv[3]) if "--lsn" in sys.argv else None)
        schemas = {number: Schema(struct.pack("<512Q", *row))
                   for number, row in tables[1].items() if row[1] >> 32}
        print("state_hash {}\nimage_hash {}".format(*hashes(tables, schemas)))
    except (Damage, OSError, struct.error) as damage:
        print(f"damage: {damage}", file=sys.stderr)
        sys.exit(3)

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

DERIVED, TRANSIENT, HEAP, POOLED = 1, 2, 4, 8  # flags of a table
BALANCED, BLOB = 3, 6  # flags of a field; a type of one

class Schema:
    def __init__(self, row):  # of table 1
        self.name, version, self.row_bytes, self.flags, count, self.key_at, self.heap = (
            struct.unpack("<16x32s5I8xI", row[:80]))
        self.fields = list(struct.iter_unpack("<24s4H8x", row[80:80 + 40 * min(count, 18)]))
        self.layout, unnamed, end = [(0, 8, True), (8, 8, True)], [], 16
        for _, _, at, size, _ in [*self.fields, (b"", 0, self.row_bytes, 0, 0)]:
            must(end <= at, f"schema {self.name}: the fields' places")
            unnamed += [(end, at - end, False)] * (end < at)
            self.layout += [(at, size, False)] if size > 64 else [
                (at + i, min(8, size - i), True) for i in range(0, size, 8)]
            end = at + size
        self.layout += unnamed
        must(24 <= self.row_bytes <= 4096 and self.row_bytes % 8 == self.key_at % 8 == 0
             and count <= 18 and len(row) == 1024 and not any(row[992:]) and all(
                 0 < kind <= 6 and name[0] and not name[-1]
                 for name, kind, *_ in [(self.name, 1), *self.fields]), f"schema {self.name}")
        self.text = self.name.rstrip(b"\0") + struct.pack("<xI", version) + b"".join(
            name.rstrip(b"\0") + struct.pack("<xHH", kind, size)
            for name, kind, _, size, _ in self.fields)

def read_schemas(cursor, count):
    for _ in range(count):
        number, header = cursor.fields("<I16s")
        name = cursor.take(*cursor.fields("<Q")).ljust(32, b"\0")
        *first, key_at, index, overflow, heap, fields = cursor.fields("<7IQ")
        row = header + name + struct.pack("<8I", *first, fields, key_at, index, overflow, heap)
        for _ in range(fields):
            row += cursor.take(*cursor.fields("<Q")).ljust(24, b"\0") + cursor.take(10) + bytes(6)
        row = row.ljust(800, b"\0")
        indexes = [cursor.take(*cursor.fields("<Q")) for _ in range(*cursor.fields("<Q"))]
        must(cursor.fields("<Q") == (len(indexes),) and header[12] == 1 and all(
            1 <= len(one) <= 6 and max(one) < fields for one in indexes), f"schema {number}")
        for one in indexes:
            row += cursor.take(4) + struct.pack("<H6s4x", len(one), one)
        yield number, row.ljust(1024, b"\0")

def read_rows(cursor, count, schema):
    def parts(size, in_column, stride=(count + 15) // 16 * 16):
        raw = in_column and cursor.take(8 * stride)
        return [raw[i::stride][:size] if in_column else cursor.take(size) for i in range(count)]
    numbers = [int.from_bytes(word, "little") for word in parts(8, True)]
    by_place = sorted((at, parts(size, in_column)) for at, size, in_column in schema.layout)
    return zip(numbers, map(b"".join, zip(*(column for _, column in by_place))))

def read_section(raw, lsn, tables, schemas, as_of):
    """Takes over what it says; answers how many rows of tables it has, and their bytes."""
    magic, kind, zero, table, count, first, last, shown, size, stored, payload_crc, _ = (
        struct.unpack("<8sHHI4Q4I", raw[:64]))
    must(magic == b"PDCKSECT" and is_guarded(raw[:64]) and zero == 0 and stored == len(raw) - 64
         and count <= size <= 1 << 26 and crc32c(raw[64:]) == payload_crc and lsn <= shown
         and kind == (2 if as_of else 1) and first <= last < 1 << 48, "header or payload")
    cursor = Cursor(unpack_frame(raw[64:], size))
    must(cursor.fields("<BQ") == (1, count), "archive")
    if kind == 1:
        rows, pages, row_bytes = dict(read_schemas(cursor, count)), {1}, 0
        schemas.update((number, Schema(row)) for number, row in rows.items())
        must(not any((table, first, last)) and rows.keys() <= set(range(2, 240)), "schemas")
    else:
        must(table in schemas and not schemas[table].flags & DERIVED, f"table {table}")
        rows, row_bytes = dict(read_rows(cursor, count, schemas[table])), schemas[table].row_bytes
        must(rows and (first, last) == (min(rows), max(rows)), "first_row, last_row")
        pages = {(table, number // (4096 // row_bytes)) for number in rows}
    must(cursor.at == len(cursor.raw) and len(rows) == count and list(rows) == sorted(rows)
         and pages.isdisjoint(as_of), "rows")
    as_of.update(dict.fromkeys(pages, shown))
    for number, row in rows.items():
        row_lsn, _, live = struct.unpack("<QII", row[:16])
        must(1 <= row_lsn <= shown and live <= 1 and (live or not any(row[16:])), f"row {number}")
        tables[table or 1][number] = bytearray(row.ljust(4096, b"\0"))
    return count * (kind == 2), count * row_bytes

def tree_root(level):
    while len(level) > 1:
        pairs = [level[i:i + 2] for i in range(0, len(level), 2)]
        level = [blake(b"".join(pair)) if len(pair) == 2 else pair[0] for pair in pairs]
    return level[0]

def read_checkpoint(raw, promise, tables):
    """Puts its rows in their place; answers the schemas, and the LSN that each page shows."""
    schemas, as_of, sums, head, tail = {}, {}, [0, 0], raw[:160], raw[-160:]
    must(len(raw) == promise.bytes and is_guarded(head) and not any(head[136:156])
         and head[:96] + head[112:120] == promise.head, "header")
    must(tail[:32] == struct.pack("<8sHHI16s", b"PDCHKEND", 1, 0, 160, promise.id) and is_guarded(
        tail) and blake(tail) == promise.link and not any(tail[104:152]), "footer")
    index_at, count, *promised = struct.unpack("<5Q", tail[32:72])
    index = raw[index_at:-160]
    must(count and len(index) == 40 * count and is_guarded(index + tail[152:156]), "index")
    places = [*struct.iter_unpack("<Q32s", index), (index_at, b"")]
    must(tree_root([blake(head)] + [found for _, found in places[:-1]]) == tail[72:104]
         and places[0][0] == 160, "hash tree")
    for (promise.at, found), (end, _) in zip(places, places[1:]):
        must(blake(raw[promise.at:end]) == found, "hash of the section")
        more = read_section(raw[promise.at:end], promise.lsn, tables, schemas, as_of)
        sums = [sum(one) for one in zip(sums, more)]
    must(promised == [*sums, promise.last_lsn] == [*sums, max(as_of.values())], "footer's sums")
    return schemas, as_of

def read_promises(raw):
    """The checkpoints published and not retired by identifier, the last one last; zero: none."""
    kept = {bytes(16): SimpleNamespace(link=bytes(32), lsn=0, last_lsn=0, parent=None)}
    for row in filter(is_guarded, (raw[at:at + 512] for at in range(0, len(raw) - 511, 512))):
        name, parent = row[56:72], row[176:192]
        kind, lsn, last_lsn = struct.unpack("<3Q", row[72:96])
        if row[10] == 16:
            must(name not in kept and parent in kept and kept[parent].lsn < lsn <= last_lsn
                 and kind == (2 if any(parent) else 1), f"MANIFEST: checkpoint {lsn}")
            head = struct.pack("<8sHHI16s16s16s32sQ", b"PDCHKPNT", 1, kind, 160, row[32:48], name,
                               parent, kept[parent].link, lsn)
            kept[name] = SimpleNamespace(
                id=name, parent=parent, lsn=lsn, last_lsn=last_lsn, link=row[112:144], head=head,
                bytes=int.from_bytes(row[200:208], "little"), at=0)
        elif row[10] == 17:
            must(kept.pop(name, None) and name not in [one.parent for one in kept.values()],
                 "MANIFEST: a checkpoint retired out of turn")
    return kept

def replay(record, tables, schemas, as_of):
    """Adds a record's differences, but to the pages that show it already."""
    lsn, _, _, _, _, flags, events, _, _, changes, _ = record.fields("<QIHHIHHQQII")
    record.take(16 * flags)
    for _ in range(events):
        record.take(record.fields("<HHI")[2] - 8)
    changed = set()
    for table, first, mask, number, before in (record.fields("<HHIQQ") for _ in range(changes)):
        words = [(first + i, *record.fields("<Q")) for i in range(32) if mask >> i & 1]
        page = number // (4096 // schemas[table].row_bytes) if table in schemas else 0
        if lsn <= as_of.get(1 if table == 1 else (table, page), 0):
            continue
        row = tables[table].setdefault(number, bytearray(4096))
        after = list(struct.unpack("<512Q", row))
        must(after[0] == (lsn if (table, number) in changed else before),
             f"record {lsn}: table {table}, row {number} is of LSN {after[0]}, not {before}")
        for word, difference in words:
            after[word] = after[word] + difference & MASK
        row[:] = struct.pack("<512Q", lsn, *after[1:])
        changed.add((table, number))
    must(len(record.raw) - record.at < 16 and not any(record.raw[record.at:]), f"record {lsn}: end")

def content_of(ref, heap):
    chunk, size = struct.unpack("<QQ", ref)
    value = b""
    while chunk and len(value) < size:
        must(heap[chunk - 1][12] == 1, f"chunk {chunk - 1} is not live")
        value += heap[chunk - 1][24:1024]
        chunk = int.from_bytes(heap[chunk - 1][16:24], "little")
    must(chunk == 0 and 0 <= len(value) - size < 1000 and not any(value[size:]), "length of a blob")
    return struct.pack("<Q", size) + blake(value[:size])

def meanings(schema, rows, heap):
    """What state_hash hears of live rows."""
    sets, pooled = defaultdict(list), schema.flags & POOLED
    for row in rows:
        sets[b"".join(content_of(row[at:at + size], heap) if kind == BLOB else row[at:at + size]
                      for _, kind, at, size, flags in schema.fields
                      if not pooled or not flags & BALANCED and at != schema.key_at)].append(row)
    for text, alike in sorted(sets.items()):
        yield text if pooled else text * len(alike)
        for at in [at for _, _, at, _, flags in schema.fields if pooled and flags & BALANCED]:
            words = [int.from_bytes(row[at:at + 8], "little") for row in alike]
            yield struct.pack("<Q", sum(words) & MASK)

def hashes(tables):
    """state_hash and image_hash."""
    state = image = b""
    schemas = {number: Schema(row[:1024]) for number, row in tables[1].items() if row[12]}
    must(tables.keys() <= {1, *schemas}, "rows of a table without a schema")
    for number, schema in sorted(schemas.items(), key=lambda one: one[1].name):
        if not schema.flags & DERIVED:
            rows = [(one, row[:schema.row_bytes]) for one, row in sorted(tables[number].items())]
            said = b"".join(struct.pack("<Q", one) + (row if row[12] else row[:16])
                            for one, row in rows)
            image += schema.text + blake(said).hex().encode() + b"\0"
            if not schema.flags & (TRANSIENT | HEAP):
                live = [row for _, row in rows if row[12]]
                said = b"".join(meanings(schema, live, tables[schema.heap]))
                state += schema.text + blake(said).hex().encode() + b"\0"
    return blake(state).hex(), blake(image).hex()

def read_tables(directory, named):
    manifest, tables, schemas, as_of = directory / "MANIFEST", defaultdict(dict), {}, {}
    segments, kept = read_manifest(manifest)[1], read_promises(manifest.read_bytes())
    chain = [one for one in kept.values() if named in (None, one.lsn)][-1:]
    must(chain, f"MANIFEST: no checkpoint {named}")
    while chain[0].parent:
        chain.insert(0, kept[chain[0].parent])
    for one in chain[1:]:
        path = directory / "checkpoints" / f"{one.lsn:020}.pcp"
        try:
            schemas, as_of = read_checkpoint(path.read_bytes(), one, tables)
        except (Damage, struct.error) as damage:
            raise Damage(f"{path}, from byte {one.at} on: {damage}") from damage
    blocks, newest, lsn = [], chain[-1], segments[0]["lsn"] - 1
    must(lsn <= newest.lsn, "the journal begins too late for the checkpoint")
    read_world(directory, SimpleNamespace(write=blocks.append))
    for record in (record for block in blocks for record in loose_records(block)):
        lsn, _, _, state = struct.unpack("<QIHH", record[:16])
        if lsn > newest.lsn and state == 3:
            replay(Cursor(record), tables, schemas, as_of)
    must(lsn >= newest.last_lsn, f"the journal ends with {lsn}, before the checkpoint")
    return tables

if __name__ == "__main__":
    try:
        tables = read_tables(Path(sys.argv[1]), int(sys.argv[3]) if "--lsn" in sys.argv else None)
        print("state_hash {}\nimage_hash {}".format(*hashes(tables)))
    except (Damage, OSError) as damage:
        print(f"damage: {damage}", file=sys.stderr)
        sys.exit(3)

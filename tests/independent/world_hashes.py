# SPDX-License-Identifier: Apache-2.0
"""The two hashes of a world, written from docs/formats/hashes.md alone."""
import struct
from collections import defaultdict

from journal_reader import MASK, blake, must

DERIVED, TRANSIENT, HEAP, POOLED = 1, 2, 4, 8  # flags of a table
BALANCED, BLOB = 3, 6  # flags of a field; a type of one

def content_of(ref, heap):
    chunk, size = struct.unpack("<QQ", ref)
    value = b""
    while chunk and len(value) < size:
        row = heap.get(chunk - 1, bytes(1024))
        must(row[12] == 1, f"chunk {chunk - 1} is not live")
        chunk, value = int.from_bytes(row[16:24], "little"), value + row[24:1024]
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

def hashes(tables, schemas):
    """state_hash and image_hash of tables of rows of 512 words."""
    must(tables.keys() <= {1, *schemas}, "rows of a table without a schema")
    tables = {table: {number: struct.pack("<512Q", *row) for number, row in sorted(rows.items())}
              for table, rows in tables.items()}
    state = image = b""
    for number, schema in sorted(schemas.items(), key=lambda one: one[1].name):
        rows, heap = tables.get(number, {}), tables.get(schema.heap, {})
        if not schema.flags & DERIVED:
            whole = (struct.pack("<Q", one) + row[:schema.row_bytes if row[12] else 16]
                     for one, row in rows.items())
            image += schema.text + blake(b"".join(whole)).hex().encode() + b"\0"
        if not schema.flags & (DERIVED | TRANSIENT | HEAP):
            said = meanings(schema, [row for row in rows.values() if row[12]], heap)
            state += schema.text + blake(b"".join(said)).hex().encode() + b"\0"
    return blake(state).hex(), blake(image).hex()

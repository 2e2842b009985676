// SPDX-License-Identifier: Apache-2.0
//
// The tables of docs/formats and the structs of the code say the same: each row of a table headed
// "## name, N bytes" is compared with offset and size of the field of that name, both ways.
#include <boost/test/unit_test.hpp>

#include <perdure/io/checkpoint_format.hpp>
#include <perdure/io/manifest_format.hpp>
#include <perdure/io/packed_format.hpp>
#include <perdure/io/shuffle_format.hpp>
#include <perdure/shm/blob.hpp>
#include <perdure/shm/schema_format.hpp>
#include <perdure/tests/format_tables.hpp>

namespace {

using perdure::tests::check;
using perdure::tests::tables_of;

}  // namespace

BOOST_AUTO_TEST_SUITE(io_format)

BOOST_AUTO_TEST_CASE(the_record_is_as_documented) {
    using namespace perdure::shm;
    const auto tables = tables_of("record.md");
    BOOST_TEST(tables.size() == 5U);
    using header = record_header;
    check(tables, "record_header",
          {sizeof(header),
           {FIELD(header, lsn), FIELD(header, bytes), FIELD(header, participant),
            FIELD(header, state)}});
    using front = transaction_header;
    check(tables, "transaction_header",
          {sizeof(front),
           {FIELD(front, crc), FIELD(front, flags), FIELD(front, events), FIELD(front, wall_ns),
            FIELD(front, world_time), FIELD(front, changes), FIELD(front, incarnation)}});
    check(tables, "transaction_key",
          {sizeof(transaction_key), {FIELD(transaction_key, high), FIELD(transaction_key, low)}});
    check(tables, "event_header",
          {sizeof(event_header),
           {FIELD(event_header, type), FIELD(event_header, version), FIELD(event_header, bytes)}});
    using change = change_header;
    check(tables, "change_header",
          {sizeof(change),
           {FIELD(change, table), FIELD(change, first_word), FIELD(change, mask),
            FIELD(change, row), FIELD(change, lsn_before)}});
}

BOOST_AUTO_TEST_CASE(the_manifest_is_as_documented) {
    using row = perdure::io::manifest_record;
    const auto tables = tables_of("manifest.md");
    BOOST_TEST(tables.size() == 1U);
    check(tables, "manifest_record",
          {sizeof(row), {FIELD(row, magic),         FIELD(row, format),
                         FIELD(row, kind),          FIELD(row, record_bytes),
                         FIELD(row, seq),           FIELD(row, written_ns),
                         FIELD(row, world),         FIELD(row, incarnation),
                         FIELD(row, segment),       FIELD(row, generation),
                         FIELD(row, first_lsn),     FIELD(row, last_lsn),
                         FIELD(row, first_seq),     FIELD(row, last_seq),
                         FIELD(row, hash),          FIELD(row, previous_hash),
                         FIELD(row, parent),        FIELD(row, cut_ns),
                         FIELD(row, file_bytes),    FIELD(row, reserved),
                         FIELD(row, reserved_back), FIELD(row, crc)}});
}

BOOST_AUTO_TEST_CASE(segments_and_blocks_are_as_documented) {
    using namespace perdure::io;
    const auto tables = tables_of("journal.md");
    BOOST_TEST(tables.size() == 7U);
    using segment = segment_header;
    check(tables, "segment_header",
          {sizeof(segment),
           {FIELD(segment, magic), FIELD(segment, format), FIELD(segment, reserved),
            FIELD(segment, header_bytes), FIELD(segment, world), FIELD(segment, segment),
            FIELD(segment, generation), FIELD(segment, first_lsn), FIELD(segment, first_seq),
            FIELD(segment, segment_bytes), FIELD(segment, created_ns),
            FIELD(segment, previous_hash), FIELD(segment, reserved_back), FIELD(segment, crc)}});
    using block = block_header;
    check(tables, "block_header",
          {sizeof(block),
           {FIELD(block, magic),        FIELD(block, format),        FIELD(block, codec),
            FIELD(block, header_bytes), FIELD(block, world),         FIELD(block, segment),
            FIELD(block, generation),   FIELD(block, seq),           FIELD(block, synced_seq),
            FIELD(block, first_lsn),    FIELD(block, last_lsn),      FIELD(block, wall_ns_first),
            FIELD(block, wall_ns_last), FIELD(block, epoch),         FIELD(block, raw_bytes),
            FIELD(block, stored_bytes), FIELD(block, previous_hash), FIELD(block, reserved),
            FIELD(block, payload_crc),  FIELD(block, reserved_back), FIELD(block, crc)}});
    using packed = packed_header;
    check(tables, "packed_header",
          {sizeof(packed),
           {FIELD(packed, magic), FIELD(packed, format), FIELD(packed, reserved),
            FIELD(packed, header_bytes), FIELD(packed, segment_bytes), FIELD(packed, used_bytes),
            FIELD(packed, frame_bytes), FIELD(packed, frames), FIELD(packed, reserved_back),
            FIELD(packed, index_crc), FIELD(packed, crc)}});
    using frame = packed_frame;
    check(tables, "packed_frame", {sizeof(frame), {FIELD(frame, stored_bytes), FIELD(frame, crc)}});
}

BOOST_AUTO_TEST_CASE(the_payload_of_codec_2_is_as_documented) {
    using namespace perdure::io;
    const auto tables = tables_of("journal.md");
    using front = shuffle_header;
    check(tables, "shuffle_header",
          {sizeof(front),
           {FIELD(front, records), FIELD(front, loose_bytes), FIELD(front, groups),
            FIELD(front, order), FIELD(front, loose), FIELD(front, reserved)}});
    using group = group_header;
    check(tables, "group_header",
          {sizeof(group),
           {FIELD(group, record_bytes), FIELD(group, records), FIELD(group, checksum),
            FIELD(group, reserved)}});
    using column = column_header;
    check(tables, "column_header",
          {sizeof(column),
           {FIELD(column, method), FIELD(column, source), FIELD(column, raw_planes),
            FIELD(column, packed_planes), FIELD(column, reserved), FIELD(column, constant),
            FIELD(column, seed)}});
}

BOOST_AUTO_TEST_CASE(checkpoints_are_as_documented) {
    using namespace perdure::io;
    const auto tables = tables_of("checkpoint.md");
    BOOST_TEST(tables.size() == 4U);
    using header = checkpoint_header;
    check(tables, "checkpoint_header",
          {sizeof(header),
           {FIELD(header, magic), FIELD(header, format), FIELD(header, kind),
            FIELD(header, header_bytes), FIELD(header, world), FIELD(header, id),
            FIELD(header, parent), FIELD(header, parent_link), FIELD(header, incarnation),
            FIELD(header, epoch), FIELD(header, lsn), FIELD(header, world_time),
            FIELD(header, wall_ns), FIELD(header, reserved), FIELD(header, crc)}});
    using section = section_header;
    check(tables, "section_header",
          {sizeof(section),
           {FIELD(section, magic), FIELD(section, kind), FIELD(section, reserved),
            FIELD(section, table), FIELD(section, rows), FIELD(section, first_row),
            FIELD(section, last_row), FIELD(section, as_of), FIELD(section, raw_bytes),
            FIELD(section, stored_bytes), FIELD(section, payload_crc), FIELD(section, crc)}});
    check(tables, "index_entry",
          {sizeof(index_entry), {FIELD(index_entry, at), FIELD(index_entry, hash)}});
    using footer = checkpoint_footer;
    check(tables, "checkpoint_footer",
          {sizeof(footer),
           {FIELD(footer, magic), FIELD(footer, format), FIELD(footer, reserved),
            FIELD(footer, footer_bytes), FIELD(footer, id), FIELD(footer, index_at),
            FIELD(footer, sections), FIELD(footer, rows), FIELD(footer, row_bytes),
            FIELD(footer, last_lsn), FIELD(footer, root), FIELD(footer, reserved_back),
            FIELD(footer, index_crc), FIELD(footer, crc)}});
}

BOOST_AUTO_TEST_CASE(the_region_is_as_documented) {
    using namespace perdure::shm;
    const auto tables = tables_of("region.md");
    BOOST_TEST(tables.size() == 22U);
    using header = region_header;
    check(tables, "region_header",
          {sizeof(header),
           {FIELD(header, magic), FIELD(header, reserved_front), FIELD(header, geometry),
            FIELD(header, reserved_geometry), FIELD(header, committed_bytes), FIELD(header, gate),
            FIELD(header, producer), FIELD(header, head), FIELD(header, durable),
            FIELD(header, keeper), FIELD(header, counters), FIELD(header, page_next),
            FIELD(header, world_time), FIELD(header, capture), FIELD(header, capture_cursor),
            FIELD(header, shadow_next), FIELD(header, captures), FIELD(header, checkpoint),
            FIELD(header, reserved_back)}});
    using geometry = region_geometry;
    check(tables, "region_geometry",
          {sizeof(geometry), {FIELD(geometry, format),      FIELD(geometry, header_bytes),
                              FIELD(geometry, layout),      FIELD(geometry, world),
                              FIELD(geometry, boot),        FIELD(geometry, generation),
                              FIELD(geometry, incarnation), FIELD(geometry, capacity_bytes),
                              FIELD(geometry, slot_bytes),  FIELD(geometry, undo_bytes),
                              FIELD(geometry, ring_bytes),  FIELD(geometry, slots_at),
                              FIELD(geometry, stripes_at),  FIELD(geometry, ring_at),
                              FIELD(geometry, tables_at),   FIELD(geometry, pages_at),
                              FIELD(geometry, dirty_at),    FIELD(geometry, capture_at),
                              FIELD(geometry, shadow_at),   FIELD(geometry, shadow_pages_max),
                              FIELD(geometry, slot_count),  FIELD(geometry, crc)}});
    using slot = slot_control;
    check(tables, "slot_control",
          {sizeof(slot),
           {FIELD(slot, life), FIELD(slot, active), FIELD(slot, claim), FIELD(slot, undo_used),
            FIELD(slot, held), FIELD(slot, pid), FIELD(slot, thread), FIELD(slot, joined_ns),
            FIELD(slot, commits), FIELD(slot, bell), FIELD(slot, fresh), FIELD(slot, reserved)}});
    check(tables, "fresh_rows",
          {sizeof(fresh_rows), {FIELD(fresh_rows, next), FIELD(fresh_rows, end)}});
    check(tables, "undo_entry",
          {sizeof(undo_entry),
           {FIELD(undo_entry, at), FIELD(undo_entry, bytes), FIELD(undo_entry, check)}});
    using ring = ring_producer;
    check(tables, "ring_producer",
          {sizeof(ring), {FIELD(ring, lock), FIELD(ring, tail), FIELD(ring, reserved)}});
    using durable = durable_mark;
    check(tables, "durable_mark",
          {sizeof(durable),
           {FIELD(durable, lsn), FIELD(durable, sleepers), FIELD(durable, failed),
            FIELD(durable, failed_errno), FIELD(durable, refusing), FIELD(durable, room),
            FIELD(durable, free_bytes), FIELD(durable, rotten), FIELD(durable, reserved)}});
    using keeper = keeper_mark;
    check(tables, "keeper_mark",
          {sizeof(keeper),
           {FIELD(keeper, epoch), FIELD(keeper, slot), FIELD(keeper, bell), FIELD(keeper, sleeping),
            FIELD(keeper, pid), FIELD(keeper, reserved)}});
    using counters = region_counters;
    check(tables, "region_counters",
          {sizeof(counters),
           {FIELD(counters, repairs), FIELD(counters, repairs_undone),
            FIELD(counters, gate_waits_ns_max), FIELD(counters, garbled),
            FIELD(counters, last_error), FIELD(counters, reserved)}});
}

BOOST_AUTO_TEST_CASE(what_captures_keep_is_as_documented) {
    using namespace perdure::shm;
    const auto tables = tables_of("region.md");
    using capture = capture_mark;
    check(tables, "capture_mark",
          {sizeof(capture),
           {FIELD(capture, state), FIELD(capture, end), FIELD(capture, shadow_pages),
            FIELD(capture, reserved)}});
    using counters = capture_counters;
    check(tables, "capture_counters",
          {sizeof(counters),
           {FIELD(counters, captures), FIELD(counters, aborts), FIELD(counters, shadows_last),
            FIELD(counters, shadows_max), FIELD(counters, cut_ns_last), FIELD(counters, cut_ns_max),
            FIELD(counters, slices), FIELD(counters, reserved)}});
    using mark = checkpoint_mark;
    check(tables, "checkpoint_mark",
          {sizeof(mark),
           {FIELD(mark, asked), FIELD(mark, asked_full), FIELD(mark, served), FIELD(mark, refused),
            FIELD(mark, lsn), FIELD(mark, wall_ns), FIELD(mark, next_ns), FIELD(mark, write_ns)}});
}

BOOST_AUTO_TEST_CASE(tables_and_indexes_are_as_documented) {
    using namespace perdure::shm;
    const auto tables = tables_of("region.md");
    using table = table_descriptor;
    check(tables, "table_descriptor",
          {sizeof(table),
           {FIELD(table, state), FIELD(table, row_bytes), FIELD(table, row_high),
            FIELD(table, root_page), FIELD(table, flags), FIELD(table, rows_per_page),
            FIELD(table, index), FIELD(table, free_head), FIELD(table, overflow),
            FIELD(table, key_at), FIELD(table, page_magic), FIELD(table, reserved)}});
    check(tables, "row_header",
          {sizeof(row_header),
           {FIELD(row_header, lsn), FIELD(row_header, generation), FIELD(row_header, live)}});
    check(
        tables, "bucket",
        {sizeof(bucket), {FIELD(bucket, level), FIELD(bucket, overflow), FIELD(bucket, entries)}});
    check(tables, "tree_node",
          {sizeof(tree_node),
           {FIELD(tree_node, state), FIELD(tree_node, level), FIELD(tree_node, count),
            FIELD(tree_node, right), FIELD(tree_node, free_link), FIELD(tree_node, words)}});
    check(tables, "blob_ref", {sizeof(blob_ref), {FIELD(blob_ref, first), FIELD(blob_ref, bytes)}});
    using chunk = blob_chunk;
    check(tables, "blob_chunk",
          {sizeof(chunk), {FIELD(chunk, header), FIELD(chunk, next), FIELD(chunk, payload)}});
    using staged = staged_row;
    check(tables, "staged_row",
          {sizeof(staged),
           {FIELD(staged, header), FIELD(staged, heap), FIELD(staged, state), FIELD(staged, first),
            FIELD(staged, chunks), FIELD(staged, slot), FIELD(staged, thread),
            FIELD(staged, joined_ns)}});
    using schema = schema_row;
    check(
        tables, "schema_row",
        {sizeof(schema),
         {FIELD(schema, header), FIELD(schema, name), FIELD(schema, version),
          FIELD(schema, row_bytes), FIELD(schema, flags), FIELD(schema, field_count),
          FIELD(schema, key_at), FIELD(schema, index), FIELD(schema, overflow), FIELD(schema, heap),
          FIELD(schema, fields), FIELD(schema, indexes), FIELD(schema, reserved_back)}});
    using column = schema_field;
    check(tables, "schema_field",
          {sizeof(column),
           {FIELD(column, name), FIELD(column, type), FIELD(column, offset), FIELD(column, bytes),
            FIELD(column, flags), FIELD(column, group_offset), FIELD(column, reserved)}});
    using order = schema_index;
    check(tables, "schema_index",
          {sizeof(order),
           {FIELD(order, nodes), FIELD(order, field_count), FIELD(order, fields),
            FIELD(order, reserved)}});
}

BOOST_AUTO_TEST_SUITE_END()

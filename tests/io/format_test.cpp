// SPDX-License-Identifier: Apache-2.0
//
// The tables of docs/formats and the structs of the code say the same: each row of a table headed
// "## name, N bytes" is compared with offset and size of the field of that name, both ways.
#define BOOST_TEST_MODULE io_format
#include <boost/test/unit_test.hpp>

#include <perdure/io/manifest_format.hpp>
#include <perdure/io/shuffle_format.hpp>
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
    check(
        tables, "manifest_record",
        {sizeof(row),
         {FIELD(row, magic), FIELD(row, format), FIELD(row, kind), FIELD(row, record_bytes),
          FIELD(row, seq), FIELD(row, written_ns), FIELD(row, world), FIELD(row, incarnation),
          FIELD(row, segment), FIELD(row, generation), FIELD(row, first_lsn), FIELD(row, last_lsn),
          FIELD(row, first_seq), FIELD(row, last_seq), FIELD(row, hash), FIELD(row, previous_hash),
          FIELD(row, reserved), FIELD(row, reserved_back), FIELD(row, crc)}});
}

BOOST_AUTO_TEST_CASE(segments_and_blocks_are_as_documented) {
    using namespace perdure::io;
    const auto tables = tables_of("journal.md");
    BOOST_TEST(tables.size() == 5U);
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

BOOST_AUTO_TEST_SUITE_END()

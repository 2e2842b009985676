// SPDX-License-Identifier: Apache-2.0
//
// docs/formats/tables.md, events.md and projections.md say what the structs of core say: every
// described field at its place, and nothing else but headers and reserved bytes, without a gap.
#define BOOST_TEST_MODULE core_format
#include <boost/test/unit_test.hpp>
#include <perdure/core/cursor_format.hpp>
#include <perdure/core/document_format.hpp>
#include <perdure/core/event_type_format.hpp>
#include <perdure/core/import_log.hpp>
#include <perdure/core/ledger_format.hpp>
#include <perdure/shm/described.hpp>
#include <perdure/tests/format_tables.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;
using pages = std::map<std::string, layout>;

template <class Struct>
void check_described(const pages& tables, const std::string& name) {
    BOOST_TEST_CONTEXT(name) {
        const auto found = tables.find(name);
        BOOST_REQUIRE(found != tables.end());
        auto fields = found->second.fields;
        BOOST_TEST(found->second.bytes == sizeof(Struct));
        std::map<std::size_t, std::size_t> places;
        for (const auto& [field_name, place] : fields) places[place.offset] = place.size;
        std::size_t end = 0;
        for (const auto& [offset, size] : places) {
            BOOST_TEST(offset == end);
            end = offset + size;
        }
        BOOST_TEST(end == sizeof(Struct));
        for (const auto& each : shm::fields_of<Struct>()) {
            const auto row = fields.find(each.name);
            BOOST_REQUIRE_MESSAGE(row != fields.end(), each.name);
            BOOST_TEST(row->second.offset == each.offset, each.name);
            BOOST_TEST(row->second.size == each.bytes, each.name);
            fields.erase(row);
        }
        fields.erase("header");
        fields.erase("reserved");
        for (const auto& [field_name, place] : fields) BOOST_ERROR(field_name);
    }
}

BOOST_AUTO_TEST_CASE(the_rows_are_as_documented) {
    const auto tables = tables_of("tables.md");
    BOOST_TEST(tables.size() == 12U);
    check_described<asset_row>(tables, "asset_row");
    check_described<account_row>(tables, "account_row");
    check_described<balance_row>(tables, "balance_row");
    check_described<shard_row>(tables, "shard_row");
    check_described<faucet_row>(tables, "faucet_row");
    check_described<hold_row>(tables, "hold_row");
    check_described<item_row>(tables, "item_row");
    check_described<key_row>(tables, "key_row");
    using entry = import_entry;
    check(
        tables, "import_entry",
        {sizeof(entry),
         {FIELD(entry, header), FIELD(entry, key), FIELD(entry, key_rest), FIELD(entry, state),
          FIELD(entry, scale), FIELD(entry, begun_ns), FIELD(entry, last_line), FIELD(entry, lines),
          FIELD(entry, applied), FIELD(entry, refused), FIELD(entry, malformed),
          FIELD(entry, left_out), FIELD(entry, asset), FIELD(entry, file), FIELD(entry, columns)}});
    using refused = refused_line;
    check(tables, "refused_line",
          {sizeof(refused),
           {FIELD(refused, header), FIELD(refused, key), FIELD(refused, line),
            FIELD(refused, reason)}});
    using document = document_row;
    check(tables, "document_row",
          {sizeof(document),
           {FIELD(document, header), FIELD(document, key), FIELD(document, collection_hash),
            FIELD(document, collection), FIELD(document, name_front), FIELD(document, name_back),
            FIELD(document, state), FIELD(document, version), FIELD(document, oldest),
            FIELD(document, bytes), FIELD(document, bytes_max), FIELD(document, versions_max),
            FIELD(document, kind)}});
    using version = document_version_row;
    check(tables, "document_version_row",
          {sizeof(version),
           {FIELD(version, header), FIELD(version, key), FIELD(version, document),
            FIELD(version, version), FIELD(version, from_state), FIELD(version, to_state),
            FIELD(version, actor), FIELD(version, reason), FIELD(version, reserved),
            FIELD(version, value)}});
}

BOOST_AUTO_TEST_CASE(the_events_are_as_documented) {
    const auto tables = tables_of("events.md");
    BOOST_TEST(tables.size() == 17U);
    check_described<asset_created_v1>(tables, "asset_created_v1");
    check_described<asset_created_v2>(tables, "asset_created_v2");
    check_described<account_opened_v1>(tables, "account_opened_v1");
    check_described<transferred_v1>(tables, "transferred_v1");
    check_described<transferred_v2>(tables, "transferred_v2");
    check_described<supply_moved_v1>(tables, "supply_moved_v1");
    check_described<supply_moved_v2>(tables, "supply_moved_v2");
    check_described<hold_moved_v1>(tables, "hold_moved_v1");
    check_described<posted_v1>(tables, "posted_v1");
    check_described<faucet_set_v1>(tables, "faucet_set_v1");
    check_described<item_moved_v1>(tables, "item_moved_v1");
    check_described<freeze_set_v1>(tables, "freeze_set_v1");
    check_described<shards_set_v1>(tables, "shards_set_v1");
    check_described<document_created_v1>(tables, "document_created_v1");
    check_described<document_put_v1>(tables, "document_put_v1");
    check_described<document_erased_v1>(tables, "document_erased_v1");
    check_described<document_limited_v1>(tables, "document_limited_v1");
}

BOOST_AUTO_TEST_CASE(declarations_and_cursors_are_as_documented) {
    const auto tables = tables_of("projections.md");
    using row = event_type_row;
    check(
        tables, "event_type_row",
        {sizeof(row),
         {FIELD(row, header), FIELD(row, key), FIELD(row, name), FIELD(row, type),
          FIELD(row, version), FIELD(row, bytes), FIELD(row, field_count), FIELD(row, effect_count),
          FIELD(row, reserved), FIELD(row, fields), FIELD(row, effects)}});
    using field = stored_event_field;
    check(tables, "stored_event_field",
          {sizeof(field),
           {FIELD(field, name), FIELD(field, type), FIELD(field, offset), FIELD(field, bytes),
            FIELD(field, unit)}});
    using effect = stored_effect;
    check(tables, "stored_effect",
          {sizeof(effect),
           {FIELD(effect, table), FIELD(effect, column), FIELD(effect, kind), FIELD(effect, field),
            FIELD(effect, key_parts), FIELD(effect, reserved), FIELD(effect, key)}});
    using part = stored_key_part;
    check(tables, "stored_key_part", {sizeof(part), {FIELD(part, field), FIELD(part, at)}});
    using cursor = cursor_row;
    check(tables, "cursor_row",
          {sizeof(cursor),
           {FIELD(cursor, header), FIELD(cursor, key), FIELD(cursor, name), FIELD(cursor, lsn),
            FIELD(cursor, target), FIELD(cursor, applied), FIELD(cursor, state),
            FIELD(cursor, reserved)}});
}

}  // namespace

// SPDX-License-Identifier: Apache-2.0
//
// docs/formats/tables.md, events.md and projections.md say what the structs of core say: every
// described field at its place, and nothing else but headers and reserved bytes, without a gap.
#include <boost/test/unit_test.hpp>
#include <perdure/core/clock_format.hpp>
#include <perdure/core/cursor_format.hpp>
#include <perdure/core/document_event_format.hpp>
#include <perdure/core/document_format.hpp>
#include <perdure/core/event_type_format.hpp>
#include <perdure/core/import_log.hpp>
#include <perdure/core/ledger_format.hpp>
#include <perdure/core/stake_event_format.hpp>
#include <perdure/core/world_event_format.hpp>
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
    BOOST_TEST(tables.size() == 15U);
    check_described<asset_row>(tables, "asset_row");
    check_described<account_row>(tables, "account_row");
    check_described<balance_row>(tables, "balance_row");
    check_described<shard_row>(tables, "shard_row");
    check_described<faucet_row>(tables, "faucet_row");
    check_described<hold_row>(tables, "hold_row");
    check_described<item_row>(tables, "item_row");
    check_described<key_row>(tables, "key_row");
    check_described<import_entry>(tables, "import_entry");
    check_described<refused_line>(tables, "refused_line");
    check_described<document_row>(tables, "document_row");
    check_described<document_version_row>(tables, "document_version_row");
    check_described<clock_row>(tables, "clock_row");
    check_described<programme_row>(tables, "programme_row");
    check_described<stake_row>(tables, "stake_row");
}

BOOST_AUTO_TEST_CASE(the_events_are_as_documented) {
    const auto tables = tables_of("events.md");
    BOOST_TEST(tables.size() == 26U);
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
    check_described<programme_opened_v1>(tables, "programme_opened_v1");
    check_described<programme_set_v1>(tables, "programme_set_v1");
    check_described<programme_closed_v1>(tables, "programme_closed_v1");
    check_described<staked_v1>(tables, "staked_v1");
    check_described<unstaked_v1>(tables, "unstaked_v1");
    check_described<yield_paid_v1>(tables, "yield_paid_v1");
    check_described<yield_refused_v1>(tables, "yield_refused_v1");
    check_described<world_recovered_v1>(tables, "world_recovered_v1");
    check_described<clock_ticked_v1>(tables, "clock_ticked_v1");
}

BOOST_AUTO_TEST_CASE(declarations_and_cursors_are_as_documented) {
    const auto tables = tables_of("projections.md");
    check_described<event_type_row>(tables, "event_type_row");
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
    check_described<cursor_row>(tables, "cursor_row");
}

}  // namespace

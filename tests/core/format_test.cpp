// SPDX-License-Identifier: Apache-2.0
//
// The tables of docs/formats/events.md and the structs of core say the same, both ways.
#define BOOST_TEST_MODULE core_format
#include <boost/test/unit_test.hpp>

#include <perdure/core/cursor_format.hpp>
#include <perdure/core/event_type_format.hpp>
#include <perdure/tests/format_tables.hpp>

BOOST_AUTO_TEST_SUITE(core_format)

BOOST_AUTO_TEST_CASE(declarations_and_cursors_are_as_documented) {
    using namespace perdure;
    const auto tables = tests::tables_of("events.md");
    using row = event_type_row;
    tests::check(
        tables, "event_type_row",
        {sizeof(row),
         {FIELD(row, header), FIELD(row, key), FIELD(row, name), FIELD(row, type),
          FIELD(row, version), FIELD(row, bytes), FIELD(row, field_count), FIELD(row, effect_count),
          FIELD(row, reserved), FIELD(row, fields), FIELD(row, effects)}});
    using field = stored_event_field;
    tests::check(tables, "stored_event_field",
                 {sizeof(field),
                  {FIELD(field, name), FIELD(field, type), FIELD(field, offset),
                   FIELD(field, bytes), FIELD(field, unit)}});
    using effect = stored_effect;
    tests::check(
        tables, "stored_effect",
        {sizeof(effect),
         {FIELD(effect, table), FIELD(effect, column), FIELD(effect, kind), FIELD(effect, field),
          FIELD(effect, key_parts), FIELD(effect, reserved), FIELD(effect, key)}});
    using part = stored_key_part;
    tests::check(tables, "stored_key_part", {sizeof(part), {FIELD(part, field), FIELD(part, at)}});
    using cursor = cursor_row;
    tests::check(tables, "cursor_row",
                 {sizeof(cursor),
                  {FIELD(cursor, header), FIELD(cursor, key), FIELD(cursor, name),
                   FIELD(cursor, lsn), FIELD(cursor, target), FIELD(cursor, applied),
                   FIELD(cursor, state), FIELD(cursor, reserved)}});
}

BOOST_AUTO_TEST_SUITE_END()

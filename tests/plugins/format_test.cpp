// SPDX-License-Identifier: Apache-2.0
//
// docs/formats/plugins.md says what the structs of plugins/host say, field by field.
#include <boost/test/unit_test.hpp>
#include <perdure/plugins/host/channel_format.hpp>
#include <perdure/plugins/host/registry_format.hpp>
#include <perdure/tests/format_tables.hpp>

namespace {

using namespace perdure::plugins;
using perdure::tests::check;
using perdure::tests::tables_of;

BOOST_AUTO_TEST_CASE(the_rows_and_the_event_are_as_documented) {
    const auto tables = tables_of("plugins.md");
    check(tables, "plugin_row",
          {sizeof(plugin_row),
           {FIELD(plugin_row, header), FIELD(plugin_row, key), FIELD(plugin_row, id),
            FIELD(plugin_row, version), FIELD(plugin_row, file), FIELD(plugin_row, state),
            FIELD(plugin_row, host), FIELD(plugin_row, cause), FIELD(plugin_row, state_version),
            FIELD(plugin_row, generation), FIELD(plugin_row, window), FIELD(plugin_row, from_ns),
            FIELD(plugin_row, to_ns), FIELD(plugin_row, done), FIELD(plugin_row, cursor),
            FIELD(plugin_row, crashes), FIELD(plugin_row, config), FIELD(plugin_row, granted)}});
    check(tables, "allowance_row",
          {sizeof(allowance_row),
           {FIELD(allowance_row, header), FIELD(allowance_row, key), FIELD(allowance_row, window),
            FIELD(allowance_row, minted), FIELD(allowance_row, asset),
            FIELD(allowance_row, reserved)}});
    check(tables, "plugin_state_row",
          {sizeof(plugin_state_row),
           {FIELD(plugin_state_row, header), FIELD(plugin_state_row, key),
            FIELD(plugin_state_row, plugin), FIELD(plugin_state_row, name),
            FIELD(plugin_state_row, name_bytes), FIELD(plugin_state_row, reserved),
            FIELD(plugin_state_row, value)}});
    check(tables, "upgrade_row",
          {sizeof(upgrade_row),
           {FIELD(upgrade_row, header), FIELD(upgrade_row, key), FIELD(upgrade_row, new_version),
            FIELD(upgrade_row, new_file), FIELD(upgrade_row, old_version),
            FIELD(upgrade_row, old_file), FIELD(upgrade_row, stage),
            FIELD(upgrade_row, old_state_version), FIELD(upgrade_row, windows_left),
            FIELD(upgrade_row, compared), FIELD(upgrade_row, differing), FIELD(upgrade_row, by),
            FIELD(upgrade_row, new_granted), FIELD(upgrade_row, old_granted),
            FIELD(upgrade_row, report)}});
    check(tables, "plugin_stepped_v1",
          {sizeof(plugin_stepped_v1),
           {FIELD(plugin_stepped_v1, plugin), FIELD(plugin_stepped_v1, id),
            FIELD(plugin_stepped_v1, version), FIELD(plugin_stepped_v1, file),
            FIELD(plugin_stepped_v1, generation), FIELD(plugin_stepped_v1, window),
            FIELD(plugin_stepped_v1, number), FIELD(plugin_stepped_v1, step),
            FIELD(plugin_stepped_v1, cause), FIELD(plugin_stepped_v1, by)}});
}

BOOST_AUTO_TEST_CASE(the_batches_and_the_channel_are_as_documented) {
    const auto tables = tables_of("plugins.md");
    check(
        tables, "batch_header",
        {sizeof(batch_header),
         {FIELD(batch_header, magic), FIELD(batch_header, bytes), FIELD(batch_header, crc),
          FIELD(batch_header, world), FIELD(batch_header, plugin), FIELD(batch_header, generation),
          FIELD(batch_header, window), FIELD(batch_header, position), FIELD(batch_header, commands),
          FIELD(batch_header, states)}});
    check(tables, "batch_command",
          {sizeof(batch_command),
           {FIELD(batch_command, kind), FIELD(batch_command, asset), FIELD(batch_command, source),
            FIELD(batch_command, target), FIELD(batch_command, object),
            FIELD(batch_command, amount), FIELD(batch_command, reference),
            FIELD(batch_command, until), FIELD(batch_command, reason),
            FIELD(batch_command, event_type), FIELD(batch_command, event_version),
            FIELD(batch_command, payload_bytes), FIELD(batch_command, reserved)}});
    check(tables, "batch_state",
          {sizeof(batch_state), {FIELD(batch_state, key_bytes), FIELD(batch_state, value_bytes)}});
    check(tables, "ring_marks",
          {sizeof(ring_marks),
           {FIELD(ring_marks, tail), FIELD(ring_marks, writer_place), FIELD(ring_marks, apart_tail),
            FIELD(ring_marks, head), FIELD(ring_marks, reader_place), FIELD(ring_marks, apart_head),
            FIELD(ring_marks, reader_sleeps), FIELD(ring_marks, writer_sleeps),
            FIELD(ring_marks, apart_sleeps)}});
    check(tables, "channel_header",
          {sizeof(channel_header),
           {FIELD(channel_header, magic), FIELD(channel_header, bytes),
            FIELD(channel_header, denied), FIELD(channel_header, denied_call),
            FIELD(channel_header, apart), FIELD(channel_header, down), FIELD(channel_header, up)}});
    check(tables, "message_header",
          {sizeof(message_header),
           {FIELD(message_header, bytes), FIELD(message_header, kind),
            FIELD(message_header, number)}});
    check(tables, "setup_message",
          {sizeof(setup_message),
           {FIELD(setup_message, world), FIELD(setup_message, boot), FIELD(setup_message, plugin),
            FIELD(setup_message, memory_bytes), FIELD(setup_message, read_bytes)}});
    check(tables, "ready_message",
          {sizeof(ready_message),
           {FIELD(ready_message, abi_major), FIELD(ready_message, abi_minor),
            FIELD(ready_message, has)}});
    check(tables, "answer_message",
          {sizeof(answer_message),
           {FIELD(answer_message, status), FIELD(answer_message, repeated),
            FIELD(answer_message, lsn), FIELD(answer_message, refused)}});
    check(tables, "events_message",
          {sizeof(events_message),
           {FIELD(events_message, first_lsn), FIELD(events_message, last_lsn),
            FIELD(events_message, count), FIELD(events_message, world_ns)}});
    check(
        tables, "told_event",
        {sizeof(told_event),
         {FIELD(told_event, lsn), FIELD(told_event, wall_ns), FIELD(told_event, world_time),
          FIELD(told_event, type), FIELD(told_event, version), FIELD(told_event, payload_bytes)}});
}

}  // namespace

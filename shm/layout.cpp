// SPDX-License-Identifier: Apache-2.0
//
// The layout signature: FNV-1a over name, offset and size of every mapped field.
#include <perdure/shm/region.hpp>
#include <perdure/shm/schema_format.hpp>
#include <string_view>

namespace perdure::shm {
namespace {

struct fold {
    std::uint64_t state = 0xcbf29ce484222325;
    consteval void add(std::uint64_t value) {
        for (int i = 0; i < 8; ++i) {
            state = (state ^ ((value >> (8 * i)) & 0xff)) * 0x100000001b3;
        }
    }
    consteval void add(std::string_view name, std::uint64_t offset, std::uint64_t bytes) {
        for (const char c : name) state = (state ^ static_cast<unsigned char>(c)) * 0x100000001b3;
        add(offset);
        add(bytes);
    }
};

#define FIELD(type, member) f.add(#type "." #member, offsetof(type, member), sizeof(type::member))

consteval void sign_header(fold& f) {
    FIELD(region_header, magic);
    FIELD(region_header, geometry);
    FIELD(region_header, committed_bytes);
    FIELD(region_header, gate);
    FIELD(region_header, producer);
    FIELD(region_header, head);
    FIELD(region_header, durable);
    FIELD(region_header, keeper);
    FIELD(region_header, counters);
    FIELD(region_header, page_next);
    FIELD(region_header, world_time);
    FIELD(region_header, capture);
    FIELD(region_header, capture_cursor);
    FIELD(region_header, shadow_next);
    FIELD(region_header, captures);
    FIELD(region_header, checkpoint);
    FIELD(capture_mark, state);
    FIELD(capture_mark, end);
    FIELD(capture_mark, shadow_pages);
    FIELD(checkpoint_mark, asked);
    FIELD(checkpoint_mark, served);
    FIELD(checkpoint_mark, lsn);
    FIELD(region_geometry, slots_at);
    FIELD(region_geometry, dirty_at);
    FIELD(region_geometry, shadow_at);
    FIELD(region_geometry, slot_count);
}

consteval std::uint64_t sign() {
    fold f;
    f.add(region_format_version);
    f.add(held_max);
    f.add(stripe_count);
    f.add(table_count);
    f.add(extent_pages);
    sign_header(f);
    FIELD(slot_control, life);
    FIELD(slot_control, active);
    FIELD(slot_control, claim);
    FIELD(slot_control, undo_used);
    FIELD(slot_control, held);
    FIELD(slot_control, fresh);
    FIELD(undo_entry, at);
    FIELD(undo_entry, bytes);
    FIELD(undo_entry, check);
    FIELD(record_header, lsn);
    FIELD(record_header, bytes);
    FIELD(record_header, participant);
    FIELD(record_header, state);
    FIELD(transaction_header, crc);
    FIELD(transaction_header, wall_ns);
    FIELD(transaction_header, changes);
    FIELD(change_header, mask);
    FIELD(change_header, lsn_before);
    FIELD(row_header, lsn);
    FIELD(row_header, generation);
    FIELD(row_header, live);
    FIELD(table_descriptor, row_high);
    FIELD(table_descriptor, root_page);
    FIELD(table_descriptor, free_head);
    FIELD(table_descriptor, page_magic);
    FIELD(bucket, level);
    FIELD(bucket, overflow);
    FIELD(bucket, entries);
    FIELD(tree_node, level);
    FIELD(tree_node, right);
    FIELD(tree_node, words);
    FIELD(blob_chunk, next);
    FIELD(blob_chunk, payload);
    FIELD(blob_ref, bytes);
    FIELD(schema_row, name);
    FIELD(schema_row, indexes);
    FIELD(schema_row, heap);
    FIELD(schema_row, fields);
    FIELD(schema_field, offset);
    return f.state;
}
#undef FIELD

}  // namespace

std::uint64_t layout_signature() noexcept {
    static constexpr std::uint64_t signature = sign();
    return signature;
}

}  // namespace perdure::shm

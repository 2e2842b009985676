// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <perdure/shm/crash_point.hpp>
#include <perdure/shm/table.hpp>

namespace perdure::shm {
namespace {

// Few, so that the buckets that grow with them are split in small portions (perf/tables).
constexpr std::string_view longest_suffix = ".overflow";
constexpr std::chrono::seconds schema_wait{5};

result<std::uint32_t> take_pages(transaction& tx, std::uint32_t count) noexcept {
    auto& where = tx.where();
    const auto at = where.offset_of(&where.header().page_next.value);
    auto* next = reinterpret_cast<std::uint64_t*>(
        PERDURE_TRY(tx.edit_words(at, sizeof(std::uint64_t), descriptor_stripe(0))));
    PERDURE_TRY(where.commit_pages(*next + count));
    const auto first = static_cast<std::uint32_t>(*next);
    *next += count;
    return first;
}

/// The entry of a directory page; entries come in pairs because words have eight bytes.
result<std::uint32_t*> edit_entry(transaction& tx, std::uint32_t table, std::uint32_t page,
                                  std::uint64_t index) noexcept {
    const std::uint64_t at = tx.where().page_at(page) + index / 2 * sizeof(std::uint64_t);
    auto* pair = PERDURE_TRY(tx.edit_words(at, sizeof(std::uint64_t), descriptor_stripe(table)));
    return reinterpret_cast<std::uint32_t*>(pair) + index % 2;
}

result<> add_extent(transaction& tx, std::uint32_t table, std::uint64_t extent) noexcept {
    auto* d = PERDURE_TRY(edit_descriptor(tx, table));
    if (extent >= directory_fan * directory_fan) return errc::region_full;
    if (d->root_page == 0) d->root_page = PERDURE_TRY(take_pages(tx, 1));
    auto* leaf = PERDURE_TRY(edit_entry(tx, table, d->root_page, extent / directory_fan));
    if (*leaf == 0) *leaf = PERDURE_TRY(take_pages(tx, 1));
    auto* first = PERDURE_TRY(edit_entry(tx, table, *leaf, extent % directory_fan));
    if (*first == 0) *first = PERDURE_TRY(take_pages(tx, extent_pages));
    return {};
}

/// Rows of a range that nobody asked for by number. Long rows come in shorter ones, so that the
/// memory that a participant holds unused is bounded: half an undo area a table.
std::uint64_t rows_at_once(const region& where, const table_descriptor& descriptor) noexcept {
    constexpr std::uint64_t most = 64;
    const std::uint64_t undo_of_row = sizeof(undo_entry) + descriptor.row_bytes + 8;
    return std::clamp<std::uint64_t>(where.geometry().undo_bytes / 2 / undo_of_row, 1, most);
}

result<fresh_rows*> edit_fresh(transaction& tx, std::uint32_t table) noexcept {
    const auto at = tx.where().offset_of(&tx.self().control().fresh[table]);
    return reinterpret_cast<fresh_rows*>(
        PERDURE_TRY(tx.edit_words(at, sizeof(fresh_rows), transaction::no_stripe)));
}

/// A row that nothing leads to: a derived table's lies under the descriptor's stripe till it is
/// used.
result<freed_row*> edit_unused(transaction& tx, std::uint32_t table, std::uint64_t row) noexcept {
    const auto* shape = PERDURE_TRY(tx.shape(table));
    if ((shape->flags & derived) == 0) return tx.edit<freed_row>(table, row);
    const std::uint64_t at = tx.locate(table, row);
    if (at == 0) return errc::garbled;
    return reinterpret_cast<freed_row*>(
        PERDURE_TRY(tx.edit_words(at, shape->row_bytes, descriptor_stripe(table))));
}

result<> link_unused(transaction& tx, std::uint32_t table, table_descriptor& descriptor,
                     std::uint64_t row) noexcept {
    auto* unused = PERDURE_TRY(edit_unused(tx, table, row));
    unused->free_link = descriptor.free_head;
    descriptor.free_head = row + 1;
    return {};
}

/// Unlinks the newest freed row. Requires: the free list is not empty.
result<taken_row> take_freed(transaction& tx, std::uint32_t table,
                             table_descriptor& descriptor) noexcept {
    const std::uint64_t row = descriptor.free_head - 1;
    auto* copy = PERDURE_TRY(tx.edit(table, row));
    auto* freed = reinterpret_cast<freed_row*>(copy);
    if (freed->header.live != 0) return errc::garbled;
    descriptor.free_head = freed->free_link;
    freed->free_link = 0;
    freed->header.live = 1;
    return taken_row{row, copy};
}

bool names_equal(const schema_row& row, std::string_view name) noexcept {
    return row.header.live == 1 && name.size() < schema_name_bytes &&
           name == std::string_view(row.name.data(), ::strnlen(row.name.data(), row.name.size()));
}

/// A schema shares its stripe with rows of every table, so a writer that was put to sleep may hold
/// it for a while: that is waited for, whoever opens a world would else be refused by chance.
result<> read_schema_row(region& where, std::uint32_t table, schema_row& out) noexcept {
    const std::uint64_t at = locate(where, schemas_table, table);
    if (at == 0) return errc::unknown_table;
    const std::uint32_t stripe = stripe_of(schemas_table, table);
    const auto until = deadline::in(schema_wait).from(where.waits().now_ns());
    for (;;) {
        reads once(where, 0);
        const auto copied = once.copy(at, sizeof out, stripe, &out);
        if (copied || copied.error() != errc::conflict) return copied;
        if (where.waits().now_ns() >= until.at_ns) {
            return where.writable() ? errc::stalled : errc::busy;
        }
        wait_stripe(where, stripe, owner_of(load(where.stripe(stripe))));
    }
}

/// First of `count` neighbouring free table numbers.
result<std::uint32_t> free_number(transaction& tx, std::uint32_t count) noexcept {
    std::uint32_t run = 0;
    for (std::uint32_t i = first_user_table; i < table_count; ++i) {
        const auto row = PERDURE_TRY(tx.get<schema_row>(schemas_table, i));
        run = row.header.live == 1 ? 0 : run + 1;
        if (run == count) return i + 1 - count;
    }
    return errc::too_many_tables;
}

/// The tables that belong to a table; 0 = none.
struct table_numbers {
    std::uint32_t index = 0;
    std::uint32_t overflow = 0;
    std::uint32_t nodes = 0;  ///< Of the first ordered index; the others' follow.
    std::uint32_t heap = 0;
};

result<> lay_table(transaction& tx, std::uint32_t table, const schema& wanted,
                   table_numbers linked) noexcept {
    auto* row = PERDURE_TRY(tx.edit<schema_row>(schemas_table, table));
    const row_header header{row->header.lsn, row->header.generation, 1};
    *row = to_row(wanted);
    row->header = header;
    row->index = linked.index;
    row->overflow = linked.overflow;
    row->heap = linked.heap;
    for (std::uint32_t i = 0; i < wanted.indexes.size(); ++i) {
        row->indexes[i].nodes = linked.nodes + i;
    }
    auto* d = PERDURE_TRY(edit_descriptor(tx, table));
    lay_descriptor(*d, wanted.row_bytes, wanted.flags, wanted.key_at);
    d->index = linked.index;
    d->overflow = linked.overflow;
    return {};
}

schema derived_schema(std::string name, std::uint32_t row_bytes) {
    schema made;
    made.name = std::move(name);
    made.row_bytes = row_bytes;
    made.flags = derived;
    return made;
}

schema heap_schema(std::string name) {
    schema made;
    made.name = std::move(name);
    made.row_bytes = sizeof(blob_chunk);
    made.flags = heap;
    made.fields = {
        {"next", field_type::u64, offsetof(blob_chunk, next), 8, 0, 0},
        {"payload", field_type::bytes, offsetof(blob_chunk, payload), blob_chunk_payload, 0, 0}};
    return made;
}

/// A table of nodes or buckets whose row 0 is there from the start: zeros are an empty one.
result<> lay_rooted(transaction& tx, std::uint32_t table, const schema& wanted,
                    table_numbers linked) {
    PERDURE_TRY(lay_table(tx, table, wanted, linked));
    PERDURE_TRY(add_pages(tx, table, 0, 1));
    auto* descriptor = PERDURE_TRY(edit_descriptor(tx, table));
    descriptor->row_high = 1;
    return {};
}

}  // namespace

result<table_descriptor*> edit_descriptor(transaction& tx, std::uint32_t table) noexcept {
    if (table == 0 || table >= table_count) return errc::unknown_table;
    const auto at = tx.where().offset_of(&tx.where().descriptor(table));
    return reinterpret_cast<table_descriptor*>(
        PERDURE_TRY(tx.edit_words(at, sizeof(table_descriptor), descriptor_stripe(table))));
}

result<> add_pages(transaction& tx, std::uint32_t table, std::uint64_t from,
                   std::uint64_t to) noexcept {
    const auto* d = PERDURE_TRY(edit_descriptor(tx, table));
    if (d->rows_per_page == 0) return errc::unknown_table;
    const std::uint64_t first = page_of_row(*d, from) / extent_pages;
    const std::uint64_t last = page_of_row(*d, to - 1) / extent_pages;
    for (std::uint64_t extent = first; extent <= last; ++extent) {
        if (locate(tx.where(), table, extent * extent_pages * d->rows_per_page) != 0) continue;
        PERDURE_TRY(add_extent(tx, table, extent));
    }
    return {};
}

result<> give_rows(transaction& tx, std::uint32_t table, std::uint64_t wanted) noexcept {
    auto* d = PERDURE_TRY(edit_descriptor(tx, table));
    const std::uint64_t count = std::max(wanted, rows_at_once(tx.where(), *d));
    auto* fresh = PERDURE_TRY(edit_fresh(tx, table));
    PERDURE_TRY(add_pages(tx, table, d->row_high, d->row_high + count));
    // One transaction may want more rows than are left of the range: it is made longer, or what is
    // left goes to the free list, where the same transaction finds it.
    if (fresh->end != d->row_high) {
        for (; fresh->next < fresh->end; ++fresh->next) {
            PERDURE_TRY(link_unused(tx, table, *d, fresh->next));
        }
        fresh->next = d->row_high;
    }
    d->row_high += count;
    fresh->end = d->row_high;
    return {};
}

result<std::uint64_t> take_number(transaction& tx, std::uint32_t table) noexcept {
    if (load(tx.where().descriptor(table).free_head) != 0) {
        auto* d = PERDURE_TRY(edit_descriptor(tx, table));
        if (d->free_head != 0) {
            const std::uint64_t row = d->free_head - 1;
            auto* freed = PERDURE_TRY(edit_unused(tx, table, row));
            d->free_head = freed->free_link;
            freed->free_link = 0;
            return row;
        }
    }
    return take_fresh(tx, table);
}

result<std::uint64_t> take_fresh(transaction& tx, std::uint32_t table) noexcept {
    const auto& seen = tx.self().control().fresh[table];
    if (seen.next >= seen.end) return tx.want_rows(table);
    auto* fresh = PERDURE_TRY(edit_fresh(tx, table));
    if (fresh->next >= fresh->end) return tx.want_rows(table);
    return fresh->next++;
}

result<taken_row> take_row(transaction& tx, std::uint32_t table) noexcept {
    PERDURE_TRY(tx.shape(table));
    if (load(tx.where().descriptor(table).free_head) != 0) {
        auto* d = PERDURE_TRY(edit_descriptor(tx, table));
        if (d->free_head != 0) return take_freed(tx, table, *d);
    }
    const auto& stored = tx.self().control().fresh[table];
    auto* pending = tx.edited(tx.where().offset_of(&stored));
    const auto& range = pending != nullptr ? *reinterpret_cast<fresh_rows*>(pending) : stored;
    if (range.next >= range.end) return tx.want_rows(table);
    const std::uint64_t row = range.next;
    // The row first: words of one's own slot may only be stored while something is held.
    auto* copy = PERDURE_TRY(tx.edit(table, row));
    auto* fresh = PERDURE_TRY(edit_fresh(tx, table));
    ++fresh->next;
    auto* header = reinterpret_cast<row_header*>(copy);
    if (header->live != 0) return errc::garbled;
    header->live = 1;
    return taken_row{row, copy};
}

result<> free_row(transaction& tx, std::uint32_t table, std::uint64_t row) noexcept {
    const auto* shape = PERDURE_TRY(tx.shape(table));
    auto* copy = PERDURE_TRY(tx.edit(table, row));
    auto* freed = reinterpret_cast<freed_row*>(copy);
    if (freed->header.live != 1) return errc::not_found;
    for (const auto offset : shape->blobs) {
        blob_ref left;
        std::memcpy(&left, copy + offset, sizeof left);
        if (left.first != 0) return errc::value_left;
    }
    auto* d = PERDURE_TRY(edit_descriptor(tx, table));
    std::fill(copy + sizeof(row_header), copy + shape->row_bytes, std::byte{0});
    freed->header.live = 0;
    if (!planted(bug::generation_kept)) {
        freed->header.generation = (freed->header.generation + 1) & 0xffff;
    }
    freed->free_link = d->free_head;
    d->free_head = row + 1;
    return {};
}

result<std::byte*> edit_row(transaction& tx, std::uint32_t table, row_id id) noexcept {
    auto* copy = PERDURE_TRY(tx.edit(table, id.row()));
    const auto* header = reinterpret_cast<const row_header*>(copy);
    if (header->live != 1 || header->generation != id.generation()) return errc::stale_row;
    return copy;
}

result<std::uint32_t> find_table(region& where, std::string_view name) {
    for (std::uint32_t i = schemas_table; i < table_count; ++i) {
        schema_row row;
        PERDURE_TRY(read_schema_row(where, i, row));
        if (names_equal(row, name)) return i;
    }
    return errc::unknown_table;
}

result<std::uint32_t> find_table(region& where, const schema& wanted) {
    const auto there = PERDURE_TRY(find_table(where, wanted.name));
    if (PERDURE_TRY(read_schema(where, there)) != wanted) return errc::schema_mismatch;
    return there;
}

result<schema> read_schema(region& where, std::uint32_t table) {
    schema_row row;
    PERDURE_TRY(read_schema_row(where, table, row));
    if (row.header.live != 1) return errc::unknown_table;
    return from_row(row);
}

result<table_shape> read_shape(region& where, std::uint32_t table) {
    schema_row row;
    PERDURE_TRY(read_schema_row(where, table, row));
    if (row.header.live != 1) return errc::unknown_table;
    PERDURE_TRY(from_row(row));
    return shape_of(row);
}

result<std::uint32_t> create_table(transaction& tx, const schema& wanted) {
    PERDURE_TRY(wanted.validate());
    for (std::uint32_t i = first_user_table; i < table_count; ++i) {
        const auto row = PERDURE_TRY(tx.get<schema_row>(schemas_table, i));
        if (names_equal(row, wanted.name)) return errc::exists;
    }
    const std::uint32_t hash_tables = wanted.key_at == 0 ? 0 : 2;
    const auto trees = static_cast<std::uint32_t>(wanted.indexes.size());
    const std::uint32_t heaps = wanted.has_blobs() ? 1 : 0;
    const bool is_alone = hash_tables + trees + heaps == 0;
    if (!is_alone && wanted.name.size() + longest_suffix.size() >= schema_name_bytes) {
        return errc::bad_schema;
    }
    const auto table = PERDURE_TRY(free_number(tx, 1 + hash_tables + trees + heaps));
    table_numbers linked;
    if (hash_tables != 0) linked.index = table + 1, linked.overflow = table + 2;
    if (trees != 0) linked.nodes = table + 1 + hash_tables;
    if (heaps != 0) linked.heap = table + 1 + hash_tables + trees;
    table_numbers own = linked;
    own.overflow = 0;  // The bucket table's.
    PERDURE_TRY(lay_table(tx, table, wanted, own));
    if (hash_tables != 0) {
        PERDURE_TRY(lay_rooted(tx, linked.index,
                               derived_schema(wanted.name + ".buckets", sizeof(bucket)),
                               {0, linked.overflow}));
        PERDURE_TRY(lay_table(tx, linked.overflow,
                              derived_schema(wanted.name + ".overflow", sizeof(bucket)), {}));
    }
    for (std::uint32_t i = 0; i < trees; ++i) {
        const auto name = wanted.name + ".order" + std::to_string(i);
        PERDURE_TRY(lay_rooted(tx, linked.nodes + i, derived_schema(name, sizeof(tree_node)), {}));
    }
    if (heaps != 0) {
        PERDURE_TRY(lay_table(tx, linked.heap, heap_schema(wanted.name + ".heap"), {}));
    }
    return table;
}

}  // namespace perdure::shm

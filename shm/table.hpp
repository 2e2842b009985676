// SPDX-License-Identifier: Apache-2.0
//
// Tables: made by any attached program, rows taken and freed inside transactions.
//
// Promise     A row is taken once and freed once; a stale id is noticed by its generation.
// Death       Row numbers given to a participant that dies stay in its slot: the slot's next owner
//             uses them, and others take them when the region is full. None is lost.
// Threads     As transaction.hpp says.
// Invariants  B1 a row number is in a table, in one slot's fresh range, on the free list, or above
//             row_high.  B2 a row that is not live has no logical content but its header.
// Format      region_format.hpp, schema_format.hpp
#pragma once

#include <perdure/shm/transaction.hpp>

namespace perdure::shm {

/// A row's number with the generation it was seen in: 16 and 48 bits.
struct row_id {
    std::uint64_t value = ~0ULL;
    constexpr row_id() = default;
    constexpr row_id(std::uint64_t row, std::uint32_t generation)
        : value(row | static_cast<std::uint64_t>(generation) << 48) {}
    [[nodiscard]] constexpr std::uint64_t row() const noexcept {
        return value & ((1ULL << 48) - 1);
    }
    [[nodiscard]] constexpr std::uint32_t generation() const noexcept {
        return static_cast<std::uint32_t>(value >> 48);
    }
    friend bool operator==(const row_id&, const row_id&) = default;
};

/// A row being written.
struct taken_row {
    std::uint64_t row;
    std::byte* copy;
};

/// Takes a row; its copy is zero but for a live header. Errors: as transaction::edit; conflict with
/// rerun::rows when the participant must be given more first (session.hpp does that).
result<taken_row> take_row(transaction& tx, std::uint32_t table) noexcept;

/// A row number without a header, for derived tables. Errors: as take_row.
result<std::uint64_t> take_number(transaction& tx, std::uint32_t table) noexcept;

/// The same from the participant's own range, never from the free list.
result<std::uint64_t> take_fresh(transaction& tx, std::uint32_t table) noexcept;

/// Frees a row: its id goes stale, its content is gone. Errors: not_found when it is not live,
/// value_left while a blob hangs on it.
result<> free_row(transaction& tx, std::uint32_t table, std::uint64_t row) noexcept;

/// The row behind `id`. Errors: stale_row when it was freed since, as transaction::edit.
result<std::byte*> edit_row(transaction& tx, std::uint32_t table, row_id id) noexcept;

/// Number of the live table of that name. A schema that a writer stands on is waited for, five
/// seconds: these three are not for inside a transaction. Errors: unknown_table, stalled; in a
/// region that may only be read, busy; garbled.
result<std::uint32_t> find_table(region& where, std::string_view name);

/// The same for a table that must look like this. Errors: also schema_mismatch, bad_schema.
result<std::uint32_t> find_table(region& where, const schema& wanted);

/// The schema of a live table. Errors: as find_table, bad_schema.
result<schema> read_schema(region& where, std::uint32_t table);

/// What a transaction would know of it. Errors: as find_table, garbled.
result<table_shape> read_shape(region& where, std::uint32_t table);

/// Inside a transaction: makes the table, and the tables of its indexes and its heap.
/// Errors: bad_schema, exists, too_many_tables, as transaction::edit.
result<std::uint32_t> create_table(transaction& tx, const schema& wanted);

/// Inside a transaction: sees to it that rows [from, to) of the table have pages.
/// Errors: region_full, no_memory, as transaction::edit.
result<> add_pages(transaction& tx, std::uint32_t table, std::uint64_t from,
                   std::uint64_t to) noexcept;

/// Inside a transaction: gives the participant's slot a new range of row numbers, `wanted` or more;
/// what is left of an old one joins it or goes to the free list.
result<> give_rows(transaction& tx, std::uint32_t table, std::uint64_t wanted = 0) noexcept;

/// The descriptor's private copy, under the table's own stripe.
result<table_descriptor*> edit_descriptor(transaction& tx, std::uint32_t table) noexcept;

}  // namespace perdure::shm

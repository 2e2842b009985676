// SPDX-License-Identifier: Apache-2.0
//
// Values of their own length, up to 16 MiB: chains of chunks that hang on the blob fields of rows.
//
// Promise     A value is replaced as a whole or not at all; a reader sees one value or none.
// Death       A long value is written in several transactions, its chain hanging on a staging row
//             meanwhile. A stager's chain is freed when the stager is gone, by whoever sweeps.
// Threads     As transaction.hpp says; get_blob() runs beside writers.
// Invariants  V1 a live chunk stands in one chain, once; a chain hangs on one blob field of a live
//             row, or on one staging row.
//             V2 a value of n bytes has ceil(n / 1000) chunks and zeros behind its end.
//             V3 what hangs on a field changes only in a transaction that edits the field's row: so
//             the row's stripe alone tells a reader whether what it copied was one value.
// Format      schema_format.hpp (blob_ref, blob_chunk), docs/formats/region.md#blobs
#pragma once

#include <perdure/shm/session.hpp>

namespace perdure::shm {

inline constexpr std::uint64_t blob_bytes_max = 16ULL << 20;

constexpr std::uint64_t chunks_of(std::uint64_t bytes) noexcept {
    return (bytes + blob_chunk_payload - 1) / blob_chunk_payload;
}

/// Longest value that blob_heap::put takes: its chunks' images need half of the undo area.
std::uint64_t blob_direct_max(const region& where) noexcept;

/// Table number of the chunks of a table's blobs. Errors: unknown_table, not_found when the table
/// has no blob field, conflict.
result<std::uint32_t> heap_of(region& where, std::uint32_t table) noexcept;

/// Copies a value into `out`, which has ref.bytes. Requires: `ref` was read through `source`, whose
/// notes then cover the chunks (V3); none is noted by itself. Errors: conflict, garbled.
template <row_source Source>
result<> get_blob(Source& source, std::uint32_t heap, const blob_ref& ref,
                  std::span<std::byte> out) noexcept;

enum class staged_state : std::uint32_t {
    staging = 1,  ///< Its stager is writing the chain, or has written it.
    garbage = 2,  ///< A long value that was replaced or erased: freed in bounded steps.
};

/// A row of the table "staged_blobs": what a chain hangs on that hangs on no field.
struct staged_row {
    row_header header;
    std::uint32_t heap;   ///< Table of the chunks.
    std::uint32_t state;  ///< staged_state
    std::uint64_t first;  ///< Row + 1 of the first chunk, 0 = none.
    std::uint64_t chunks;
    // Who stages; a slot's later owners differ in one of the other two.
    std::uint64_t slot;
    std::uint64_t thread;
    std::uint64_t joined_ns;
};
static_assert(mapped<staged_row> && sizeof(staged_row) == 64);

/// A value that is there in full and that no row shows yet.
struct staged_blob {
    row_id id;
    std::uint64_t bytes = 0;
};

class blob_heap {
  public:
    /// Finds the table of staging rows, or makes it. Errors: as create_table.
    static result<blob_heap> open(session& by);
    /// Only finds it. Errors: unknown_table, schema_mismatch.
    static result<blob_heap> find(region& where);

    /// Replaces the value of `field`, a part of the private copy of a row of the heap's table; the
    /// old value's chunks are used again, what is left of them is freed.
    /// Errors: transaction_too_large above blob_direct_max(), as take_row.
    result<> put(transaction& tx, std::uint32_t heap, blob_ref& field,
                 std::span<const std::byte> value) const noexcept;

    /// The field becomes empty: before its row is freed. Errors: as take_row, garbled.
    result<> erase(transaction& tx, std::uint32_t heap, blob_ref& field) const noexcept {
        return put(tx, heap, field, {});
    }

    /// The same in few steps however long the value is: its chunks are left to sweep(). For a
    /// transaction that empties many fields. Errors: as take_row, garbled.
    result<> abandon(transaction& tx, std::uint32_t heap, blob_ref& field) const noexcept;

    /// Writes a value in as many transactions as it needs. What is not adopted is freed when the
    /// session has ended. Errors: value_too_large, as session::write.
    result<staged_blob> stage(session& by, std::uint32_t heap, std::span<const std::byte> value,
                              deadline until = deadline::in(std::chrono::seconds(30))) const;

    /// Replaces the value of `field` by a staged one. Errors: stale_row when it has been adopted or
    /// freed, as take_row.
    result<> adopt(transaction& tx, std::uint32_t heap, const staged_blob& value,
                   blob_ref& field) const noexcept;

    /// Gives up a staged value. Errors: stale_row, as session::write.
    result<> discard(session& by, const staged_blob& value) const;

    /// Frees some chunks of garbage or of a stager that is gone; false when there are none.
    /// Errors: as session::write.
    result<bool> sweep(session& by, deadline until) const;
    /// False when sweep() would find nothing: what a keeper asks before it joins for that.
    [[nodiscard]] bool has_leftovers(region& where) const noexcept;

    [[nodiscard]] std::uint32_t staged() const noexcept { return staged_; }

  private:
    explicit blob_heap(std::uint32_t staged) noexcept : staged_(staged) {}
    result<> drop(transaction& tx, std::uint32_t heap, std::uint64_t first,
                  std::uint64_t count) const noexcept;
    result<> leave(transaction& tx, std::uint32_t heap, std::uint64_t first,
                   std::uint64_t count) const noexcept;
    result<> prepend(transaction& tx, row_id id, std::span<const std::byte> piece) const noexcept;
    result<> free_some(transaction& tx, row_id id) const noexcept;

    std::uint32_t staged_;
};

/// The schema of the table of staging rows.
schema staged_schema();

}  // namespace perdure::shm

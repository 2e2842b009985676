// SPDX-License-Identifier: Apache-2.0
//
// The one door that stores into a region: edit, get, commit, roll back.
//
// Promise     A transaction is visible in whole or not at all, whoever dies where. Its record is in
//             the ring, in LSN order, before its locks are given back.
// Death       Before the record's state says COMMITTED everything is undone by repair, afterwards
//             nothing is. The order of stores in commit.cpp is the model's (docs/model/tx.pml).
// Power loss  A commit survives it once durable_lsn has reached its LSN (io/keeper.hpp).
// Threads     The participant's own thread. Others meet it only through stripes, ring and gate.
// Invariants  T1 a row is stored only under its stripe and after its image is in the undo.
//             T2 no user code runs between claim and COMMITTED.
//             T3 an edited row has one undo entry and one private copy, whatever is asked twice.
#pragma once

#include <cstring>
#include <perdure/shm/capture.hpp>
#include <perdure/shm/extent.hpp>
#include <perdure/shm/gate.hpp>
#include <perdure/shm/participant.hpp>
#include <perdure/shm/reads.hpp>
#include <perdure/shm/ring.hpp>
#include <perdure/shm/schema.hpp>

namespace perdure::shm {

/// What a commit answers. `lsn` 0: nothing was changed, so there is nothing to wait for.
struct receipt {
    std::uint64_t lsn = 0;
    std::uint64_t incarnation = 0;
};

/// Why a transaction must run again, and what has to happen first.
enum class rerun : std::uint8_t {
    none,
    blocked,    ///< Somebody holds a stripe this one needs.
    stale,      ///< Something it read has changed.
    gate,       ///< The gate is closed.
    ring_full,  ///< The drain must free space.
    rows,       ///< The table must be given more rows.
};

class transaction {
  public:
    explicit transaction(participant& self);

    /// A private copy of the row, written back at commit. Valid until commit or roll back; asking
    /// again answers the same copy. Errors: not_found (no such row was handed out), unknown_table,
    /// transaction_too_large, conflict.
    result<std::byte*> edit(std::uint32_t table, std::uint64_t row) noexcept;

    template <mapped Row>
    result<Row*> edit(std::uint32_t table, std::uint64_t row) noexcept {
        return reinterpret_cast<Row*>(PERDURE_TRY(edit(table, row)));
    }

    /// The same for a row whose place the caller has looked up already.
    result<std::byte*> edit_at(std::uint32_t table, std::uint64_t row, std::uint64_t at,
                               const table_shape& shape) noexcept;

    /// The same for derived words of the region that are no journaled row: directory pages,
    /// buckets, descriptors. `stripe` no_stripe: words of the caller's own slot.
    result<std::byte*> edit_words(std::uint64_t at, std::uint32_t bytes,
                                  std::uint32_t stripe) noexcept;
    static constexpr std::uint32_t no_stripe = ~0U;

    /// The private copy of what begins at `at`, nullptr when this transaction has not edited it.
    std::byte* edited(std::uint64_t at) noexcept {
        auto* seen = find(at);
        return seen == nullptr ? nullptr : copy_of(*seen);
    }

    /// A copy of the row as this transaction sees it, validated at commit.
    /// Errors: not_found, unknown_table, conflict.
    result<> get(std::uint32_t table, std::uint64_t row, void* out) noexcept;
    /// The same for derived words.
    result<> get_words(std::uint64_t at, std::uint32_t bytes, std::uint32_t stripe,
                       void* out) noexcept;

    template <mapped Row>
    result<Row> get(std::uint32_t table, std::uint64_t row) noexcept {
        Row copy;
        PERDURE_TRY(get(table, row, &copy));
        return copy;
    }

    /// Brings the ordered indexes up to the rows as they are edited: commit does it, and a scan
    /// before it begins. Errors: conflict, transaction_too_large, region_full, garbled.
    result<> settle() noexcept;

    /// Appends an event to the record. Requires: payload.size() is a multiple of 8, at most 64 KiB.
    void event(std::uint16_t type, std::uint16_t version, std::span<const std::byte> payload);

    /// The record carries this key (core/idempotency keeps them).
    void key(const transaction_key& key) noexcept { key_ = key, keyed_ = true; }

    /// Errors: conflict (see why()), unbalanced, transaction_too_large, garbled. After an error the
    /// transaction has been rolled back.
    result<receipt> commit() noexcept;
    void roll_back() noexcept;

    /// True while everything read is still as it was: what a refusal may be based on.
    [[nodiscard]] bool is_fresh() const noexcept { return reads_.validate(); }
    [[nodiscard]] rerun why() const noexcept { return why_; }
    [[nodiscard]] std::uint32_t wanted_table() const noexcept { return wanted_; }
    [[nodiscard]] std::uint32_t blocked_on() const noexcept { return blocked_on_; }
    /// Marks the transaction as one that must run again after `table` got more rows.
    errc want_rows(std::uint32_t table) noexcept;
    /// Marks it as one that can only be rolled back: a step of several was cut short, and a closure
    /// that goes on regardless must not commit the half of it.
    errc spoil(errc why) noexcept {
        if (spoiled_ == errc{}) spoiled_ = why;
        return why;
    }
    /// Marks it as one that must run again: a row went away between two looks.
    errc lost_row() noexcept { return fail(rerun::stale); }
    /// The reason of the last run is dealt with.
    void forget() noexcept { why_ = rerun::none; }

    [[nodiscard]] region& where() const noexcept { return *where_; }
    /// As shm::locate().
    std::uint64_t locate(std::uint32_t table, std::uint64_t row) noexcept {
        return directory_.locate(table, row);
    }
    [[nodiscard]] participant& self() const noexcept { return *self_; }
    [[nodiscard]] bool is_open() const noexcept { return open_; }
    /// Errors: unknown_table, conflict.
    result<const table_shape*> shape(std::uint32_t table) noexcept;
    /// Waits, holding nothing, for what stopped the last run. Errors: stalled.
    result<> await(deadline until) noexcept;

  private:
    class group_sums;
    static constexpr std::uint32_t whole = ~0U;  ///< Never a row's mask: word 0 is the LSN's.
    /// Where the events begin in record_: headers and key end there, whether there is a key or not.
    static constexpr std::size_t front_bytes =
        sizeof(record_header) + sizeof(transaction_header) + sizeof(transaction_key);

    struct entry {
        std::uint64_t at;
        std::uint64_t row;
        std::uint32_t undo;  ///< Offset of the undo entry, and of the private copy's.
        std::uint32_t bytes;
        std::uint32_t table;  ///< 0 = derived words.
        std::uint32_t mask;   ///< Which words are written back; `whole`: all of them.
        bool changed;         ///< Its difference stands in the record.
    };

    /// A row of a table with ordered indexes.
    struct indexed_row {
        std::uint32_t entry;
        std::size_t settled;  ///< Place in settled_ + 1 of the row as the indexes hold it; 0: as it
                              ///< was before the transaction.
    };

    result<> lock(std::uint32_t stripe) noexcept;
    result<> lock_held_back(std::uint32_t stripe) noexcept;
    result<std::byte*> log(std::uint64_t at, std::uint64_t row, std::uint32_t bytes,
                           std::uint32_t table) noexcept;
    entry* find(std::uint64_t at) noexcept;
    void remember(std::uint32_t index) noexcept;
    [[nodiscard]] std::byte* copy_of(const entry& each) noexcept {
        return copies_.data() + each.undo + sizeof(undo_entry);
    }
    [[nodiscard]] const std::byte* copy_of(const entry& each) const noexcept {
        return copies_.data() + each.undo + sizeof(undo_entry);
    }
    [[nodiscard]] const std::byte* image_of(const entry& each) const noexcept {
        return undo_ + each.undo + sizeof(undo_entry);
    }
    [[nodiscard]] std::span<const std::byte> record() const noexcept {
        const std::size_t from = keyed_ ? 0 : sizeof key_;  // What no key takes is left out.
        return {record_.data() + from, record_used_ - from};
    }
    std::byte* record_front() noexcept { return record_.data() + (keyed_ ? 0 : sizeof key_); }
    result<> build_record() noexcept;
    void append_changes(entry& each, group_sums& sums) noexcept;
    std::uint32_t append_change(const entry& each, const std::uint64_t* before,
                                const std::uint64_t* after, std::uint32_t first) noexcept;
    void sum_up(const entry& each, group_sums& sums) const noexcept;
    void fetch_leaves() noexcept;
    result<> lock_ring() noexcept;
    void write_back() noexcept;
    void store(const entry& each) noexcept;
    void stamp(std::uint64_t lsn) noexcept;
    result<receipt> commit_derived() noexcept;
    result<receipt> commit_journaled() noexcept;
    void close(bool raise_version) noexcept;
    errc fail(rerun why) noexcept;

    participant* self_;
    region* where_;
    slot_control* slot_;
    std::byte* undo_;
    std::uint32_t* list_;  ///< The slot's held list.
    reads reads_;
    directory directory_;
    barrier barrier_;
    std::vector<std::byte> copies_;
    std::vector<entry> entries_;
    std::vector<indexed_row> indexed_;
    std::vector<std::byte> settled_;
    std::vector<std::uint32_t> places_;  ///< Open addressing over entries_, once they are many.
    std::vector<std::byte> record_;      ///< Up to record_used_; see record().
    std::vector<table_shape> shapes_;
    std::size_t record_used_ = front_bytes;
    std::size_t changes_bound_ = 0;  ///< What the changes can take in the record at most.
    std::uint32_t event_count_ = 0;
    std::uint32_t change_count_ = 0;
    std::uint32_t undo_used_ = 0;
    std::uint32_t held_ = 0;
    std::uint32_t blocked_on_ = 0;
    std::uint32_t wanted_ = 0;
    transaction_key key_{};
    rerun why_ = rerun::none;
    errc spoiled_{};
    bool keyed_ = false;
    bool open_ = false;
};

}  // namespace perdure::shm

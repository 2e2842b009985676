// SPDX-License-Identifier: Apache-2.0
//
// Idempotency keys are kept for so many commits, then dropped.
//
// Promise     A key that ledger::once() took with key_life::retained is there for at least `kept`
//             commits after its own, however long or short that is by any clock. One that was
//             pinned stays.
// Death       Keys are dropped in ordinary transactions, in no order.
// Threads     One object, one thread: the keeper's.
// Invariants  D1 what is dropped is decided by LSNs alone; no clock has a say.
#pragma once

#include <optional>
#include <perdure/core/ledger.hpp>

namespace perdure {

class key_retention {
  public:
    key_retention(shm::region& where, const ledger& books, std::uint64_t kept) noexcept
        : where_(&where), keys_(books.numbers().keys), kept_(kept) {}

    /// A bounded piece of work: looks at some thousand rows, drops some dozen keys at most. What
    /// cannot be done now is met again by the next walk over the table.
    void step() noexcept;

  private:
    [[nodiscard]] bool begins_walk() noexcept;
    void drop(std::span<const shm::row_key> keys) noexcept;

    shm::region* where_;
    std::uint32_t keys_;
    std::uint64_t kept_;                // Commits.
    std::optional<shm::session> self_;  // Joined when there is something to drop.
    std::uint64_t oldest_ = 0;          // First LSN whose key stays in this walk.
    std::uint64_t row_ = 0;             // Where the walk is.
    std::uint64_t end_ = 0;
};

}  // namespace perdure

// SPDX-License-Identifier: Apache-2.0
//
// Optimistic reads: copies with the stripe versions they were made under, validated together.
//
// Promise     After validate() says so, everything copied since clear() was true at one moment.
// Death       A stripe whose owner died is repaired by the reader that meets it, if it may write.
// Threads     One object, one thread; beside any number of writers.
// Invariants  A version noted is one that had no foreign owner before and after the copy.
#pragma once

#include <perdure/shm/participant.hpp>
#include <perdure/shm/stripe.hpp>
#include <vector>

namespace perdure::shm {

class reads {
  public:
    /// `self` is the slot number + 1 whose locks count as one's own, 0 for a reader without a slot.
    reads(region& where, std::uint32_t self) : where_(&where), self_(self) { notes_.reserve(64); }

    /// Copies `bytes` (a multiple of 8) from `at`, which lies under `stripe`, and checks that what
    /// was seen before still holds. Errors: conflict (run again), garbled.
    result<> copy(std::uint64_t at, std::uint32_t bytes, std::uint32_t stripe, void* out) noexcept;

    /// Notes that what lies under `stripe` was looked at; its version is the one of `seen`.
    void note(std::uint32_t stripe, std::uint64_t seen) { notes_.push_back({stripe, seen}); }

    [[nodiscard]] bool validate() const noexcept;
    void clear() noexcept { notes_.clear(), tail_ = 0; }
    [[nodiscard]] bool is_empty() const noexcept { return notes_.empty(); }

    /// Waits until `stripe` has no owner but self: spins, then tests the owner's life.
    /// Errors: conflict when it stays owned, garbled when the owner cannot be repaired.
    result<> settle(std::uint32_t stripe) noexcept;

  private:
    struct noted {
        std::uint32_t stripe;
        std::uint64_t seen;
    };

    [[nodiscard]] bool still_holds() noexcept;

    region* where_;
    std::uint32_t self_;
    std::uint64_t tail_ = 0;  ///< Of the ring, when the notes were last looked at.
    std::vector<noted> notes_;
};

}  // namespace perdure::shm

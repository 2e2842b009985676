// SPDX-License-Identifier: Apache-2.0
//
// Lock words that are seqlocks too: {version:47, waiters:1, owner:16}, 64 Ki of them.
//
// Promise     While a word has an owner nothing read under it validates. Every release adds one to
//             the version: commit, roll back and repair.
// Death       The owner's number is in the word, so whoever meets it can ask the owner's life lock.
//             A waker that dies, or a waiter's mark that a release overwrites, costs one wait
//             slice.
// Threads     Any. Taking pairs (acquire) with releasing (release).
// Format      docs/formats/region.md#stripes
#pragma once

#include <perdure/shm/region.hpp>

namespace perdure::shm {

inline constexpr std::uint64_t stripe_owner_mask = 0xffff;
inline constexpr std::uint64_t stripe_waiters = 1ULL << 16;
inline constexpr std::uint64_t stripe_version_one = 1ULL << 17;

/// Slot number + 1, 0 = free.
constexpr std::uint32_t owner_of(std::uint64_t stripe) noexcept {
    return static_cast<std::uint32_t>(stripe & stripe_owner_mask);
}
constexpr std::uint64_t version_of(std::uint64_t stripe) noexcept {
    return stripe / stripe_version_one;
}

/// The stripe a row lies under. Neighbouring rows of one table lie far apart.
constexpr std::uint32_t stripe_of(std::uint32_t table, std::uint64_t row) noexcept {
    const std::uint64_t mixed = (row + table * 0x632be59bd9b4e019ULL) * 0x9e3779b97f4a7c15ULL;
    return static_cast<std::uint32_t>(mixed >> 48);
}
static_assert(stripe_count == 1U << 16);

/// Table 0 has no rows: its stripes belong to the tables' descriptors and directory pages, the
/// first of them to the page counter.
constexpr std::uint32_t descriptor_stripe(std::uint32_t table) noexcept {
    return stripe_of(0, table);
}

/// Takes a free stripe; a full fence. False when it has an owner.
inline bool take_stripe(region& where, std::uint32_t stripe, std::uint32_t owner) noexcept {
    std::uint64_t seen = peek(where.stripe(stripe));
    if (owner_of(seen) != 0) return false;
    return word(where.stripe(stripe))
        .compare_exchange_strong(seen, seen | owner, std::memory_order_seq_cst);
}

/// Gives a stripe back with a new version, if and only if `owner` has it.
void release_stripe(region& where, std::uint32_t stripe, std::uint32_t owner,
                    bool raise_version = true) noexcept;

/// Sleeps one slice while the stripe is owned by `owner`.
void wait_stripe(region& where, std::uint32_t stripe, std::uint32_t owner) noexcept;

}  // namespace perdure::shm

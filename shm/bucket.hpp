// SPDX-License-Identifier: Apache-2.0
//
// What the words of a hash bucket say, and how one is searched.
//
// Promise     A search reads each entry once and follows none of them.
// Threads     Any, beside writers: an entry is one word.
// Invariants  K1 an empty entry has no tag, whatever hash is asked for.
// Format      region_format.hpp (bucket), docs/formats/region.md#buckets
#pragma once

#include <bit>
#include <perdure/shm/region_format.hpp>
#include <perdure/shm/word.hpp>

namespace perdure::shm {

inline constexpr std::uint64_t row_mask = (1ULL << 48) - 1;

constexpr std::uint64_t tag_of(std::uint64_t hash) noexcept { return hash & ~row_mask; }
constexpr std::uint64_t entry_of(std::uint64_t hash, std::uint64_t row) noexcept {
    return tag_of(hash) | (row + 1);
}
constexpr std::uint64_t row_in(std::uint64_t entry) noexcept { return (entry & row_mask) - 1; }
/// False for an empty entry.
constexpr bool has_tag(std::uint64_t entry, std::uint64_t hash) noexcept {
    return (entry ^ hash) <= row_mask && entry != 0;
}

/// Bucket of a hash while there are `count` of them.
constexpr std::uint64_t bucket_of(std::uint64_t hash, std::uint64_t count) noexcept {
    const auto bits = std::bit_width(count - 1);
    std::uint64_t number = hash & ((1ULL << bits) - 1);
    if (number >= count) number &= (1ULL << (bits - 1)) - 1;
    return number;
}

inline bool is_responsible(const bucket& seen, std::uint64_t number, std::uint64_t hash) noexcept {
    return seen.level < 48 && (hash & ((1ULL << seen.level) - 1)) == number;
}

/// First row in the bucket whose tag fits and that `is_it`, ~0 when there is none.
template <class IsIt>
std::uint64_t match(const bucket& in, std::uint64_t hash, IsIt is_it) noexcept {
    for (const auto& entry : in.entries) {
        const std::uint64_t seen = peek(entry);
        if (has_tag(seen, hash) && is_it(row_in(seen))) return row_in(seen);
    }
    return ~0ULL;
}

/// The first of them, for whoever looks at the key later. Without a branch an entry: where in a
/// bucket a key stands, no processor guesses.
inline std::uint64_t first_with_tag(const bucket& in, std::uint64_t hash) noexcept {
    std::uint32_t hits = 0;
#pragma GCC unroll 7
    for (std::size_t i = 0; i < in.entries.size(); ++i) {
        hits |= static_cast<std::uint32_t>((peek(in.entries[i]) ^ hash) <= row_mask) << i;
    }
    for (; hits != 0; hits &= hits - 1) {
        const std::uint64_t seen =
            peek(in.entries[static_cast<std::size_t>(std::countr_zero(hits))]);
        if (has_tag(seen, hash)) return row_in(seen);
    }
    return ~0ULL;
}

}  // namespace perdure::shm

// SPDX-License-Identifier: Apache-2.0
//
// The oracle: what must be true of a region in which nobody is at work, whoever died in it.
#pragma once

#include <map>
#include <perdure/tests/shm/bank.hpp>

namespace perdure::tests {

/// The journaled rows of a region: {table, row} -> words, trailing zeros cut off; of a row that is
/// not live the header only. Rows never taken are absent.
using row_place = std::pair<std::uint32_t, std::uint64_t>;
using row_image = std::map<row_place, std::vector<std::uint64_t>>;
row_image image_of(shm::region& where);

/// Applies a record to an image, forwards. Answers a fault in words, "" when there is none.
std::string replay(row_image& on, std::span<const std::byte> record);

/// Says where two images differ, "" when they do not.
std::string difference(const row_image& expected, const row_image& found);

struct ring_walk {
    std::vector<record_bytes> records;
    std::string fault;
};
/// Every record from `position` to the tail: dense LSNs, final states, checksums. Moves nothing.
ring_walk walk_ring(shm::region& where, std::uint64_t position);

/// Everything that holds whatever happened, each fault in words: slots clean (P1), no stripe, ring
/// lock or gate taken, the ring whole (R1, R2), every page and row number in one place (B1), the
/// index exact (H1, H2), balances per group zero (I8), every chunk in one chain (V1, V2).
std::vector<std::string> audit(shm::region& where);

/// A checksum over all physical state but LSNs, versions and the ring: two equal ones mean the same
/// rows at the same places, the same free lists, buckets and fresh ranges.
std::uint64_t digest_of(shm::region& where);

}  // namespace perdure::tests

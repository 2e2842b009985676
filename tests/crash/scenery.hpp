// SPDX-License-Identifier: Apache-2.0
//
// The states that primitives begin in: full buckets, full rings, the dead of others.
#pragma once

#include <perdure/tests/crash/primitives.hpp>

namespace perdure::tests {

inline constexpr std::uint64_t crowd_size = 7;  ///< Entries of a bucket.

/// Numbers of accounts that all fall into one bucket.
std::uint64_t crowd_account(std::uint64_t which);

void crowd_bucket(shm::session& first, const bank& in);
void free_some(shm::session& first, const bank& in);
void use_up_accounts(shm::session& first, const bank& in);
void use_up_wide(shm::session& first, const bank& in);
void want_split(shm::session& first, const bank& in);
void want_chain_split(shm::session& first, const bank& in);
void fill_region(shm::session& first, const bank& in);
void wrap_body(shm::session& first, const bank& in);
void wrap_header(shm::session& first, const bank& in);
void wrap_exactly(shm::session& first, const bank& in);
void fill_ring(shm::session& first, const bank& in);
void leave_dead_closer(shm::session& first, const bank& in);
void leave_dead_ring_holder(shm::session& first, const bank& in);
void leave_dead_transfer(shm::session& first, const bank& in);

/// Papers with texts of 2500 bytes in papers 0 to 2, and the rows that further chunks need.
void shelve_papers(shm::session& first, const bank& in);
/// The same, and a staged text of 5500 bytes in staging row 0.
void stage_paper(shm::session& first, const bank& in);
/// The same with a long text replaced by a short one: garbage in staging row 0.
void leave_garbage(shm::session& first, const bank& in);

/// Brings the tail to `offset` within the ring, which is drained on the way.
void turn_ring_to(shm::session& self, std::uint64_t offset);

}  // namespace perdure::tests

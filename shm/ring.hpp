// SPDX-License-Identifier: Apache-2.0
//
// The journal ring: records of many producers in claim order, drained by one consumer.
//
// Promise     A record is seen whole or not at all; LSNs are dense and in ring order.
// Death       A producer killed between claim and publish leaves CLAIMED; repair of its slot makes
//             that PADDING. The head never passes CLAIMED, so no verdict is overwritten.
// Power loss  Nothing here survives it; the journal does.
// Threads     claim and publish: participants. move_head: the keeper only. Reading: anybody.
// Invariants  R1 head <= tail, and tail - head + 16 <= ring bytes: the header behind the tail is
//             whole.
//             R2 the header at the tail holds the next LSN.  R3 COMMITTED and PADDING never change.
// Format      record_format.hpp, docs/formats/region.md#ring
#pragma once

#include <perdure/shm/region.hpp>
#include <vector>

namespace perdure::shm {

/// A place in the ring that a transaction has claimed.
struct ring_claim {
    std::uint64_t position;
    std::uint64_t lsn;
};

inline record_header& ring_header(const region& where, std::uint64_t position) noexcept {
    const auto& g = where.geometry();
    return *where.at<record_header>(g.ring_at + (position & (g.ring_bytes - 1)));
}

/// The word of a header that holds length, participant and state: one store changes the state.
inline std::uint64_t& state_word(record_header& header) noexcept {
    return reinterpret_cast<std::uint64_t*>(&header)[1];
}
constexpr std::uint64_t pack_state(std::uint32_t bytes, std::uint32_t participant,
                                   record_state state) noexcept {
    return bytes | static_cast<std::uint64_t>(participant) << 32 |
           static_cast<std::uint64_t>(state) << 48;
}
constexpr record_state state_in(std::uint64_t packed) noexcept {
    return static_cast<record_state>(packed >> 48);
}
constexpr std::uint32_t participant_in(std::uint64_t packed) noexcept {
    return static_cast<std::uint32_t>(packed >> 32) & 0xffff;
}
constexpr std::uint32_t bytes_in(std::uint64_t packed) noexcept {
    return static_cast<std::uint32_t>(packed);
}

/// Bytes a record may have at most: two of them must fit beside a header.
inline std::uint64_t record_bytes_max(const region& where) noexcept {
    return where.geometry().ring_bytes / 4;
}

/// LSN of the next record to be claimed.
std::uint64_t next_lsn(const region& where) noexcept;

/// Claims `bytes` for slot `slot`. Requires: the ring lock is held by the slot.
/// Errors: stalled when the ring is full; garbled when the header at the tail is not what it must
/// be.
result<ring_claim> claim(region& where, std::uint32_t slot, std::uint32_t bytes) noexcept;

/// Copies the record's bytes behind its header; then, last of all, the state (the commit point).
void publish(region& where, std::uint32_t slot, const ring_claim& place,
             std::span<const std::byte> record) noexcept;

/// Makes a claim that will not commit PADDING.
void void_claim(region& where, std::uint32_t slot, std::uint64_t position) noexcept;

/// What stands at a position: the drain's and every other reader's view.
struct ring_view {
    std::uint64_t lsn;
    record_state state;
    std::uint32_t participant;
    std::uint32_t bytes;
};

/// Errors: garbled when lengths or states cannot be.
result<ring_view> look(const region& where, std::uint64_t position) noexcept;

/// Appends the record at `position` to `target`; PADDING as a bare header.
/// Requires: look() said committed or padding.
void read_record(const region& where, std::uint64_t position, const ring_view& seen,
                 std::vector<std::byte>& target);

/// Gives the space below `position` back to producers. Requires: the keeper's lease, and every
/// record below is durable.
void move_head(region& where, std::uint64_t position) noexcept;

}  // namespace perdure::shm

// SPDX-License-Identifier: Apache-2.0
//
// FORMAT one committed transaction, as it stands in the ring and, unchanged, inside a journal
// block.
//
//   record   = record_header, [transaction_header, [key], events, row changes], zero fill to 16
//   bytes event    = event_header, payload (multiple of 8 bytes)
//   change   = change_header, one word (after - before, modulo 2^64) for each bit set in the mask
//
// A record replays forwards (add the differences) and backwards (subtract them). The word that
// holds the row's LSN is never among them: forwards it becomes the record's LSN, backwards
// `lsn_before`.
//
// Invariants  F1 every length is a multiple of 8, a record's of 16.  F2 reserved bytes are zero.
//             F3 LSNs are dense from 1; a transaction that died after its claim leaves PADDING,
//                a record of 16 bytes.  F4 state 0 is invalid, so zeroed bytes never parse.
// Format      docs/formats/record.md
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace perdure::shm {

static_assert(std::endian::native == std::endian::little, "the formats are little-endian");

/// What may lie in shared or stored bytes: no padding, no constructor, no hidden representation.
template <class T>
concept mapped = std::is_standard_layout_v<T> && std::is_trivially_copyable_v<T> &&
    std::has_unique_object_representations_v<T>;

enum class record_state : std::uint16_t {
    free = 1,       ///< The header behind the tail: its LSN is already there, nothing else is.
    claimed = 2,    ///< Space and LSN belong to a transaction that is still writing.
    committed = 3,  ///< The one commit point has been passed; the bytes are final.
    padding = 4,    ///< The claimer died or gave up; the record says nothing.
};

/// Length, participant and state share one word, so that the state changes with a single store.
struct record_header {
    std::uint64_t lsn;
    std::uint32_t bytes;        ///< Of the whole record, this header included.
    std::uint16_t participant;  ///< Slot number + 1 of the writer; says nothing about identity.
    std::uint16_t state;        ///< record_state
};
static_assert(mapped<record_header> && sizeof(record_header) == 16);
static_assert(offsetof(record_header, bytes) == 8 && offsetof(record_header, state) == 14);

inline constexpr std::uint32_t record_alignment = 16;

/// Follows the record_header of a COMMITTED record.
struct transaction_header {
    std::uint32_t crc;      ///< CRC32C of the LSN, the length and all bytes behind this field.
    std::uint16_t flags;    ///< transaction_flag bits; others are zero.
    std::uint16_t events;   ///< How many events follow.
    std::uint64_t wall_ns;  ///< Wall clock, nanoseconds since 1970, coarse; never decides anything.
    std::uint64_t world_time;   ///< Logged world time in ticks; 0 until a world has a clock.
    std::uint32_t changes;      ///< How many row changes follow the events.
    std::uint32_t incarnation;  ///< Of the region that took the commit.
};
static_assert(mapped<transaction_header> && sizeof(transaction_header) == 32);

enum transaction_flag : std::uint16_t {
    keyed = 1,  ///< A 16-byte idempotency key stands between this header and the events.
};

struct transaction_key {
    std::uint64_t high;
    std::uint64_t low;
    friend bool operator==(const transaction_key&, const transaction_key&) = default;
};
static_assert(mapped<transaction_key> && sizeof(transaction_key) == 16);

struct event_header {
    std::uint16_t type;
    std::uint16_t version;
    std::uint32_t bytes;  ///< Of header and payload.
};
static_assert(mapped<event_header> && sizeof(event_header) == 8);

/// A row change. Words are counted from the row's first byte; rows above 256 bytes take several
/// changes, `first_word` being a multiple of 32.
struct change_header {
    std::uint16_t table;
    std::uint16_t first_word;
    std::uint32_t
        mask;  ///< Bit i: the difference of word first_word + i follows. Never bit 0 of word 0.
    std::uint64_t row;
    std::uint64_t lsn_before;  ///< The row's LSN before this change.
};
static_assert(mapped<change_header> && sizeof(change_header) == 24);

inline constexpr std::uint32_t change_words_max = 32;

}  // namespace perdure::shm

// SPDX-License-Identifier: Apache-2.0
//
// FORMAT the memory that the keeper shares with one plugin's process, and with nobody else: a ring
// of messages down to the plugin, a ring up to the keeper.
//
// Invariants  M1 head <= tail <= head + ring bytes, and both are multiples of 8; the writer alone
//             moves the tail, the reader alone the head.
//             M2 a message lies between head and tail as a whole; over the ring's end it goes on at
//             its beginning.
//             The keeper believes neither: the other side may be out of its mind.
// Format      docs/formats/plugins.md#channel
#pragma once

#include <array>
#include <cstddef>
#include <perdure/plugins/host/batch_format.hpp>

namespace perdure::plugins {

inline constexpr std::array<char, 8> channel_magic{'P', 'R', 'D', 'C', 'H', 'A', 'N', '1'};
inline constexpr std::uint64_t channel_ring_bytes = 1ULL << 20;
inline constexpr std::uint32_t message_bytes_max = 512U << 10;

/// Each side's words in a cache line of their own: it writes them, the other side polls them.
struct ring_marks {
    std::uint64_t tail;
    std::uint64_t writer_place;  ///< Processor that it last wrote on, from 1; 0: not known. A hint.
    std::array<std::uint64_t, 6> apart_tail;
    std::uint64_t head;
    std::uint64_t reader_place;
    std::array<std::uint64_t, 6> apart_head;
    std::uint32_t reader_sleeps;
    std::uint32_t writer_sleeps;
    std::array<std::uint64_t, 7> apart_sleeps;
};
static_assert(shm::mapped<ring_marks> && sizeof(ring_marks) == 192);
static_assert(offsetof(ring_marks, head) == 64 && offsetof(ring_marks, reader_sleeps) == 128);

struct channel_header {
    std::array<char, 8> magic;
    std::uint64_t bytes;        ///< Of the whole.
    std::uint64_t denied;       ///< System calls that were refused,
    std::uint64_t denied_call;  ///< and the number of the last.
    std::array<std::uint64_t, 4> apart;
    ring_marks down;
    ring_marks up;
};
static_assert(shm::mapped<channel_header> && sizeof(channel_header) == 448);
static_assert(offsetof(channel_header, down) == 64 && offsetof(channel_header, up) == 256);

inline constexpr std::uint64_t channel_rings_at = 4096;
inline constexpr std::uint64_t channel_bytes = channel_rings_at + 2 * channel_ring_bytes;

/// Down: below 16. Up: from 16 on.
enum class message_kind : std::uint32_t {
    setup = 1,      ///< setup_message and its texts: what the process is to load.
    configure = 2,  ///< u64 dry_run, JSON.
    migrate = 3,    ///< u32 from, u32 to.
    activate = 4,   ///< u64 generation.
    tick = 5,       ///< perdure_tick
    events = 6,     ///< events_message, each event behind it.
    quiesce = 7,    ///< u64 deadline_ns
    self_test = 8,
    end = 9,      ///< Destroys the plugin and ends the process.
    answer = 10,  ///< answer_message to a commit.

    ready = 16,   ///< ready_message: the plugin is made.
    done = 17,    ///< u64 status of the call of that number.
    commit = 18,  ///< A batch.
    log = 19,     ///< u64 level, text.
    count = 20,   ///< i64 more, name.
    broken = 21,  ///< u64 errc, text: it cannot be started.
};

struct message_header {
    std::uint32_t bytes;   ///< Without what fills up to 8.
    std::uint32_t kind;    ///< message_kind
    std::uint64_t number;  ///< Of a call or a commit; its answer has the same.
};
static_assert(shm::mapped<message_header> && sizeof(message_header) == 16);

struct setup_message {
    shm::transaction_key world;
    shm::transaction_key boot;
    shm::transaction_key plugin;
    std::uint64_t memory_bytes;
    std::uint64_t read_bytes;  ///< Names of tables that may be read, a line each, follow.
};
static_assert(shm::mapped<setup_message> && sizeof(setup_message) == 64);

struct ready_message {
    std::uint32_t abi_major;
    std::uint32_t abi_minor;
    std::uint64_t has;  ///< Bit k: it has a function for message kind k.
};
static_assert(shm::mapped<ready_message> && sizeof(ready_message) == 16);

struct answer_message {
    std::uint32_t status;  ///< errc, 0 = committed.
    std::uint32_t repeated;
    std::uint64_t lsn;
    std::uint64_t refused;
};
static_assert(shm::mapped<answer_message> && sizeof(answer_message) == 24);

struct events_message {
    std::uint64_t first_lsn;
    std::uint64_t last_lsn;
    std::uint64_t count;
    std::uint64_t world_ns;
};
static_assert(shm::mapped<events_message> && sizeof(events_message) == 32);

/// Its payload follows, filled up to 8.
struct told_event {
    std::uint64_t lsn;
    std::uint64_t wall_ns;
    std::uint64_t world_time;
    std::uint16_t type;
    std::uint16_t version;
    std::uint32_t payload_bytes;
};
static_assert(shm::mapped<told_event> && sizeof(told_event) == 32);

}  // namespace perdure::plugins

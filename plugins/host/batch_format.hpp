// SPDX-License-Identifier: Apache-2.0
//
// FORMAT what a plugin wants committed, as bytes: the same in the ring of a plugin's process and
// inside the keeper, so that one check judges both.
//
// Invariants  A1 `bytes` counts everything from the magic on, and nothing stands behind it.
//             A2 the checksum covers everything behind itself.
//             A3 commands come first, then states; each begins at a multiple of 8.
//             A4 what is reserved or fills up to 8 bytes is zero.
// Format      docs/formats/plugins.md#batches
#pragma once

#include <array>
#include <cstddef>
#include <perdure/shm/record_format.hpp>

namespace perdure::plugins {

inline constexpr std::array<char, 8> batch_magic{'P', 'R', 'D', 'B', 'A', 'T', 'C', 'H'};
inline constexpr std::uint32_t batch_commands_max = 256;
inline constexpr std::uint32_t batch_states_max = 64;
inline constexpr std::uint32_t batch_bytes_max = 256U << 10;
inline constexpr std::uint32_t payload_bytes_max = 4096;
inline constexpr std::uint32_t state_key_bytes_max = 40;
inline constexpr std::uint32_t state_value_bytes_max = 16U << 10;
inline constexpr std::uint32_t erased = ~0U;  ///< As the length of a state's value: it goes.

struct batch_header {
    std::array<char, 8> magic;
    std::uint32_t bytes;
    std::uint32_t crc;  ///< CRC32C of everything behind this field.
    shm::transaction_key world;
    shm::transaction_key plugin;  ///< The id of its account.
    std::uint64_t generation;
    std::uint64_t window;    ///< Of the call this belongs to; of a call with events 0.
    std::uint64_t position;  ///< Commit of the window, or the LSN up to which events are done.
    std::uint32_t commands;
    std::uint32_t states;
};
static_assert(shm::mapped<batch_header> && sizeof(batch_header) == 80);
static_assert(offsetof(batch_header, crc) == 12 && offsetof(batch_header, commands) == 72);

struct batch_command {
    std::uint32_t kind;  ///< PERDURE_COMMAND_*
    std::uint32_t asset;
    shm::transaction_key source;
    shm::transaction_key target;
    shm::transaction_key object;
    std::int64_t amount;
    std::uint64_t reference;
    std::uint64_t until;
    std::uint32_t reason;
    std::uint16_t event_type;
    std::uint16_t event_version;
    std::uint32_t payload_bytes;  ///< Follow; a multiple of 8.
    std::uint32_t reserved;
};
static_assert(shm::mapped<batch_command> && sizeof(batch_command) == 96);
static_assert(offsetof(batch_command, amount) == 56 &&
              offsetof(batch_command, payload_bytes) == 88);

/// Key and value follow, each filled with zeros to a multiple of 8.
struct batch_state {
    std::uint32_t key_bytes;
    std::uint32_t value_bytes;  ///< `erased`: none follows.
};
static_assert(shm::mapped<batch_state> && sizeof(batch_state) == 8);

}  // namespace perdure::plugins

// SPDX-License-Identifier: Apache-2.0
//
// FORMAT the events of the economy, behind an event_header each (shm/record_format.hpp).
//
// Invariants  Fields are appended with a new version, never moved. 0 is no type.
// Format      docs/formats/events.md
#pragma once

#include <array>
#include <perdure/shm/record_format.hpp>

namespace perdure {

enum class event_type : std::uint16_t {
    asset_created = 1,
    account_opened = 2,
    transferred = 3,
    minted = 4,
    burned = 5,
};

/// An account's id as two words, the second's upper half zero.
struct account_words {
    std::uint64_t high;
    std::uint64_t low;
};
static_assert(shm::mapped<account_words> && sizeof(account_words) == 16);

struct asset_created_v1 {
    std::array<char, 16> code;
    std::uint32_t asset;
    std::uint32_t scale;
    account_words authority;
};
static_assert(shm::mapped<asset_created_v1> && sizeof(asset_created_v1) == 40);

struct account_opened_v1 {
    account_words account;
    std::uint32_t kind;
    std::uint32_t reserved;
};
static_assert(shm::mapped<account_opened_v1> && sizeof(account_opened_v1) == 24);

struct transferred_v1 {
    account_words source;
    account_words target;
    std::int64_t amount;
    std::uint32_t asset;
    std::uint32_t reason;     ///< The game's own code.
    std::uint64_t reference;  ///< The game's own number.
};
static_assert(shm::mapped<transferred_v1> && sizeof(transferred_v1) == 56);

/// minted and burned: value enters or leaves through `account`.
struct supply_moved_v1 {
    account_words account;
    std::int64_t amount;
    std::uint32_t asset;
    std::uint32_t reason;
};
static_assert(shm::mapped<supply_moved_v1> && sizeof(supply_moved_v1) == 32);

}  // namespace perdure

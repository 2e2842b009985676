// SPDX-License-Identifier: Apache-2.0
//
// FORMAT the rows of the ledger's tables.
//
// Invariants  F1 a balance row whose `flags` are zero says all there is to know about who may pay
//             from it and where its units lie.
//             F2 while a balance is sharded its row's `available` is zero and `shards` rows of the
//             pooled table hold it.
//             F3 an item's row stays when the item is destroyed: a serial is never used again.
// Format      docs/formats/tables.md
#pragma once

#include <boost/describe.hpp>
#include <perdure/core/event_format.hpp>
#include <perdure/shm/region_format.hpp>

namespace perdure {

enum class account_kind : std::uint32_t {
    player = 1,
    agent = 2,
    treasury = 3,
    escrow = 4,
    market = 5,
    plugin = 6,
};

enum balance_flag : std::uint32_t {
    frozen = 1,      ///< The account's row has to be asked before anything may leave.
    sharded = 2,     ///< What is available lies in the table of shards.
    has_serials = 4  ///< Of a unique asset: moves by serial only.
};

enum asset_flag : std::uint32_t {
    unique = 1,  ///< Every unit is an item with a serial.
};

inline constexpr std::uint64_t forever = ~0ULL;  ///< A freeze that nothing but unfreeze() ends.
inline constexpr std::uint32_t shards_max = 64;

struct account_row {
    shm::row_header header;
    shm::transaction_key key;
    std::uint32_t kind;
    std::uint32_t freeze_reason;
    std::array<char, 40> name;   ///< Empty for accounts opened by number.
    std::uint64_t frozen_until;  ///< Wall clock in ns; 0 = not frozen, in the past = no longer.
    account_words frozen_by;
};
static_assert(shm::mapped<account_row> && sizeof(account_row) == 104);
BOOST_DESCRIBE_STRUCT(account_row, (), (key, kind, freeze_reason, name, frozen_until, frozen_by))

struct balance_row {
    shm::row_header header;
    shm::transaction_key key;
    std::uint32_t asset;  ///< The group of the balanced fields.
    std::uint32_t flags;  ///< balance_flag
    std::int64_t available;
    std::int64_t held;
    std::uint32_t shards;  ///< How many, 0 = not sharded.
    std::uint32_t reserved;
};
static_assert(shm::mapped<balance_row> && sizeof(balance_row) == 64);
BOOST_DESCRIBE_STRUCT(balance_row, (), (key, asset, flags, available, held, shards))

/// A part of a sharded balance; which part holds how much depends on who wrote.
struct shard_row {
    shm::row_header header;
    shm::transaction_key key;  ///< core/purse: shard_key().
    account_words account;
    std::uint32_t asset;
    std::uint32_t shards;
    std::int64_t available;
};
static_assert(shm::mapped<shard_row> && sizeof(shard_row) == 64);
BOOST_DESCRIBE_STRUCT(shard_row, (), (key, account, asset, shards, available))

struct asset_row {
    shm::row_header header;
    shm::transaction_key key;
    std::array<char, 16> code;
    std::uint32_t asset;
    std::uint32_t scale;
    std::int64_t supply;  ///< minted - burned; the engine balances it against all balances.
    std::int64_t minted;
    std::int64_t burned;
    account_words authority;  ///< Who may mint and burn, and open faucets and sinks.
    std::uint32_t flags;      ///< asset_flag
    std::uint32_t reserved;
};
static_assert(shm::mapped<asset_row> && sizeof(asset_row) == 104);
BOOST_DESCRIBE_STRUCT(asset_row, (),
                      (key, code, asset, scale, supply, minted, burned, authority, flags))

enum class faucet_kind : std::uint32_t {
    faucet = 1,  ///< Value comes into the world.
    sink = 2,    ///< Value leaves it.
};

struct faucet_row {
    shm::row_header header;
    shm::transaction_key key;  ///< faucet_id::of(name)
    std::array<char, 32> name;
    std::uint32_t asset;
    std::uint32_t kind;  ///< faucet_kind
    account_words authority;
    std::int64_t budget;  ///< 0 = no bound.
    std::int64_t used;
};
static_assert(shm::mapped<faucet_row> && sizeof(faucet_row) == 104);
BOOST_DESCRIBE_STRUCT(faucet_row, (), (key, name, asset, kind, authority, budget, used))

struct hold_row {
    shm::row_header header;
    shm::transaction_key key;  ///< The caller's.
    account_words account;
    account_words actor;
    std::int64_t amount;  ///< What is left of it; its row goes with the last unit.
    std::uint32_t asset;
    std::uint32_t reason;
    std::uint64_t reference;
};
static_assert(shm::mapped<hold_row> && sizeof(hold_row) == 88);
BOOST_DESCRIBE_STRUCT(hold_row, (), (key, account, actor, amount, asset, reason, reference))

enum class item_state : std::uint32_t {
    owned = 1,
    destroyed = 2,
};

struct item_row {
    shm::row_header header;  ///< Its lsn is the last move's.
    shm::transaction_key key;
    account_words owner;  ///< Of a destroyed one: the last.
    std::uint64_t serial;
    std::uint32_t asset;
    std::uint32_t state;   ///< item_state
    std::uint32_t reason;  ///< Of the last move.
    std::uint32_t reserved;
};
static_assert(shm::mapped<item_row> && sizeof(item_row) == 72);
BOOST_DESCRIBE_STRUCT(item_row, (), (key, owner, serial, asset, state, reason))

/// An idempotency key and the receipt of its first commit.
struct key_row {
    shm::row_header header;  ///< Its lsn is the commit's.
    shm::transaction_key key;
    std::uint64_t retained;  ///< 1: dropped when its commit is old (core/key_retention); 0: pinned.
};
static_assert(shm::mapped<key_row> && sizeof(key_row) == 40);
BOOST_DESCRIBE_STRUCT(key_row, (), (key, retained))

}  // namespace perdure

// SPDX-License-Identifier: Apache-2.0
//
// FORMAT the events of the economy, behind an event_header each (shm/record_format.hpp).
//
// Invariants  Fields are appended with a new version, never moved. 0 is no type.
// Format      docs/formats/events.md
#pragma once

#include <array>
#include <boost/describe.hpp>
#include <perdure/shm/record_format.hpp>

namespace perdure {

enum class event_type : std::uint16_t {
    asset_created = 1,
    account_opened = 2,
    transferred = 3,
    minted = 4,
    burned = 5,
    held = 6,
    released = 7,
    captured = 8,
    posted = 9,
    faucet_opened = 10,
    budget_set = 11,
    item_created = 12,
    item_moved = 13,
    item_destroyed = 14,
    account_frozen = 15,
    account_unfrozen = 16,
    balance_sharded = 17,
    balance_unsharded = 18,
    programme_opened = 30,
    programme_set = 31,
    programme_closed = 32,
    staked = 33,
    unstaked = 34,
    yield_paid = 35,
    yield_refused = 36,
    document_created = 40,
    document_put = 41,
    document_erased = 42,
    document_limited = 43,
    world_recovered = 60,
    clock_ticked = 61,
    plugin_stepped = 62,
};

/// An account's id as two words, the second's upper half zero.
struct account_words {
    std::uint64_t high;
    std::uint64_t low;
    friend constexpr bool operator==(const account_words&, const account_words&) = default;
};
static_assert(shm::mapped<account_words> && sizeof(account_words) == 16);

struct asset_created_v1 {
    std::array<char, 16> code;
    std::uint32_t asset;
    std::uint32_t scale;
    account_words authority;
};
static_assert(shm::mapped<asset_created_v1> && sizeof(asset_created_v1) == 40);
BOOST_DESCRIBE_STRUCT(asset_created_v1, (), (code, asset, scale, authority))

struct asset_created_v2 {
    std::array<char, 16> code;
    std::uint32_t asset;
    std::uint32_t scale;
    account_words authority;
    std::uint32_t flags;  ///< asset_flag
    std::uint32_t reserved;
};
static_assert(shm::mapped<asset_created_v2> && sizeof(asset_created_v2) == 48);
BOOST_DESCRIBE_STRUCT(asset_created_v2, (), (code, asset, scale, authority, flags))

struct account_opened_v1 {
    account_words account;
    std::uint32_t kind;
    std::uint32_t reserved;
};
static_assert(shm::mapped<account_opened_v1> && sizeof(account_opened_v1) == 24);
BOOST_DESCRIBE_STRUCT(account_opened_v1, (), (account, kind))

struct transferred_v1 {
    account_words source;
    account_words target;
    std::int64_t amount;
    std::uint32_t asset;
    std::uint32_t reason;     ///< The game's own code.
    std::uint64_t reference;  ///< The game's own number.
};
static_assert(shm::mapped<transferred_v1> && sizeof(transferred_v1) == 56);
BOOST_DESCRIBE_STRUCT(transferred_v1, (), (source, target, amount, asset, reason, reference))

struct transferred_v2 {
    account_words source;
    account_words target;
    std::int64_t amount;
    std::uint32_t asset;
    std::uint32_t reason;
    std::uint64_t reference;
    account_words actor;  ///< Who made it happen; here and below.
};
static_assert(shm::mapped<transferred_v2> && sizeof(transferred_v2) == 72);
BOOST_DESCRIBE_STRUCT(transferred_v2, (), (source, target, amount, asset, reason, reference, actor))

/// minted and burned: value enters or leaves through `account`.
struct supply_moved_v1 {
    account_words account;
    std::int64_t amount;
    std::uint32_t asset;
    std::uint32_t reason;
};
static_assert(shm::mapped<supply_moved_v1> && sizeof(supply_moved_v1) == 32);
BOOST_DESCRIBE_STRUCT(supply_moved_v1, (), (account, amount, asset, reason))

struct supply_moved_v2 {
    account_words account;
    std::int64_t amount;
    std::uint32_t asset;
    std::uint32_t reason;
    std::uint64_t reference;
    account_words actor;
    shm::transaction_key faucet;  ///< Zero: by the asset's own authority.
};
static_assert(shm::mapped<supply_moved_v2> && sizeof(supply_moved_v2) == 72);
BOOST_DESCRIBE_STRUCT(supply_moved_v2, (),
                      (account, amount, asset, reason, reference, actor, faucet))

/// held, released, captured: `left` is what the hold has afterwards.
struct hold_moved_v1 {
    shm::transaction_key hold;
    account_words account;
    account_words target;  ///< captured: who got it; else the account.
    std::int64_t amount;
    std::int64_t left;
    std::uint32_t asset;
    std::uint32_t reason;
    std::uint64_t reference;
    account_words actor;
};
static_assert(shm::mapped<hold_moved_v1> && sizeof(hold_moved_v1) == 96);
BOOST_DESCRIBE_STRUCT(hold_moved_v1, (),
                      (hold, account, target, amount, left, asset, reason, reference, actor))

/// One leg of a batch; all of them stand in one record.
struct posted_v1 {
    account_words account;
    std::int64_t amount;  ///< Signed.
    std::uint32_t asset;
    std::uint32_t reason;
    std::uint64_t reference;
    account_words actor;
    std::uint32_t leg;  ///< From 0.
    std::uint32_t legs;
};
static_assert(shm::mapped<posted_v1> && sizeof(posted_v1) == 64);
BOOST_DESCRIBE_STRUCT(posted_v1, (), (account, amount, asset, reason, reference, actor, leg, legs))

/// faucet_opened and budget_set.
struct faucet_set_v1 {
    shm::transaction_key faucet;
    std::array<char, 32> name;
    std::uint32_t asset;
    std::uint32_t kind;       ///< faucet_kind
    account_words authority;  ///< Who may use it.
    std::int64_t budget;
    account_words actor;  ///< The asset's authority.
};
static_assert(shm::mapped<faucet_set_v1> && sizeof(faucet_set_v1) == 96);
BOOST_DESCRIBE_STRUCT(faucet_set_v1, (), (faucet, name, asset, kind, authority, budget, actor))

/// item_created, item_moved, item_destroyed: the partner that is not there repeats the other.
struct item_moved_v1 {
    account_words source;
    account_words target;
    std::uint64_t serial;
    std::uint32_t asset;
    std::uint32_t reason;
    std::uint64_t reference;
    account_words actor;
    shm::transaction_key faucet;  ///< As in supply_moved_v2.
};
static_assert(shm::mapped<item_moved_v1> && sizeof(item_moved_v1) == 88);
BOOST_DESCRIBE_STRUCT(item_moved_v1, (),
                      (source, target, serial, asset, reason, reference, actor, faucet))

/// account_frozen and account_unfrozen.
struct freeze_set_v1 {
    account_words account;
    std::uint64_t until_wall_ns;  ///< ~0 = for ever, 0 = unfrozen.
    std::uint32_t reason;
    std::uint32_t reserved;
    std::uint64_t reference;
    account_words actor;
};
static_assert(shm::mapped<freeze_set_v1> && sizeof(freeze_set_v1) == 56);
BOOST_DESCRIBE_STRUCT(freeze_set_v1, (), (account, until_wall_ns, reason, reference, actor))

/// balance_sharded and balance_unsharded.
struct shards_set_v1 {
    account_words account;
    std::uint32_t asset;
    std::uint32_t shards;  ///< 0 = none any more.
};
static_assert(shm::mapped<shards_set_v1> && sizeof(shards_set_v1) == 24);
BOOST_DESCRIBE_STRUCT(shards_set_v1, (), (account, asset, shards))

}  // namespace perdure

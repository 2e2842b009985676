// SPDX-License-Identifier: Apache-2.0
//
// Who and what, as strong ids: accounts have 96 bits, assets 32, so that (account, asset) is a
// 16-byte key.
//
// Promise     The id of a name is the same on every machine and in every order of creation.
// Threads     Values.
#pragma once

#include <cstdint>
#include <perdure/shm/hash_index.hpp>
#include <string_view>

namespace perdure {

struct account_id {
    std::uint64_t high = 0;
    std::uint32_t low = 0;

    /// The first 95 bits of the name's BLAKE2b hash. Two names of one id are refused at creation;
    /// among 10^8 names that happens with a chance of 10^-13.
    static account_id of(std::string_view name) noexcept;
    /// A game's own numbering; never equal to a name's id.
    static constexpr account_id of(std::uint64_t number) noexcept { return {number, 0}; }

    friend bool operator==(const account_id&, const account_id&) = default;
};

struct asset_id {
    std::uint32_t value = 0;  ///< 0 is no asset.

    /// From the code ("gold"). Two codes of one id are refused at creation.
    static asset_id of(std::string_view code) noexcept;

    friend bool operator==(const asset_id&, const asset_id&) = default;
};

/// A named faucet or sink.
struct faucet_id {
    std::uint64_t high = 0;
    std::uint64_t low = 0;  ///< Both 0: none.

    static faucet_id of(std::string_view name) noexcept;
    friend bool operator==(const faucet_id&, const faucet_id&) = default;
};

/// A programme that stakes earn by.
struct programme_id {
    std::uint64_t high = 0;
    std::uint64_t low = 0;

    static programme_id of(std::string_view name) noexcept;
    friend bool operator==(const programme_id&, const programme_id&) = default;
};

/// Units that an account has locked in a programme.
struct stake_id {
    std::uint64_t high = 0;
    std::uint64_t low = 0;

    /// Of an account's stakes in a programme the one with this number, which the account chooses.
    static stake_id of(programme_id programme, account_id account, std::uint64_t number) noexcept;
    friend bool operator==(const stake_id&, const stake_id&) = default;
};

/// One item of a unique asset.
struct item_id {
    asset_id asset;
    std::uint64_t serial = 0;

    friend bool operator==(const item_id&, const item_id&) = default;
};

constexpr shm::row_key key_of(account_id account) noexcept { return {account.high, account.low}; }
constexpr shm::row_key key_of(asset_id asset) noexcept { return {asset.value, 0}; }
constexpr shm::row_key key_of(account_id account, asset_id asset) noexcept {
    return {account.high, account.low | static_cast<std::uint64_t>(asset.value) << 32};
}
constexpr shm::row_key key_of(faucet_id faucet) noexcept { return {faucet.high, faucet.low}; }
constexpr shm::row_key key_of(programme_id programme) noexcept {
    return {programme.high, programme.low};
}
constexpr shm::row_key key_of(stake_id stake) noexcept { return {stake.high, stake.low}; }
constexpr shm::row_key key_of(item_id item) noexcept { return {item.serial, item.asset.value}; }

}  // namespace perdure

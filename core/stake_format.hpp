// SPDX-License-Identifier: Apache-2.0
//
// FORMAT the rows of the tables "programmes" and "stakes".
//
// Invariants  K1 a programme's `staked` is the sum of its stakes' `staked`, `stakes` their number;
//             its escrow account has at least that much of the asset.
//             K2 a stake's `periods_paid` never falls, and world time had passed its end when it
//             was paid: last_payout_ns = since_ns + periods_paid * period_ns.
//             K3 what the stake was paid since `anchor_period` is owed(periods_paid -
//             anchor_period) of stake_yield.hpp.
//             K4 a stake's rate and growth are its programme's when it was made; method, period and
//             year of a programme never change.
//             K5 `staked` of a stake is its principal, and with compound interest what was paid
//             since anchor_period.
// Format      docs/formats/tables.md#stakes
#pragma once

#include <boost/describe.hpp>
#include <perdure/core/event_format.hpp>
#include <perdure/shm/region_format.hpp>

namespace perdure {

enum class yield_method : std::uint32_t {
    simple = 1,    ///< On the principal alone, paid to the account.
    compound = 2,  ///< On what it has grown to, and stays in the stake.
};

enum class yield_funding : std::uint32_t {
    treasury = 1,  ///< An account pays.
    faucet = 2,    ///< Minted within the faucet's budget.
};

enum class programme_state : std::uint32_t {
    open = 1,
    closed = 2,  ///< Takes no stakes; periods that began before are paid.
};

inline constexpr std::uint64_t year_ns_standard = 365 * 86'400'000'000'000ULL;
inline constexpr std::uint64_t year_ns_most = 10 * year_ns_standard;
inline constexpr std::uint64_t period_ns_least = 1'000'000'000;
inline constexpr std::uint64_t apy_ppb_most = 100'000'000'000;  ///< 10,000 %.
inline constexpr std::uint64_t periods_most = 1ULL << 32;       ///< Of one stake, since its base.

/// A number from 1 to below 128 in units of 2^-121.
struct growth_words {
    std::uint64_t high;
    std::uint64_t low;
    friend constexpr bool operator==(const growth_words&, const growth_words&) = default;
};
static_assert(shm::mapped<growth_words> && sizeof(growth_words) == 16);

struct programme_row {
    shm::row_header header;
    shm::transaction_key key;  ///< programme_id::of(name)
    std::array<char, 32> name;
    std::uint32_t asset;
    std::uint32_t method;   ///< yield_method
    std::uint32_t state;    ///< programme_state
    std::uint32_t funding;  ///< yield_funding
    std::uint64_t apy_ppb;  ///< Of stakes to come.
    growth_words growth;    ///< growth_of() these terms.
    std::uint64_t period_ns;
    std::uint64_t year_ns;
    std::uint64_t closed_ns;      ///< World time when it was closed.
    account_words authority;      ///< Who may change and close it.
    shm::transaction_key source;  ///< The treasury's key, or the faucet's.
    account_words escrow;         ///< Where staked units lie.
    std::uint64_t stakes;         ///< That stand.
    std::int64_t staked;
    std::int64_t distributed;  ///< Interest, in all.
    std::uint64_t refused;     ///< Payouts that were refused and told.
};
static_assert(shm::mapped<programme_row> && sizeof(programme_row) == 208);
BOOST_DESCRIBE_STRUCT(programme_row, (),
                      (key, name, asset, method, state, funding, apy_ppb, growth, period_ns,
                       year_ns, closed_ns, authority, source, escrow, stakes, staked, distributed,
                       refused))

struct stake_row {
    shm::row_header header;
    shm::transaction_key key;  ///< stake_id::of(programme, account, number)
    shm::transaction_key programme;
    account_words account;
    std::uint64_t number;
    std::int64_t principal;        ///< What interest is counted on since anchor_period.
    std::int64_t staked;           ///< What lies in the escrow account for it.
    std::int64_t paid;             ///< Interest, in all.
    std::uint64_t since_ns;        ///< World time: period 0 begins.
    std::uint64_t anchor_period;   ///< From here on the principal is this one.
    std::uint64_t periods_paid;    ///< Or given up: the next one to be paid.
    std::uint64_t last_payout_ns;  ///< World time at the end of the last of them.
    std::uint64_t refused_to;      ///< A refusal was told of the periods before.
    std::uint64_t apy_ppb;
    growth_words growth;
};
static_assert(shm::mapped<stake_row> && sizeof(stake_row) == 160);
BOOST_DESCRIBE_STRUCT(stake_row, (),
                      (key, programme, account, number, principal, staked, paid, since_ns,
                       anchor_period, periods_paid, last_payout_ns, refused_to, apy_ppb, growth))

}  // namespace perdure

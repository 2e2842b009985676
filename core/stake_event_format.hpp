// SPDX-License-Identifier: Apache-2.0
//
// FORMAT the events of programmes and stakes; the units that move have events of their own in the
// same record (transferred, minted).
//
// Format      docs/formats/events.md; numbers as in event_format.hpp
#pragma once

#include <perdure/core/event_format.hpp>
#include <perdure/core/stake_format.hpp>

namespace perdure {

struct programme_opened_v1 {
    shm::transaction_key programme;
    std::array<char, 32> name;
    std::uint32_t asset;
    std::uint32_t method;   ///< yield_method
    std::uint32_t funding;  ///< yield_funding
    std::uint32_t reserved;
    std::uint64_t apy_ppb;
    growth_words growth;
    std::uint64_t period_ns;
    std::uint64_t year_ns;
    account_words authority;
    shm::transaction_key source;
    account_words escrow;
};
static_assert(shm::mapped<programme_opened_v1> && sizeof(programme_opened_v1) == 152);
BOOST_DESCRIBE_STRUCT(programme_opened_v1, (),
                      (programme, name, asset, method, funding, apy_ppb, growth, period_ns, year_ns,
                       authority, source, escrow))

/// Another rate, for stakes to come.
struct programme_set_v1 {
    shm::transaction_key programme;
    std::uint64_t apy_ppb;
    growth_words growth;
    account_words actor;
};
static_assert(shm::mapped<programme_set_v1> && sizeof(programme_set_v1) == 56);
BOOST_DESCRIBE_STRUCT(programme_set_v1, (), (programme, apy_ppb, growth, actor))

struct programme_closed_v1 {
    shm::transaction_key programme;
    std::uint64_t closed_ns;  ///< World time.
    account_words actor;
};
static_assert(shm::mapped<programme_closed_v1> && sizeof(programme_closed_v1) == 40);
BOOST_DESCRIBE_STRUCT(programme_closed_v1, (), (programme, closed_ns, actor))

struct staked_v1 {
    shm::transaction_key stake;
    shm::transaction_key programme;
    account_words account;
    std::uint64_t number;
    std::int64_t amount;
    std::uint32_t asset;
    std::uint32_t reserved;
    std::uint64_t since_ns;  ///< World time.
    std::uint64_t apy_ppb;
    growth_words growth;
};
static_assert(shm::mapped<staked_v1> && sizeof(staked_v1) == 104);
BOOST_DESCRIBE_STRUCT(staked_v1, (),
                      (stake, programme, account, number, amount, asset, since_ns, apy_ppb, growth))

/// What was due before is a yield_paid in the same record, or given up.
struct unstaked_v1 {
    shm::transaction_key stake;
    shm::transaction_key programme;
    account_words account;
    std::int64_t amount;
    std::int64_t left;       ///< In the stake; 0: it is gone.
    std::uint64_t gone;      ///< 1: with the last unit its row went.
    std::int64_t forfeited;  ///< Interest that was due and given up; the most there is: too much.
    std::uint64_t periods_paid;
    std::uint32_t asset;
    std::uint32_t reserved;
};
static_assert(shm::mapped<unstaked_v1> && sizeof(unstaked_v1) == 96);
BOOST_DESCRIBE_STRUCT(unstaked_v1, (),
                      (stake, programme, account, amount, left, gone, forfeited, periods_paid,
                       asset))

struct yield_paid_v1 {
    shm::transaction_key stake;
    shm::transaction_key programme;
    account_words account;
    std::uint64_t from_period;
    std::uint64_t to_period;  ///< Periods [from, to).
    std::int64_t amount;
    std::int64_t compounded;  ///< What of it stays in the stake: all or nothing.
    std::uint64_t to_ns;      ///< World time at the end of the last of them.
    std::uint32_t asset;
    std::uint32_t reserved;
};
static_assert(shm::mapped<yield_paid_v1> && sizeof(yield_paid_v1) == 96);
BOOST_DESCRIBE_STRUCT(yield_paid_v1, (),
                      (stake, programme, account, from_period, to_period, amount, compounded, to_ns,
                       asset))

struct yield_refused_v1 {
    shm::transaction_key stake;
    shm::transaction_key programme;
    account_words account;
    std::uint64_t from_period;
    std::uint64_t to_period;
    std::int64_t amount;
    std::uint32_t asset;
    std::uint32_t refusal;  ///< errc
};
static_assert(shm::mapped<yield_refused_v1> && sizeof(yield_refused_v1) == 80);
BOOST_DESCRIBE_STRUCT(yield_refused_v1, (),
                      (stake, programme, account, from_period, to_period, amount, asset, refusal))

}  // namespace perdure

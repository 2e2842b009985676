// SPDX-License-Identifier: Apache-2.0
//
// A ledger in memory of its own with stakes and world time, which a test moves by the day.
#pragma once

#include <perdure/core/event_catalogue.hpp>
#include <perdure/core/stake_event_format.hpp>
#include <perdure/tests/core/open_ledger.hpp>

namespace perdure::tests {

inline constexpr std::uint64_t one_day = 86'400'000'000'000;
inline constexpr std::uint64_t percent = 10'000'000;  // Parts per billion.
inline const account_id bank = account_id::of("bank");
inline const account_id banker = account_id::of("banker");
inline const faucet_id mint_works = faucet_id::of("works");

struct staking : open_ledger {
    world_clock time = world_clock::open(by[0]).value();
    stakes all = stakes::open(by[0], books, time).value();

    /// Four players with 10,000.00 each, a bank with `funds`, a faucet with a budget of as much.
    explicit staking(amount funds = 10'000'000) {
        found(4, 1'000'000);
        const auto laid = by[0].write([&](tx& now) -> result<> {
            PERDURE_TRY(books.open_account(now, "bank", account_kind::treasury));
            PERDURE_TRY(books.open_account(now, "banker", account_kind::player));
            PERDURE_TRY(books.mint(now, treasury, bank, gold, funds));
            PERDURE_TRY(books.open_faucet(now, treasury, "works",
                                          {faucet_kind::faucet, gold, banker, funds}));
            return time.set(now, {3'600'000'000'000, missed_policy::exact, one_day});
        });
        static_cast<void>(laid.value());
    }

    [[nodiscard]] static programme_terms terms(yield_method how, std::uint64_t apy_ppb,
                                               std::uint64_t period_ns = one_day) {
        return {gold, {apy_ppb, period_ns, year_ns_standard, how}, banker, bank};
    }
    std::optional<errc> opened(std::string_view name, const programme_terms& with) {
        return refusal([&](tx& now) { return all.open_programme(now, name, with); });
    }
    std::optional<errc> staked(std::string_view in, std::uint64_t who, std::uint64_t number,
                               amount value) {
        return refusal([&](tx& now) {
            return all.stake(now, programme_id::of(in), player(who), number, value);
        });
    }
    std::optional<errc> unstaked(stake_id which, const unstake_choice& how = {}) {
        return refusal([&](tx& now) { return all.unstake(now, which, how); });
    }
    std::optional<errc> paid(stake_id which, std::uint64_t from, std::uint64_t to) {
        return refusal([&](tx& now) { return all.pay(now, which, from, to); });
    }
    void pass_hours(std::uint64_t hours) {
        const auto passed =
            refusal([&](tx& now) { return time.advance(now, {.ticks = hours, .wall_ns = 1}); });
        if (passed) throw std::runtime_error("time does not pass");
    }
    void pass_days(std::uint64_t days) { pass_hours(24 * days); }

    due_yield due(stake_id which) {
        return by[0].read([&](view& seen) { return all.due(seen, which); }).value();
    }
    stake_row row(stake_id which) {
        return by[0].read([&](view& seen) { return all.read(seen, which); }).value();
    }
    programme_row row(std::string_view name) {
        return by[0]
            .read([&](view& seen) { return all.programme(seen, programme_id::of(name)); })
            .value();
    }
    amount escrow(std::string_view name) {
        return balance(account_id::of("escrow/" + std::string(name)));
    }
};

inline stake_id stake_of(std::string_view in, std::uint64_t who, std::uint64_t number = 1) {
    return stake_id::of(programme_id::of(in), player(who), number);
}

}  // namespace perdure::tests

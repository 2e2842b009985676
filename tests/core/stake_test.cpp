// SPDX-License-Identifier: Apache-2.0
//
// Claims of core/stake.hpp: units go into escrow and come back; each period is paid once, in order,
// when world time has passed its end and not before, by the treasury or within the faucet's budget;
// what cannot be paid changes nothing, is told once and paid later; a stake keeps its rate; a
// refused operation leaves no trace; the events say what has changed (K1 to K5).
#include <boost/test/unit_test.hpp>
#include <perdure/tests/core/staking.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;

constexpr auto simple = yield_method::simple;
constexpr auto compound = yield_method::compound;

struct vault : staking {
    vault() {
        BOOST_TEST_REQUIRE(!opened("vault", terms(simple, 5 * percent)));
        BOOST_TEST_REQUIRE(!opened("cellar", terms(compound, 5 * percent)));
        BOOST_TEST_REQUIRE(!staked("vault", 0, 1, 100'000));
        BOOST_TEST_REQUIRE(!staked("cellar", 1, 1, 100'000));
    }
    const stake_id plain = stake_of("vault", 0);
    const stake_id grown = stake_of("cellar", 1);
};

BOOST_FIXTURE_TEST_CASE(units_go_into_escrow_and_come_back, vault) {
    BOOST_TEST(balance(player(0)) == 900'000);
    BOOST_TEST(escrow("vault") == 100'000);
    BOOST_TEST(!staked("vault", 0, 2, 5'000));
    BOOST_TEST(row("vault").staked == 105'000);
    BOOST_TEST(row("vault").stakes == 2U);
    BOOST_TEST(!unstaked(plain));
    BOOST_TEST(balance(player(0)) == 995'000);
    BOOST_TEST(row("vault").staked == 5'000);
    BOOST_TEST(row("vault").stakes == 1U);
    BOOST_TEST(unstaked(plain).value() == errc::unknown_stake);  // Not a second time.
    BOOST_TEST(balance(bank) == 10'000'000);
    BOOST_TEST(faults() == "");
}

BOOST_FIXTURE_TEST_CASE(each_period_is_paid_once_and_in_order, vault) {
    pass_days(3);
    BOOST_TEST(due(plain).from == 0U);
    BOOST_TEST(due(plain).to == 3U);
    BOOST_TEST(due(plain).value == 41);
    BOOST_TEST(paid(plain, 1, 2).value() == errc::out_of_step);
    BOOST_TEST(!paid(plain, 0, 1));
    BOOST_TEST(balance(player(0)) == 900'013);
    BOOST_TEST(paid(plain, 0, 1).value() == errc::out_of_step);  // Doubled.
    BOOST_TEST(paid(plain, 0, 2).value() == errc::out_of_step);
    BOOST_TEST(paid(plain, 1, 1).value() == errc::out_of_step);
    BOOST_TEST(paid(plain, 2, 1).value() == errc::out_of_step);
    BOOST_TEST(!paid(plain, 1, 3));
    BOOST_TEST(balance(player(0)) == 900'041);
    BOOST_TEST(row(plain).paid == 41);
    BOOST_TEST(row(plain).periods_paid == 3U);
    BOOST_TEST(row(plain).last_payout_ns == 3 * one_day);
    BOOST_TEST(row("vault").distributed == 41);
    BOOST_TEST(balance(bank) == 10'000'000 - 41);
    BOOST_TEST(due(plain).value == 0);
    BOOST_TEST(faults() == "");
}

BOOST_FIXTURE_TEST_CASE(world_time_says_whether_a_period_has_ended, vault) {
    BOOST_TEST(paid(plain, 0, 1).value() == errc::out_of_step);
    pass_hours(23);
    BOOST_TEST(paid(plain, 0, 1).value() == errc::out_of_step);
    pass_hours(1);
    BOOST_TEST(paid(plain, 0, 2).value() == errc::out_of_step);
    BOOST_TEST(!paid(plain, 0, 1));
    clock.now = 1ULL << 62;  // The wall clock has no say.
    BOOST_TEST(paid(plain, 1, 2).value() == errc::out_of_step);
    // A stake's periods begin when it was made.
    pass_hours(5);
    BOOST_TEST(!staked("vault", 2, 1, 100'000));
    pass_hours(20);
    BOOST_TEST(due(stake_of("vault", 2)).to == 0U);
    BOOST_TEST(due(plain).to == 2U);
    pass_hours(4);
    BOOST_TEST(due(stake_of("vault", 2)).to == 1U);
}

BOOST_FIXTURE_TEST_CASE(compound_interest_stays_in_the_stake, vault) {
    pass_days(365);
    BOOST_TEST(!paid(grown, 0, 200));
    const auto first = row(grown).paid;
    BOOST_TEST(first > 0);
    BOOST_TEST(!paid(grown, 200, 365));
    BOOST_TEST(row(grown).paid == 5'000);
    BOOST_TEST(row(grown).staked == 105'000);
    BOOST_TEST(row("cellar").staked == 105'000);
    BOOST_TEST(escrow("cellar") == 105'000);
    BOOST_TEST(balance(player(1)) == 900'000);
    pass_days(365);
    BOOST_TEST(!unstaked(grown));  // Pays the second year first.
    BOOST_TEST(balance(player(1)) == 1'010'250);
    BOOST_TEST(row("cellar").distributed == 10'250);
    BOOST_TEST(row("cellar").staked == 0);
    BOOST_TEST(escrow("cellar") == 0);
    BOOST_TEST(faults() == "");
}

BOOST_FIXTURE_TEST_CASE(a_part_that_is_taken_out_earns_to_the_last_period_that_ended, vault) {
    pass_hours(24 * 73 + 12);
    BOOST_TEST(!unstaked(plain, {.part = 60'000}));
    BOOST_TEST(balance(player(0)) == 900'000 + 60'000 + 1'000);  // A fifth of a year of 5 %.
    BOOST_TEST(row(plain).principal == 40'000);
    BOOST_TEST(row(plain).anchor_period == 73U);
    pass_days(73);
    BOOST_TEST(due(plain).value == 400);
    BOOST_TEST(!paid(plain, 73, 100));
    BOOST_TEST(!paid(plain, 100, 146));
    BOOST_TEST(row(plain).paid == 1'400);
    BOOST_TEST(unstaked(plain, {.part = 40'001}).value() == errc::insufficient_funds);
    BOOST_TEST(unstaked(plain, {.part = 0}).value() == errc::bad_amount);
    BOOST_TEST(unstaked(plain, {.part = -1}).value() == errc::bad_amount);
    BOOST_TEST(!unstaked(plain, {.part = 40'000}));
    BOOST_TEST(refusal([&](tx& now) { return all.read(now, plain); }).value() ==
               errc::unknown_stake);
    BOOST_TEST(faults() == "");
}

BOOST_AUTO_TEST_CASE(what_the_treasury_cannot_pay_is_told_once_and_paid_later) {
    staking here(20);
    BOOST_TEST(!here.opened("vault", here.terms(simple, 5 * percent)));
    BOOST_TEST(!here.staked("vault", 0, 1, 100'000));
    const auto which = stake_of("vault", 0);
    here.pass_days(2);
    const auto before = here.look().image_hash;
    BOOST_TEST(here.paid(which, 0, 2).value() == errc::insufficient_funds);
    BOOST_TEST(here.unstaked(which).value() == errc::insufficient_funds);
    BOOST_TEST(here.look().image_hash == before);
    const auto told = [&](std::uint64_t to) {
        bool news = false;
        const auto answer = here.refusal([&](tx& now) -> result<> {
            news = PERDURE_TRY(here.all.refuse(now, which, to, errc::insufficient_funds));
            return {};
        });
        BOOST_TEST(!answer);
        return news;
    };
    BOOST_TEST(told(2));
    BOOST_TEST(!told(2));
    BOOST_TEST(!told(1));
    BOOST_TEST(here.row("vault").refused == 1U);
    const auto news = here.events<yield_refused_v1>(event_type::yield_refused, 1);
    BOOST_TEST_REQUIRE(news.size() == 1U);
    BOOST_TEST(news[0].amount == 27);
    BOOST_TEST(news[0].refusal == static_cast<std::uint32_t>(errc::insufficient_funds));
    BOOST_TEST(here.refusal([&](tx& now) {
                       return here.all.refuse(now, which, 3, errc::insufficient_funds);
                   })
                   .value() == errc::out_of_step);
    // Who cannot wait gives it up and has the principal back.
    BOOST_TEST(!here.staked("vault", 1, 1, 100'000));
    here.pass_days(1);
    BOOST_TEST(!here.unstaked(stake_of("vault", 1), {.forfeits = true}));
    BOOST_TEST(here.balance(player(1)) == 1'000'000);
    const auto ended = here.events<unstaked_v1>(event_type::unstaked, 1);
    BOOST_TEST(ended.back().forfeited == 13);
    BOOST_TEST(!here.refusal(
        [&](tx& now) { return here.books.transfer(now, player(2), bank, gold, 1'000); }));
    BOOST_TEST(!here.paid(which, 0, 3));
    BOOST_TEST(here.balance(player(0)) == 900'041);
    BOOST_TEST(here.faults() == "");
}

BOOST_AUTO_TEST_CASE(a_faucet_pays_within_its_budget) {
    staking here(30);
    auto terms = here.terms(simple, 5 * percent);
    terms.from = mint_works;
    BOOST_TEST(!here.opened("vault", terms));
    BOOST_TEST(!here.staked("vault", 0, 1, 100'000));
    const auto which = stake_of("vault", 0);
    here.pass_days(3);
    BOOST_TEST(here.paid(which, 0, 3).value() == errc::budget_exceeded);
    BOOST_TEST(!here.paid(which, 0, 2));
    BOOST_TEST(here.balance(player(0)) == 900'027);
    BOOST_TEST(here.balance(bank) == 30);
    const auto faucet =
        here.by[0].read([&](view& seen) { return here.books.faucet(seen, mint_works); }).value();
    BOOST_TEST(faucet.used == 27);
    BOOST_TEST(here.faults() == "");
}

BOOST_FIXTURE_TEST_CASE(a_closed_programme_pays_what_has_begun, vault) {
    pass_hours(36);
    BOOST_TEST(refusal([&](tx& now) {
                   return all.close_programme(now, player(0), programme_id::of("vault"));
               }).value() == errc::not_authorised);
    const auto close = [&](tx& now) {
        return all.close_programme(now, banker, programme_id::of("vault"));
    };
    BOOST_TEST(!refusal(close));
    BOOST_TEST(refusal(close).value() == errc::programme_closed);
    BOOST_TEST(staked("vault", 2, 1, 1'000).value() == errc::programme_closed);
    BOOST_TEST(due(plain).to == 1U);
    pass_days(400);
    BOOST_TEST(due(plain).to == 2U);
    BOOST_TEST(paid(plain, 0, 3).value() == errc::out_of_step);
    BOOST_TEST(!unstaked(plain));
    BOOST_TEST(balance(player(0)) == 1'000'027);
}

BOOST_FIXTURE_TEST_CASE(a_stake_keeps_the_rate_it_was_made_with, vault) {
    const auto set = [&](account_id who, std::uint64_t rate) {
        return refusal(
            [&](tx& now) { return all.set_rate(now, who, programme_id::of("vault"), rate); });
    };
    BOOST_TEST(set(player(0), percent).value() == errc::not_authorised);
    BOOST_TEST(set(banker, apy_ppb_most + 1).value() == errc::bad_setting);
    pass_days(1);
    BOOST_TEST(!set(banker, 50 * percent));
    BOOST_TEST(!staked("vault", 2, 1, 100'000));
    pass_days(364);
    BOOST_TEST(due(plain).value == 5'000);
    pass_days(1);
    BOOST_TEST(due(stake_of("vault", 2)).value == 50'000);
    BOOST_TEST(events<programme_set_v1>(event_type::programme_set, 1).size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(a_payout_of_nothing_moves_no_units_and_counts, vault) {
    BOOST_TEST(!staked("vault", 2, 1, 1));
    pass_days(2);
    const auto postings = events<transferred_v2>(event_type::transferred, 2).size();
    BOOST_TEST(!paid(stake_of("vault", 2), 0, 2));
    BOOST_TEST(row(stake_of("vault", 2)).periods_paid == 2U);
    BOOST_TEST(events<transferred_v2>(event_type::transferred, 2).size() == postings);
    BOOST_TEST(events<yield_paid_v1>(event_type::yield_paid, 1).back().amount == 0);
}

BOOST_FIXTURE_TEST_CASE(a_refused_opening_changes_nothing, vault) {
    BOOST_TEST(!refusal([&](tx& now) -> result<> {
        PERDURE_TRY(books.open_account(now, "escrow/taken", account_kind::player));
        PERDURE_TRY(books.create_asset(now, "sword", 0, treasury, unique));
        PERDURE_TRY(books.create_asset(now, "ore", 0, treasury));
        return books.open_faucet(now, treasury, "sink", {faucet_kind::sink, gold, banker, 0})
                   ? result<>()
                   : result<>(errc::exists);
    }));
    const auto before = look().image_hash;
    const auto sound = terms(simple, percent);
    const auto with = [&](auto change) {
        auto made = sound;
        change(made);
        return opened("other", made).value_or(errc{});
    };
    using t = programme_terms;
    BOOST_TEST(opened("", sound).value() == errc::unknown_programme);
    BOOST_TEST(opened(std::string(33, 'v'), sound).value() == errc::unknown_programme);
    BOOST_TEST(opened("vault", sound).value() == errc::exists);
    BOOST_TEST(opened("taken", sound).value() == errc::exists);
    BOOST_TEST(with([](t& it) { it.yield.period_ns = 1; }) == errc::bad_setting);
    BOOST_TEST(with([](t& it) { it.asset = asset_id::of("none"); }) == errc::unknown_asset);
    BOOST_TEST(with([](t& it) { it.asset = asset_id::of("sword"); }) == errc::serial_required);
    BOOST_TEST(with([](t& it) { it.authority = player(9); }) == errc::unknown_account);
    BOOST_TEST(with([](t& it) { it.from = player(9); }) == errc::unknown_account);
    BOOST_TEST(with([](t& it) { it.from = faucet_id::of("none"); }) == errc::unknown_faucet);
    BOOST_TEST(with([](t& it) { it.from = faucet_id::of("sink"); }) == errc::wrong_faucet);
    BOOST_TEST(with([](t& it) {
                   it.from = mint_works;
                   it.asset = asset_id::of("ore");
               }) == errc::wrong_faucet);
    BOOST_TEST(with([](t& it) {
                   it.from = mint_works;
                   it.authority = treasury;
               }) == errc::not_authorised);
    BOOST_TEST(look().image_hash == before);
}

BOOST_FIXTURE_TEST_CASE(a_refused_stake_changes_nothing_also_where_its_transaction_goes_on, vault) {
    BOOST_TEST(!refusal([&](tx& now) { return books.freeze(now, player(3), forever, {}); }));
    pass_days(1);
    const auto before = look().image_hash;
    const auto id = programme_id::of("vault");
    const auto all_refused = by[1].write([&](tx& now) -> result<> {
        const auto expect = [](auto answer, errc why) { BOOST_TEST(answer.error() == why); };
        expect(all.stake(now, programme_id::of("none"), player(0), 7, 1), errc::unknown_programme);
        expect(all.stake(now, id, player(0), 1, 5), errc::exists);
        expect(all.stake(now, id, player(0), 7, 0), errc::bad_amount);
        expect(all.stake(now, id, player(0), 7, 2'000'000), errc::insufficient_funds);
        expect(all.stake(now, id, player(3), 7, 5), errc::account_frozen);
        expect(all.stake(now, id, bank, 7, 5), errc::same_account);
        expect(all.stake(now, id, player(9), 7, 5), errc::unknown_account);
        expect(all.pay(now, plain, 0, 2), errc::out_of_step);
        expect(all.pay(now, stake_of("vault", 3), 0, 1), errc::unknown_stake);
        expect(all.refuse(now, stake_of("vault", 3), 1, errc::stalled), errc::unknown_stake);
        expect(all.unstake(now, stake_of("vault", 3)), errc::unknown_stake);
        expect(all.unstake(now, plain, {.part = 100'001}), errc::insufficient_funds);
        expect(all.set_rate(now, banker, programme_id::of("none"), 1), errc::unknown_programme);
        return {};
    });
    BOOST_TEST(all_refused.has_value());
    BOOST_TEST(look().image_hash == before);
    BOOST_TEST(faults() == "");
}

BOOST_FIXTURE_TEST_CASE(interest_that_would_not_fit_is_refused_and_the_stake_can_still_be_ended,
                        vault) {
    auto steep = terms(compound, apy_ppb_most);
    BOOST_TEST(!opened("steep", steep));
    BOOST_TEST(!staked("steep", 2, 1, 1'000));
    pass_days(365 * 9);
    const auto which = stake_of("steep", 2);
    BOOST_TEST(paid(which, 0, 365 * 9).value() == errc::overflow);
    BOOST_TEST(unstaked(which).value() == errc::overflow);
    BOOST_TEST(!paid(which, 0, 10));
    BOOST_TEST(!unstaked(which, {.forfeits = true}));
    BOOST_TEST(balance(player(2)) == 1'000'000 + row("steep").distributed);
    BOOST_TEST(faults() == "");
}

}  // namespace

// SPDX-License-Identifier: Apache-2.0
//
// Claims of core/ledger.hpp, transfer() and post(): all legs or none, per asset nothing is made or
// lost, an account in several legs must afford their sum; every posting says who and why.
#include <boost/test/unit_test.hpp>
#include <perdure/tests/core/open_ledger.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;

const asset_id ore = asset_id::of("ore");

struct stocked_ledger : open_ledger {
    stocked_ledger() {
        found(4, 1000);
        const auto laid = by[0].write([&](tx& now) -> result<> {
            PERDURE_TRY(books.create_asset(now, "ore", 0, treasury));
            return books.mint(now, treasury, player(3), ore, 50);
        });
        static_cast<void>(laid.value());
    }
    std::optional<errc> posted(std::vector<leg> legs, posting_note note = {}) {
        return refusal([&](tx& now) { return books.post(now, legs, note); });
    }
};

BOOST_FIXTURE_TEST_CASE(a_trade_is_four_legs_of_one_batch, stocked_ledger) {
    BOOST_TEST(!posted({{player(0), gold, -100},
                        {player(3), gold, 90},
                        {treasury, gold, 10},
                        {player(3), ore, -7},
                        {player(0), ore, 7}}));
    BOOST_TEST(balance(player(0)) == 900);
    BOOST_TEST(balance(player(3)) == 1090);
    BOOST_TEST(balance(treasury) == 10);
    BOOST_TEST(holding(player(0), ore).available == 7);
    BOOST_TEST(holding(player(3), ore).available == 43);
    BOOST_TEST(faults() == "");
}

BOOST_FIXTURE_TEST_CASE(a_batch_that_is_refused_changes_nothing, stocked_ledger) {
    const auto before = look().image_hash;
    BOOST_TEST((posted({}) == errc::bad_amount));
    BOOST_TEST((posted({{player(0), gold, 0}}) == errc::bad_amount));
    BOOST_TEST((posted({{player(0), gold, -5}, {player(1), gold, 4}}) == errc::unbalanced));
    BOOST_TEST((posted({{player(0), gold, -5}, {player(1), ore, 5}}) == errc::unbalanced));
    BOOST_TEST(
        (posted({{player(0), gold, INT64_MIN}, {player(1), gold, INT64_MIN}}) == errc::unbalanced));
    BOOST_TEST(
        (posted({{player(0), gold, -1001}, {player(1), gold, 1001}}) == errc::insufficient_funds));
    BOOST_TEST((posted({{player(0), gold, -5}, {player(9), gold, 5}}) == errc::unknown_account));
    const auto none = asset_id::of("none");
    BOOST_TEST((posted({{player(0), none, -5}, {player(1), none, 5}}) == errc::unknown_asset));
    std::vector<leg> many;
    for (std::size_t i = 0; i <= legs_max; ++i) many.push_back({player(0), gold, 1});
    BOOST_TEST((posted(many) == errc::too_many_legs));
    BOOST_TEST(look().image_hash == before);
}

BOOST_FIXTURE_TEST_CASE(a_refusal_leaves_no_trace_in_a_transaction_that_goes_on, stocked_ledger) {
    BOOST_TEST(!refusal([&](tx& now) -> result<> {
        // The second pair cannot pay, after the first one could; the treasury has no row yet.
        const std::vector<leg> legs{{player(0), gold, -10},
                                    {treasury, gold, 10},
                                    {player(1), gold, -5000},
                                    {player(2), gold, 5000}};
        if (books.post(now, legs).error() != errc::insufficient_funds) return errc::garbled;
        const auto unpaid = books.transfer(now, treasury, player(0), gold, 1);
        if (unpaid.error() != errc::insufficient_funds) return errc::garbled;
        return {};
    }));
    BOOST_TEST(balance(player(0)) == 1000);
    BOOST_TEST(faults() == "");
    const auto row = by[0].read([&](view& seen) {
        return shm::find_row(seen, books.numbers().balances, key_of(treasury, gold));
    });
    BOOST_TEST((row.error() == errc::not_found));
}

BOOST_FIXTURE_TEST_CASE(an_account_in_several_legs_must_afford_their_sum, stocked_ledger) {
    // 1000 are there: 600 + 600 out and 200 in fit, 600 + 600 alone do not.
    BOOST_TEST(
        (posted({{player(0), gold, -600}, {player(0), gold, -600}, {player(1), gold, 1200}}) ==
         errc::insufficient_funds));
    BOOST_TEST(!posted({{player(0), gold, -600},
                        {player(0), gold, -600},
                        {player(1), gold, 1000},
                        {player(0), gold, 200}}));
    BOOST_TEST(balance(player(0)) == 0);
    BOOST_TEST(balance(player(1)) == 2000);
}

BOOST_FIXTURE_TEST_CASE(every_posting_says_who_and_why, stocked_ledger) {
    const auto clerk = player(2);
    BOOST_TEST(!refusal([&](tx& now) {
        return books.transfer(now, player(0), player(1), gold, 5,
                              {.reason = 7, .reference = 8, .actor = clerk});
    }));
    BOOST_TEST(
        !refusal([&](tx& now) { return books.transfer(now, player(0), player(1), gold, 6); }));
    const auto paid = events<transferred_v2>(event_type::transferred, 2);
    BOOST_TEST_REQUIRE(paid.size() == 2U);
    BOOST_TEST(paid[0].amount == 5);
    BOOST_TEST(paid[0].reason == 7U);
    BOOST_TEST(paid[0].reference == 8U);
    BOOST_TEST((paid[0].actor == account_words{clerk.high, clerk.low}));
    BOOST_TEST((paid[1].actor == paid[1].source));
    BOOST_TEST(!posted({{player(0), gold, -5}, {player(1), gold, 5}}, {.reason = 9}));
    const auto legs = events<posted_v1>(event_type::posted, 1);
    BOOST_TEST_REQUIRE(legs.size() == 2U);
    BOOST_TEST(legs[0].amount == -5);
    BOOST_TEST(legs[1].leg == 1U);
    BOOST_TEST(legs[1].legs == 2U);
    BOOST_TEST(legs[1].reason == 9U);
    BOOST_TEST((legs[1].actor == legs[1].account));
    const auto minted = events<supply_moved_v2>(event_type::minted, 2);
    BOOST_TEST_REQUIRE(minted.size() == 5U);
    BOOST_TEST((minted[4].actor == account_words{treasury.high, treasury.low}));
    BOOST_TEST((minted[4].faucet == shm::transaction_key{}));
}

}  // namespace

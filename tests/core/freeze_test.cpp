// SPDX-License-Identifier: Apache-2.0
//
// Claims of core/ledger.hpp, freeze() and unfreeze(): nothing leaves a frozen account, whatever it
// has or gets; it can be paid; the freeze ends by the clock or by hand.
#include <boost/test/unit_test.hpp>
#include <perdure/tests/core/open_ledger.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;

const asset_id sword = asset_id::of("sword");

struct frosty_ledger : open_ledger {
    frosty_ledger() {
        found(3, 1000);
        const auto laid = by[0].write([&](tx& now) -> result<> {
            PERDURE_TRY(books.create_asset(now, "sword", 0, treasury, unique));
            PERDURE_TRY(books.create_item(now, treasury, {sword, 1}, player(0)));
            return books.hold(now, {5, 5}, player(0), gold, 100);
        });
        static_cast<void>(laid.value());
        clock.now = 1000;
    }
    std::optional<errc> freeze(std::uint64_t until) {
        return refusal([&](tx& now) {
            return books.freeze(now, player(0), until, {.reason = 66, .actor = treasury});
        });
    }
    std::optional<errc> pay(account_id from, account_id to) {
        return refusal([&](tx& now) { return books.transfer(now, from, to, gold, 1); });
    }
    balance_row row(account_id account, asset_id asset) {
        return by[0]
            .read([&](view& seen) {
                return shm::get_key<balance_row>(seen, books.numbers().balances,
                                                 key_of(account, asset));
            })
            .value();
    }
};

BOOST_FIXTURE_TEST_CASE(nothing_leaves_a_frozen_account, frosty_ledger) {
    BOOST_TEST(!freeze(forever));
    const auto before = look().image_hash;
    BOOST_TEST((pay(player(0), player(1)) == errc::account_frozen));
    BOOST_TEST((refusal([&](tx& now) { return books.burn(now, treasury, player(0), gold, 1); }) ==
                errc::account_frozen));
    BOOST_TEST((refusal([&](tx& now) {
                    return books.hold(now, {6, 6}, player(0), gold, 1);
                }) == errc::account_frozen));
    BOOST_TEST((refusal([&](tx& now) {
                    return books.move_item(now, player(0), player(1), {sword, 1});
                }) == errc::account_frozen));
    BOOST_TEST((refusal([&](tx& now) {
                    return books.destroy_item(now, treasury, {sword, 1});
                }) == errc::account_frozen));
    // Also where other legs bring as much.
    const std::array legs{leg{player(0), gold, -5}, leg{player(0), gold, 9},
                          leg{player(1), gold, -4}};
    BOOST_TEST((refusal([&](tx& now) { return books.post(now, legs); }) == errc::account_frozen));
    BOOST_TEST(look().image_hash == before);
    const auto account = by[0].read([&](view& seen) { return books.account(seen, player(0)); });
    BOOST_TEST(account->frozen_until == forever);
    BOOST_TEST(account->freeze_reason == 66U);
    BOOST_TEST((account->frozen_by == account_words{treasury.high, treasury.low}));
    const auto seen = events<freeze_set_v1>(event_type::account_frozen, 1);
    BOOST_TEST_REQUIRE(seen.size() == 1U);
    BOOST_TEST(seen[0].until_wall_ns == forever);
}

BOOST_FIXTURE_TEST_CASE(a_frozen_account_is_paid_and_its_holds_are_kept, frosty_ledger) {
    BOOST_TEST(!freeze(forever));
    BOOST_TEST(!pay(player(1), player(0)));
    BOOST_TEST(!refusal([&](tx& now) { return books.mint(now, treasury, player(0), gold, 9); }));
    BOOST_TEST(!refusal([&](tx& now) { return books.capture(now, {5, 5}, player(1), 60); }));
    BOOST_TEST(!refusal([&](tx& now) { return books.release(now, {5, 5}); }));
    BOOST_TEST(balance(player(0)) == 950);
    BOOST_TEST(balance(player(1)) == 1059);
    BOOST_TEST(faults() == "");
}

BOOST_FIXTURE_TEST_CASE(an_asset_that_comes_later_is_frozen_too, frosty_ledger) {
    BOOST_TEST(!freeze(forever));
    const auto ore = asset_id::of("ore");
    BOOST_TEST(!refusal([&](tx& now) -> result<> {
        PERDURE_TRY(books.create_asset(now, "ore", 0, treasury));
        return books.mint(now, treasury, player(0), ore, 5);
    }));
    BOOST_TEST((refusal([&](tx& now) {
                    return books.transfer(now, player(0), player(1), ore, 1);
                }) == errc::account_frozen));
}

BOOST_FIXTURE_TEST_CASE(an_asset_of_the_same_transaction_is_frozen_too, frosty_ledger) {
    const auto ore = asset_id::of("ore");
    BOOST_TEST((refusal([&](tx& now) -> result<> {
                    PERDURE_TRY(books.create_asset(now, "ore", 0, treasury));
                    PERDURE_TRY(books.mint(now, treasury, player(0), ore, 5));
                    PERDURE_TRY(books.freeze(now, player(0), forever, {}));
                    return books.transfer(now, player(0), player(1), ore, 1);
                }) == errc::account_frozen));
}

BOOST_FIXTURE_TEST_CASE(a_freeze_ends_by_the_clock, frosty_ledger) {
    BOOST_TEST(!freeze(2000));
    clock.now = 1999;
    BOOST_TEST((pay(player(0), player(1)) == errc::account_frozen));
    clock.now = 2000;
    BOOST_TEST(row(player(0), gold).flags == static_cast<std::uint32_t>(frozen));
    BOOST_TEST(!pay(player(0), player(1)));
    // The first payment takes the flag away: from then on two rows are enough again.
    BOOST_TEST(row(player(0), gold).flags == 0U);
    BOOST_TEST((freeze(0) == errc::bad_amount));
}

BOOST_FIXTURE_TEST_CASE(a_freeze_ends_by_hand, frosty_ledger) {
    BOOST_TEST(!freeze(forever));
    const auto thaw = [&](account_id who) {
        return refusal([&](tx& now) { return books.unfreeze(now, who, {.actor = treasury}); });
    };
    BOOST_TEST(!thaw(player(0)));
    BOOST_TEST(!thaw(player(0)));
    BOOST_TEST((thaw(player(9)) == errc::unknown_account));
    BOOST_TEST(!pay(player(0), player(1)));
    BOOST_TEST(row(player(0), gold).flags == 0U);
    BOOST_TEST(events<freeze_set_v1>(event_type::account_unfrozen, 1).size() == 1U);
    BOOST_TEST(faults() == "");
}

}  // namespace

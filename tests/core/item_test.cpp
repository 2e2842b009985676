// SPDX-License-Identifier: Apache-2.0
//
// Claims of core/ledger.hpp, items: one owner a serial, whose balance counts it (L4); a serial is
// used once; without a serial nothing of a unique asset moves.
#include <boost/test/unit_test.hpp>
#include <perdure/tests/core/open_ledger.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;

const asset_id sword = asset_id::of("sword");
constexpr account_id smith = player(2);

struct armed_ledger : open_ledger {
    armed_ledger() {
        found(3, 1000);
        const auto laid = by[0].write([&](tx& now) -> result<> {
            PERDURE_TRY(books.create_asset(now, "sword", 0, smith, unique));
            return books.create_item(now, smith, {sword, 7}, player(0), {.reason = 1});
        });
        static_cast<void>(laid.value());
    }
    std::optional<errc> created(account_id who, item_id item, account_id to = player(0)) {
        return refusal([&](tx& now) { return books.create_item(now, who, item, to); });
    }
    std::optional<errc> moved(account_id from, account_id to, item_id item) {
        return refusal([&](tx& now) {
            return books.move_item(now, from, to, item, {.reason = 2, .actor = treasury});
        });
    }
    std::optional<errc> destroyed(account_id who, item_id item) {
        return refusal([&](tx& now) { return books.destroy_item(now, who, item); });
    }
    result<item_row> look_at(item_id item) {
        return by[0].read([&](view& seen) { return books.item(seen, item); });
    }
};

BOOST_FIXTURE_TEST_CASE(an_item_has_one_owner_who_counts_it, armed_ledger) {
    BOOST_TEST(!created(smith, {sword, 8}));
    BOOST_TEST(holding(player(0), sword).available == 2);
    BOOST_TEST(!moved(player(0), player(1), {sword, 7}));
    BOOST_TEST(holding(player(0), sword).available == 1);
    BOOST_TEST(holding(player(1), sword).available == 1);
    const auto row = look_at({sword, 7}).value();
    BOOST_TEST((row.owner == account_words{player(1).high, 0}));
    BOOST_TEST(row.reason == 2U);
    BOOST_TEST((moved(player(0), player(2), {sword, 7}) == errc::not_owner));
    BOOST_TEST(faults() == "");
    const auto seen = events<item_moved_v1>(event_type::item_moved, 1);
    BOOST_TEST_REQUIRE(seen.size() == 1U);
    BOOST_TEST(seen[0].serial == 7U);
    BOOST_TEST((seen[0].actor == account_words{treasury.high, treasury.low}));
}

BOOST_FIXTURE_TEST_CASE(a_serial_is_used_once, armed_ledger) {
    BOOST_TEST((created(smith, {sword, 7}) == errc::exists));
    BOOST_TEST(!destroyed(smith, {sword, 7}));
    BOOST_TEST((look_at({sword, 7}).error() == errc::unknown_item));
    BOOST_TEST(holding(player(0), sword).available == 0);
    BOOST_TEST((created(smith, {sword, 7}) == errc::exists));
    BOOST_TEST((destroyed(smith, {sword, 7}) == errc::unknown_item));
    BOOST_TEST((moved(player(0), player(1), {sword, 7}) == errc::unknown_item));
    const auto unit = by[0].read([&](view& seen) { return books.asset(seen, sword); }).value();
    BOOST_TEST(unit.supply == 0);
    BOOST_TEST(unit.minted == 1);
    BOOST_TEST(faults() == "");
}

BOOST_FIXTURE_TEST_CASE(a_faucet_bounds_how_many_there_can_be, armed_ledger) {
    const auto forge = faucet_id::of("forge");
    BOOST_TEST(!refusal([&](tx& now) {
        return books.open_faucet(now, smith, "forge", {faucet_kind::faucet, sword, player(1), 2});
    }));
    const auto forged = [&](std::uint64_t serial) {
        return refusal([&](tx& now) {
            return books.create_item(now, {player(1), forge}, {sword, serial}, player(0));
        });
    };
    BOOST_TEST(!forged(100));
    BOOST_TEST(!forged(101));
    BOOST_TEST((forged(102) == errc::budget_exceeded));
    BOOST_TEST((created(player(1), {sword, 102}) == errc::not_authorised));
    BOOST_TEST(holding(player(0), sword).available == 3);
    BOOST_TEST(faults() == "");
}

BOOST_FIXTURE_TEST_CASE(nothing_of_a_unique_asset_moves_without_its_serial, armed_ledger) {
    const auto before = look().image_hash;
    const auto refused = [&](auto&& operation) { return refusal(operation); };
    BOOST_TEST((refused([&](tx& now) {
                    return books.transfer(now, player(0), player(1), sword, 1);
                }) == errc::serial_required));
    BOOST_TEST((refused([&](tx& now) { return books.mint(now, smith, player(0), sword, 1); }) ==
                errc::serial_required));
    BOOST_TEST((refused([&](tx& now) { return books.burn(now, smith, player(0), sword, 1); }) ==
                errc::serial_required));
    BOOST_TEST((refused([&](tx& now) {
                    return books.hold(now, {1, 1}, player(0), sword, 1);
                }) == errc::serial_required));
    const std::array legs{leg{player(0), sword, -1}, leg{player(1), sword, 1}};
    BOOST_TEST((refused([&](tx& now) { return books.post(now, legs); }) == errc::serial_required));
    BOOST_TEST((refused([&](tx& now) {
                    return books.create_item(now, treasury, {gold, 1}, player(0));
                }) == errc::not_unique));
    BOOST_TEST((refused([&](tx& now) {
                    return books.create_asset(now, "shield", 1, smith, unique);
                }) == errc::bad_amount));
    BOOST_TEST((moved(player(0), player(0), {sword, 7}) == errc::same_account));
    BOOST_TEST((moved(player(0), player(9), {sword, 7}) == errc::unknown_account));
    BOOST_TEST((moved(player(0), player(1), {sword, 9}) == errc::unknown_item));
    BOOST_TEST(look().image_hash == before);
}

}  // namespace

// SPDX-License-Identifier: Apache-2.0
//
// Claims of core/ledger.hpp, hold(), release() and capture(): what is held is the account's but not
// available, goes back or on in parts, its row with the last unit (L3); refusals change nothing.
#include <boost/test/unit_test.hpp>
#include <perdure/tests/core/open_ledger.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;

constexpr shm::row_key order{41, 1};

struct held_ledger : open_ledger {
    held_ledger() {
        found(3, 1000);
        BOOST_TEST_REQUIRE(!hold(order, 400));
    }
    std::optional<errc> hold(const shm::row_key& id, amount value) {
        return refusal([&](tx& now) {
            return books.hold(now, id, player(0), gold, value, {.reason = 3, .reference = 12});
        });
    }
    std::optional<errc> release(const shm::row_key& id, std::optional<amount> part = {}) {
        return refusal([&](tx& now) { return books.release(now, id, part, {.reason = 4}); });
    }
    std::optional<errc> capture(const shm::row_key& id, account_id to,
                                std::optional<amount> part = {}) {
        return refusal([&](tx& now) { return books.capture(now, id, to, part); });
    }
    result<hold_row> look_at(const shm::row_key& id) {
        return by[0].read([&](view& seen) { return books.held(seen, id); });
    }
};

BOOST_FIXTURE_TEST_CASE(what_is_held_cannot_be_spent, held_ledger) {
    BOOST_TEST(holding(player(0), gold).available == 600);
    BOOST_TEST(holding(player(0), gold).held == 400);
    BOOST_TEST((refusal([&](tx& now) {
                    return books.transfer(now, player(0), player(1), gold, 601);
                }) == errc::insufficient_funds));
    const auto row = look_at(order).value();
    BOOST_TEST(row.amount == 400);
    BOOST_TEST(row.reason == 3U);
    BOOST_TEST(row.reference == 12U);
    BOOST_TEST(faults() == "");
}

BOOST_FIXTURE_TEST_CASE(a_hold_goes_back_and_on_in_parts_until_nothing_is_left, held_ledger) {
    BOOST_TEST(!release(order, 150));
    BOOST_TEST(!capture(order, player(1), 200));
    BOOST_TEST(look_at(order).value().amount == 50);
    BOOST_TEST(!capture(order, player(2)));
    BOOST_TEST((look_at(order).error() == errc::unknown_hold));
    BOOST_TEST(holding(player(0), gold).available == 750);
    BOOST_TEST(holding(player(0), gold).held == 0);
    BOOST_TEST(balance(player(1)) == 1200);
    BOOST_TEST(balance(player(2)) == 1050);
    BOOST_TEST(!hold(order, 1));  // The id is free again.
    BOOST_TEST(faults() == "");
    const auto captured = events<hold_moved_v1>(event_type::captured, 1);
    BOOST_TEST_REQUIRE(captured.size() == 2U);
    BOOST_TEST(captured[0].amount == 200);
    BOOST_TEST(captured[0].left == 50);
    BOOST_TEST((captured[0].hold == order));
    BOOST_TEST(captured[1].left == 0);
    BOOST_TEST(events<hold_moved_v1>(event_type::released, 1).at(0).reason == 4U);
}

BOOST_FIXTURE_TEST_CASE(refused_holds_change_nothing, held_ledger) {
    const auto before = look().image_hash;
    BOOST_TEST((hold(order, 1) == errc::exists));
    BOOST_TEST((hold({42, 1}, 0) == errc::bad_amount));
    BOOST_TEST((hold({42, 1}, 601) == errc::insufficient_funds));
    BOOST_TEST((release({42, 1}) == errc::unknown_hold));
    BOOST_TEST((release(order, 0) == errc::bad_amount));
    BOOST_TEST((release(order, 401) == errc::insufficient_funds));
    BOOST_TEST((capture(order, player(0)) == errc::same_account));
    BOOST_TEST((capture(order, player(9)) == errc::unknown_account));
    BOOST_TEST((capture({42, 1}, player(1)) == errc::unknown_hold));
    BOOST_TEST((capture(order, player(1), -1) == errc::bad_amount));
    BOOST_TEST(look().image_hash == before);
}

}  // namespace

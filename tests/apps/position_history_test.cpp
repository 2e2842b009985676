// SPDX-License-Identifier: Apache-2.0
//
// Claims of apps/cli/position_history.hpp: what several participants did to a position is told
// newest first, each record once, whether it lies in one row, in shards, or did so for a while;
// and the changes add up to what is there.
#include <boost/test/unit_test.hpp>
#include <perdure/apps/cli/position_history.hpp>
#include <perdure/tests/core/scene.hpp>
#include <random>

namespace {

using namespace perdure;
using namespace perdure::apps;
using namespace perdure::tests;

/// A sink that pays and is paid by two sessions, and what was done to it.
struct busy_treasury {
    scene place;
    world in = place.open();
    session one = in.join();
    session other = in.join();
    std::vector<std::pair<std::uint64_t, amount>> done;  ///< LSN and gain.
    std::mt19937 random{7};

    busy_treasury() {
        found(in, one, 4, 1000);
        paid(0, 300);
    }
    void paid(std::uint64_t by, amount value) {
        auto& self = random() % 2 == 0 ? one : other;
        const auto from = value > 0 ? player(by) : treasury;
        const auto to = value > 0 ? treasury : player(by);
        const auto lsn = self.write([&](tx& now) {
                                 return in.books().transfer(now, from, to, gold, std::abs(value));
                             })
                             .value()
                             .lsn;
        done.emplace_back(lsn, value);
    }
    void pay_at_random(int times) {
        for (int i = 0; i < times; ++i) {
            const auto value = static_cast<amount>(random() % 20) + 1;
            paid(random() % 4, random() % 2 == 0 ? value : -value);
        }
    }
    void spread(std::uint32_t shards) {
        const auto moved = one.write([&](tx& now) -> result<> {
            if (shards == 0) return in.books().unshard(now, treasury, gold);
            return in.books().shard(now, treasury, gold, shards);
        });
        BOOST_TEST_REQUIRE(moved.has_value());
    }
    position_rows look() {
        return one
            .read([&](view& seen) { return position_rows::look(seen, in.books(), treasury, gold); })
            .value();
    }
    /// The position's changes, the oldest first, but for those that gained nothing.
    std::vector<std::pair<std::uint64_t, amount>> told(const position_rows& from) {
        io::kernel_calls calls;
        io::record_finder records(in.region(), calls, place.directory());
        position_history history(records, in.books(), from);
        std::vector<std::pair<std::uint64_t, amount>> out;
        position_change change;
        std::uint64_t newest = ~0ULL;
        while (history.next(change).value()) {
            BOOST_TEST(change.lsn < newest);
            newest = change.lsn;
            BOOST_TEST(change.gained.held == 0);
            if (change.gained.available != 0) out.emplace_back(change.lsn, change.gained.available);
        }
        std::reverse(out.begin(), out.end());
        return out;
    }
};

BOOST_AUTO_TEST_CASE(a_plain_position_is_one_rows_history) {
    busy_treasury here;
    here.pay_at_random(200);
    const auto from = here.look();
    BOOST_TEST(from.shards() == 0U);
    BOOST_TEST(from.lsn == here.done.back().first);
    BOOST_TEST((here.told(from) == here.done));
}

BOOST_AUTO_TEST_CASE(shards_are_told_as_one_position) {
    busy_treasury here;
    here.pay_at_random(50);
    here.spread(4);
    here.pay_at_random(200);
    const auto from = here.look();
    BOOST_TEST(from.shards() == 4U);
    amount sum = 0;
    for (const auto& each : here.done) sum += each.second;
    BOOST_TEST(from.now.available == sum);
    // Spreading moves everything and gains nothing.
    BOOST_TEST((here.told(from) == here.done));
}

BOOST_AUTO_TEST_CASE(shards_that_are_gone_show_what_went_and_what_came_back) {
    busy_treasury here;
    here.pay_at_random(20);
    const auto before = here.done;
    here.spread(8);
    here.pay_at_random(60);
    here.spread(0);
    const auto from = here.look();
    const auto told = here.told(from);
    BOOST_TEST_REQUIRE(told.size() == before.size() + 2);
    BOOST_TEST(
        (std::vector(told.begin(), told.begin() + static_cast<long>(before.size())) == before));
    amount went = 0;
    for (const auto& each : before) went += each.second;
    BOOST_TEST(told[before.size()].second == -went);
    BOOST_TEST(told.back().second == from.now.available);
}

BOOST_AUTO_TEST_CASE(what_is_not_there_is_not_found) {
    busy_treasury here;
    const auto none = here.one.read(
        [&](view& seen) { return position_rows::look(seen, here.in.books(), player(77), gold); });
    BOOST_TEST((none.error() == errc::not_found));
}

}  // namespace

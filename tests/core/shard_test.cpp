// SPDX-License-Identifier: Apache-2.0
//
// Claims of core/ledger.hpp, shard() and unshard(): a sharded balance is the sum of its shards and
// behaves like any other; participants that only credit it share no row; state_hash does not say
// who wrote.
#include <boost/test/unit_test.hpp>
#include <perdure/tests/core/open_ledger.hpp>
#include <random>

namespace {

using namespace perdure;
using namespace perdure::tests;

struct spread_ledger : open_ledger {
    spread_ledger() {
        found(3, 1000);
        const auto laid = by[0].write([&](tx& now) -> result<> {
            PERDURE_TRY(books.mint(now, treasury, treasury, gold, 90));
            return books.shard(now, treasury, gold, 4);
        });
        static_cast<void>(laid.value());
    }
    std::optional<errc> pay(account_id from, account_id to, amount value, std::size_t who) {
        return refusal([&](tx& now) { return books.transfer(now, from, to, gold, value); }, who);
    }
    /// What each shard holds.
    std::vector<amount> parts() {
        std::vector<amount> found;
        const auto table = books.numbers().shards;
        const std::uint64_t rows = where.descriptor(table).row_high;
        for (std::uint64_t row = 0; row < rows; ++row) {
            const auto& seen = *where.at<shard_row>(shm::locate(where, table, row));
            if (seen.header.live == 1) found.push_back(seen.available);
        }
        return found;
    }
};

BOOST_FIXTURE_TEST_CASE(each_participant_credits_a_shard_of_its_own, spread_ledger) {
    BOOST_TEST(balance(treasury) == 90);
    BOOST_TEST(!pay(player(0), treasury, 10, 0));
    BOOST_TEST(!pay(player(0), treasury, 20, 1));
    BOOST_TEST(!pay(player(1), treasury, 30, 2));
    BOOST_TEST(balance(treasury) == 150);
    auto seen = parts();
    std::sort(seen.begin(), seen.end());
    BOOST_TEST((seen == std::vector<amount>{0, 20, 30, 100}));
    BOOST_TEST(faults() == "");
}

BOOST_FIXTURE_TEST_CASE(credits_of_two_participants_meet_in_no_row, spread_ledger) {
    // While one transaction is open, another one's credit goes through: it waits for nothing.
    const auto outer = by[0].write([&](tx& now) -> result<> {
        PERDURE_TRY(books.transfer(now, player(0), treasury, gold, 1));
        return pay(player(1), treasury, 2, 1) ? result<>(errc::stalled) : result<>();
    });
    BOOST_TEST(outer.has_value());
    BOOST_TEST(balance(treasury) == 93);
}

BOOST_FIXTURE_TEST_CASE(a_debit_gathers_what_it_needs, spread_ledger) {
    BOOST_TEST(!pay(player(0), treasury, 10, 0));
    BOOST_TEST(!pay(player(0), treasury, 20, 1));
    BOOST_TEST((pay(treasury, player(2), 121, 2) == errc::insufficient_funds));
    BOOST_TEST(!pay(treasury, player(2), 115, 2));
    BOOST_TEST(balance(treasury) == 5);
    BOOST_TEST(balance(player(2)) == 1115);
    BOOST_TEST(!refusal([&](tx& now) { return books.hold(now, {1, 1}, treasury, gold, 5); }, 1));
    BOOST_TEST(holding(treasury, gold).held == 5);
    BOOST_TEST(balance(treasury) == 0);
    BOOST_TEST(!refusal([&](tx& now) { return books.capture(now, {1, 1}, player(0), 2); }));
    BOOST_TEST(!refusal([&](tx& now) { return books.release(now, {1, 1}); }, 2));
    BOOST_TEST(balance(treasury) == 3);
    BOOST_TEST(faults() == "");
}

BOOST_FIXTURE_TEST_CASE(what_was_spread_can_be_gathered, spread_ledger) {
    BOOST_TEST(!pay(player(0), treasury, 10, 1));
    const auto gather = [&] {
        return refusal([&](tx& now) { return books.unshard(now, treasury, gold); });
    };
    const auto spread = [&](account_id who, std::uint32_t count) {
        return refusal([&](tx& now) { return books.shard(now, who, gold, count); });
    };
    BOOST_TEST((spread(treasury, 8) == errc::exists));
    BOOST_TEST(!gather());
    BOOST_TEST(parts().empty());
    BOOST_TEST(balance(treasury) == 100);
    BOOST_TEST((gather() == errc::not_found));
    for (const std::uint32_t count : {0U, 1U, 3U, 65U, 128U}) {
        BOOST_TEST((spread(treasury, count) == errc::bad_shards), count);
    }
    BOOST_TEST((spread(player(9), 2) == errc::unknown_account));
    BOOST_TEST(!spread(treasury, 64));
    BOOST_TEST(parts().size() == 64U);
    BOOST_TEST(balance(treasury) == 100);
    BOOST_TEST(faults() == "");
}

BOOST_FIXTURE_TEST_CASE(a_frozen_treasury_keeps_what_is_spread, spread_ledger) {
    BOOST_TEST(!refusal([&](tx& now) { return books.freeze(now, treasury, 50, {}); }));
    BOOST_TEST((pay(treasury, player(0), 1, 1) == errc::account_frozen));
    BOOST_TEST(!pay(player(0), treasury, 1, 1));
    clock.now = 50;
    BOOST_TEST(!pay(treasury, player(0), 1, 1));
    BOOST_TEST(balance(treasury) == 90);
}

/// A thousand payments to and from a treasury of four shards, by as many participants.
void trade(spread_ledger& in, std::size_t participants) {
    std::mt19937_64 random(5);
    for (int i = 0; i < 1000; ++i) {
        const auto who = player(random() % 3);
        const auto value = static_cast<amount>(random() % 50) + 1;
        const bool comes = random() % 3 != 0;
        const auto by = random() % 3 % participants;
        in.pay(comes ? who : treasury, comes ? treasury : who, value, by);
    }
}

BOOST_AUTO_TEST_CASE(the_state_hash_does_not_say_who_wrote) {
    spread_ledger one;
    spread_ledger three;
    BOOST_TEST(one.look().state_hash == three.look().state_hash);
    trade(one, 1);
    trade(three, 3);
    BOOST_TEST((one.parts() != three.parts()));
    BOOST_TEST(one.look().state_hash == three.look().state_hash);
    BOOST_TEST(one.look().image_hash != three.look().image_hash);
    // It still says how much there is.
    BOOST_TEST(!one.pay(player(0), treasury, 1, 0));
    BOOST_TEST(one.look().state_hash != three.look().state_hash);
    BOOST_TEST(!three.pay(player(0), treasury, 1, 2));
    BOOST_TEST(one.look().state_hash == three.look().state_hash);
    BOOST_TEST(three.faults() == "");
}

}  // namespace

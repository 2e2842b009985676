// SPDX-License-Identifier: Apache-2.0
//
// Claims of world::snapshot beside processes that write at full speed and a keeper that takes
// checkpoints: money is conserved in each one, each is what a replay up to its record makes, and
// who may only read can take one. tests/io/snapshot_test.cpp looks at the protocol.
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <iostream>
#include <perdure/core/ledger_format.hpp>
#include <perdure/io/audit.hpp>
#include <perdure/tests/core/scene.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;

constexpr std::uint64_t players = 3000;
constexpr amount each = 1000;

/// Pays at random until it is told to stop; its exit code.
int pay_until(const scene& where, const std::atomic<bool>& stop, std::uint64_t seed) {
    auto in = where.open();
    auto by = in.join();
    std::uint64_t dice = seed;
    while (!stop.load()) {
        dice = dice * 6364136223846793005ULL + 1442695040888963407ULL;
        const auto from = (dice >> 33) % players;
        const auto to = (from + 1 + (dice >> 20) % (players - 1)) % players;
        const auto paid = pay(in, by, from, to, 1 + static_cast<amount>(dice >> 60));
        if (!paid && paid.error() != errc::insufficient_funds) return 1;
    }
    return 0;
}

int keep_until(const scene& where, const std::atomic<bool>& stop) {
    auto options = where.options();
    options.checkpoints.journal_bytes = 2 << 20;
    auto in = world::open(where.directory(), options);
    in.keep([&] { return stop.load(); });
    return 0;
}

struct busy_scene : scene {
    world in = open();
    shared_one<std::atomic<bool>> stop;
    std::optional<child> keeper;
    std::optional<child> first;
    std::optional<child> second;

    busy_scene() {
        auto by = in.join();
        found(in, by, 8, each);
        for (std::uint64_t i = 8; i < players; ++i) {
            const auto opened = by.write([&](tx& now) -> result<> {
                PERDURE_TRY(in.books().open_account(now, player(i), account_kind::player));
                return in.books().mint(now, treasury, player(i), gold, each);
            });
            BOOST_TEST_REQUIRE(opened.has_value());
        }
        keeper.emplace([this] { return keep_until(*this, *stop); });
        first.emplace([this] { return pay_until(*this, *stop, 1); });
        second.emplace([this] { return pay_until(*this, *stop, 2); });
    }
    void rest() {
        stop->store(true);
        BOOST_TEST(first->wait() == 0);
        BOOST_TEST(second->wait() == 0);
        BOOST_TEST(keeper->wait() == 0);
    }
    std::string replayed_hash(std::uint64_t lsn) const {
        const auto then = world::recall(
            directory(), options(), {.by = io::past_point::kind::lsn, .number = lsn, .text = {}});
        return io::examine(io::take_image(then.region())).image_hash;
    }
};

/// What all accounts have together.
amount sum_of(const io::snapshot& seen) {
    amount sum = 0;
    io::snapshot::each_row<balance_row>(
        *seen.table("balances"), [&](const balance_row& row) { sum += row.available + row.held; });
    return sum;
}

BOOST_FIXTURE_TEST_CASE(money_is_conserved_in_each_and_each_is_a_replay_to_its_record, busy_scene) {
    std::vector<std::pair<std::uint64_t, std::string>> seen;
    std::uint64_t replayed = 0;
    std::uint64_t last = 0;
    for (int turn = 0; turn < 2000 && (seen.size() < 30 || replayed < 3000); ++turn) {
        const auto taken = in.snapshot();
        BOOST_TEST_REQUIRE(taken.lsn() >= last);
        last = taken.lsn();
        BOOST_TEST_REQUIRE(sum_of(taken) == static_cast<amount>(players) * each);
        const auto examined = io::examine(taken.content());
        BOOST_TEST_REQUIRE(examined.conserved);
        BOOST_TEST_REQUIRE(examined.problems.empty());
        replayed += taken.replayed();
        seen.emplace_back(last, examined.image_hash);
    }
    rest();
    BOOST_TEST(replayed >= 3000U);
    std::size_t compared = 0;
    for (std::size_t i = 0; i < seen.size(); i += 1 + seen.size() / 8, ++compared) {
        BOOST_TEST(replayed_hash(seen[i].first) == seen[i].second, "LSN " << seen[i].first);
    }
    std::cout << seen.size() << " snapshots, " << replayed << " records replayed, " << compared
              << " compared with a replay\n";
}

BOOST_FIXTURE_TEST_CASE(who_may_only_read_takes_one_too, busy_scene) {
    auto options = this->options();
    options.mode = shm::access::read_only;
    const auto looking = world::open(directory(), options);
    for (int turn = 0; turn < 10; ++turn) {
        const auto taken = looking.snapshot({.tables = {"balances"}});
        BOOST_TEST(taken.content().tables.size() == 1U);
        BOOST_TEST_REQUIRE(sum_of(taken) == static_cast<amount>(players) * each);
    }
    rest();
    const auto refused = [&] { static_cast<void>(looking.snapshot({.tables = {"nothing"}})); };
    BOOST_CHECK_EXCEPTION(refused(), failure,
                          [](const auto& why) { return why.reason() == errc::unknown_table; });
}

}  // namespace

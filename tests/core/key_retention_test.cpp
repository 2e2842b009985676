// SPDX-License-Identifier: Apache-2.0
//
// Claims: a key is known for as many commits as are kept and not for ever; a pinned one is; what is
// dropped stays dropped after a recovery, what is kept stays known; a keeper sees to it by itself;
// balances have no part in any of this.
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <perdure/core/key_retention.hpp>
#include <thread>

#include "scene.hpp"

namespace {

using namespace perdure;
using namespace perdure::tests;

constexpr std::uint64_t kept = 2048;
constexpr std::uint64_t keyed_commits = 3 * kept;
constexpr shm::transaction_key pinned{1, 1};
constexpr shm::transaction_key key_of(std::uint64_t number) { return {2, number}; }

/// True if the key was known; else a payment is made under it.
bool pay_once(world& in, session& by, const shm::transaction_key& key, key_life life) {
    bool known = false;
    const auto paid = by.write([&](tx& now) -> result<> {
        known = PERDURE_TRY(in.books().once(now, key, life)).has_value();
        if (known) return {};
        return in.books().transfer(now, player(0), player(1), gold, 1);
    });
    BOOST_TEST_REQUIRE(paid.has_value());
    return known;
}

bool is_known(world& in, session& by, const shm::transaction_key& key) {
    const auto row = by.read(
        [&](view& seen) { return shm::get_key<key_row>(seen, in.books().numbers().keys, key); });
    return row.has_value();
}

void pay_them_all(world& in, session& by) {
    BOOST_TEST(!pay_once(in, by, pinned, key_life::pinned));
    for (std::uint64_t i = 0; i < keyed_commits; ++i) {
        BOOST_REQUIRE(!pay_once(in, by, key_of(i), key_life::retained));
    }
}

void look_at_the_keys(world& in, session& by) {
    BOOST_TEST(is_known(in, by, pinned));
    for (std::uint64_t i = 0; i < keyed_commits; ++i) {
        const bool must_go = i < keyed_commits - kept - kept / 4;
        const bool must_stay = i >= keyed_commits - kept;
        if (must_go) BOOST_REQUIRE(!is_known(in, by, key_of(i)));
        if (must_stay) BOOST_REQUIRE(is_known(in, by, key_of(i)));
    }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(core_key_retention)

BOOST_AUTO_TEST_CASE(old_keys_are_dropped_and_stay_dropped) {
    scene where;
    std::string state;
    {
        auto in = where.open();
        auto by = in.join();
        found(in, by, 2, 1'000'000);
        key_retention keys(in.region(), in.books(), kept);
        keys.step();  // Nothing is old yet.
        pay_them_all(in, by);
        // Room in the ring for what is dropped: nobody drains here while keys are stepped.
        const auto paid = in.status();
        const receipt last_paid{paid.last_lsn, paid.incarnation};
        BOOST_TEST(in.wait(by, last_paid, durability::durable).has_value());
        const auto before = in.verify(by);
        BOOST_TEST(before.sound);
        for (int i = 0; i < 1000; ++i) keys.step();
        look_at_the_keys(in, by);
        const auto after = in.verify(by);
        BOOST_TEST(after.sound);
        BOOST_TEST(after.state_hash == before.state_hash);
        BOOST_TEST(after.image_hash != before.image_hash);
        state = after.state_hash;
        const auto last = by.write(
            [&](tx& now) { return in.books().transfer(now, player(0), player(1), gold, 1); });
        BOOST_TEST_REQUIRE(last.has_value());
        BOOST_TEST(in.wait(by, *last, durability::durable).has_value());
    }
    where.delete_region();
    auto in = where.open();
    auto by = in.join();
    BOOST_TEST(in.opened().recovered);
    look_at_the_keys(in, by);
    // What was dropped may be used again.
    BOOST_TEST(!pay_once(in, by, key_of(0), key_life::retained));
    BOOST_TEST(pay_once(in, by, key_of(0), key_life::retained));
    BOOST_TEST(pay_once(in, by, pinned, key_life::pinned));
}

BOOST_AUTO_TEST_CASE(a_keeper_drops_them_by_itself) {
    scene where;
    auto options = where.options();
    options.keys_kept = kept;
    auto kept_world = world::open(where.directory(), options);
    std::atomic<bool> stop{false};
    std::thread keeper([&] { kept_world.keep([&] { return stop.load(); }); });
    {
        auto in = world::open(where.directory(), options);
        auto by = in.join();
        found(in, by, 2, 1'000'000);
        pay_them_all(in, by);
        bool gone = false;
        for (int i = 0; i < 2000 && !gone; ++i) {
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
            gone = !is_known(in, by, key_of(keyed_commits - kept - kept / 4 - 1));
        }
        BOOST_TEST(gone);
        BOOST_TEST(is_known(in, by, pinned));
        BOOST_TEST(is_known(in, by, key_of(keyed_commits - 1)));
        const auto seen = in.verify(by);
        BOOST_TEST(seen.sound, (seen.problems.empty() ? "" : seen.problems.front()));
    }
    stop = true;
    keeper.join();
}

BOOST_AUTO_TEST_SUITE_END()

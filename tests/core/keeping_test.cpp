// SPDX-License-Identifier: Apache-2.0
//
// Claims of core/world.hpp and io/keeper.hpp over several processes: one keeper at a time and a
// next one when it stops or dies; none needed where a process waits; durability that is lost stays
// lost; a region that was replaced writes nothing any more.
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <perdure/tests/core/scene.hpp>
#include <thread>

namespace {

using namespace perdure;
using namespace perdure::tests;

struct open_scene : scene {
    world in = open();
    session by = in.join();
    receipt last = found(in, by, 8, 10'000);

    receipt pay_some(int times = 1) {
        for (int i = 0; i < times; ++i) {
            const auto from = static_cast<std::uint64_t>(i) % 8;
            last = pay(in, by, from, (from + 1) % 8, 1).value();
        }
        return last;
    }
    result<> settle(const receipt& paid) { return in.wait(by, paid, durability::durable); }
    std::uint64_t durable() { return in.status().durable_lsn; }
    /// What another process does until `stop` is set; its exit code.
    [[nodiscard]] int pay_until(const std::atomic<bool>& stop) const {
        auto there = open();
        auto me = there.join();
        for (std::uint64_t i = 0; !stop.load(); ++i) {
            if (!pay(there, me, i % 8, (i + 1) % 8, 1)) return 1;
        }
        return 0;
    }
};

/// Keeps the scene's world in another process until `stop` is set.
int keep(const scene& where, const std::atomic<bool>& stop) {
    auto in = where.open();
    in.keep([&] { return stop.load(); });
    return 0;
}

BOOST_FIXTURE_TEST_CASE(without_a_keeper_who_waits_drains, open_scene) {
    const auto paid = pay_some(10);
    BOOST_TEST(durable() < paid.lsn);
    BOOST_TEST(in.status().keeper_pid == 0U);
    BOOST_TEST(settle(paid).has_value());
    BOOST_TEST(durable() >= paid.lsn);
    BOOST_TEST(in.status().lag_bytes == 0U);
}

BOOST_FIXTURE_TEST_CASE(without_a_keeper_who_meets_a_full_ring_drains, open_scene) {
    scene where;
    auto options = where.options();
    options.ring_bytes = 64ULL << 10;
    auto small = world::open(where.directory(), options);
    auto me = small.join();
    found(small, me, 8, 10'000);
    for (std::uint64_t i = 0; i < 3000; ++i) {
        BOOST_TEST_REQUIRE(pay(small, me, i % 8, (i + 1) % 8, 1).has_value());
    }
    BOOST_TEST(small.status().durable_lsn != 0U);
    BOOST_TEST(small.verify(me).sound);
}

BOOST_FIXTURE_TEST_CASE(one_process_waits_while_another_never_ceases_to_commit, open_scene) {
    shared_one<std::atomic<bool>> stop;
    child busy([&] { return pay_until(*stop); });
    for (int i = 0; i < 20; ++i) BOOST_TEST_REQUIRE(settle(pay_some()).has_value());
    stop->store(true);
    BOOST_TEST(busy.wait() == 0);
    BOOST_TEST(in.verify(by).sound);
}

BOOST_FIXTURE_TEST_CASE(a_keeper_stops_though_others_never_cease_to_commit, open_scene) {
    shared_one<std::atomic<bool>> stop;
    child busy([&] { return pay_until(*stop); });
    const auto from = durable();
    in.keep([&] { return durable() > from + 1000; });
    BOOST_TEST(durable() > from + 1000);
    stop->store(true);
    BOOST_TEST(busy.wait() == 0);
}

BOOST_FIXTURE_TEST_CASE(a_standby_takes_over_when_the_keeper_is_killed_or_stops, open_scene) {
    shared_one<std::atomic<bool>> stop_second;
    shared_one<std::atomic<bool>> stop_third;
    child first([&] { return keep(*this, *stop_third); });
    const auto kept_by = [&](const child& who) {
        return eventually(
            [&] { return in.status().keeper_pid == static_cast<std::uint32_t>(who.pid()); });
    };
    BOOST_TEST_REQUIRE(kept_by(first));
    child second([&] { return keep(*this, *stop_second); });
    BOOST_TEST(settle(pay_some(50)).has_value());
    BOOST_TEST(in.status().keeper_pid == static_cast<std::uint32_t>(first.pid()));
    const auto epoch = in.status().keeper_epoch;
    BOOST_TEST(first.kill() == 128 + SIGKILL);
    BOOST_TEST_REQUIRE(kept_by(second));
    BOOST_TEST(in.status().keeper_epoch > epoch);
    BOOST_TEST(settle(pay_some(50)).has_value());
    child third([&] { return keep(*this, *stop_third); });
    stop_second->store(true);
    BOOST_TEST(second.wait() == 0);
    BOOST_TEST_REQUIRE(kept_by(third));
    BOOST_TEST(settle(pay_some(50)).has_value());
    BOOST_TEST(in.verify(by).sound);
    stop_third->store(true);
    BOOST_TEST(third.wait() == 0);
    BOOST_TEST(in.status().keeper_pid == 0U);
}

BOOST_FIXTURE_TEST_CASE(who_sits_down_in_a_dead_keepers_slot_is_not_taken_for_it, open_scene) {
    shared_one<std::atomic<bool>> never;
    child keeper([&] { return keep(*this, *never); });
    const auto pid = static_cast<std::uint32_t>(keeper.pid());
    BOOST_TEST_REQUIRE(eventually([&] { return in.status().keeper_pid == pid; }));
    const auto slot = shm::load(in.region().header().keeper.slot);
    keeper.kill();
    auto next = in.join();
    BOOST_TEST_REQUIRE(next.self().owner() == slot);
    BOOST_TEST(in.status().keeper_pid == 0U);
    BOOST_TEST(in.wait(next, pay_some(5), durability::durable).has_value());
    BOOST_TEST(settle(pay_some(5)).has_value());
}

BOOST_FIXTURE_TEST_CASE(a_keeper_and_a_waiting_thread_of_one_process_do_not_meet, open_scene) {
    std::atomic<bool> stop = false;
    std::thread waiter([&] {
        auto me = in.join();
        for (std::uint64_t i = 0; i < 300; ++i) {
            const auto paid = pay(in, me, i % 8, (i + 1) % 8, 1).value();
            if (!in.wait(me, paid, durability::durable)) break;
        }
        stop = true;
    });
    // Short turns as keeper, so that help() and keep() begin beside each other again and again.
    while (!stop) {
        int asked = 0;
        in.keep([&] { return ++asked > 3 || stop; });
    }
    waiter.join();
    BOOST_TEST(in.status().fault == 0U);
    BOOST_TEST(in.verify(by).sound);
}

BOOST_FIXTURE_TEST_CASE(a_receipt_of_another_incarnation_is_refused, open_scene) {
    const auto paid = pay_some();
    BOOST_TEST(settle({paid.lsn, paid.incarnation + 1}).error() == errc::garbled);
    BOOST_TEST(settle({0, paid.incarnation + 1}).has_value());
}

/// Linux, but for what is asked to fail.
struct failing_calls final : io::kernel_calls {
    int syncs = 0;   ///< So many of the next ones fail.
    int writes = 0;  ///< So many of the next ones find the disk full.
    int synced_after_failure = 0;
    bool failed = false;

    int sync(int descriptor) noexcept override {
        if (failed) ++synced_after_failure;
        if (syncs == 0) return io::kernel_calls::sync(descriptor);
        --syncs;
        failed = true;
        return -EIO;
    }
    std::int64_t write(int descriptor, std::span<const std::byte> from,
                       std::uint64_t offset) noexcept override {
        if (writes == 0) return io::kernel_calls::write(descriptor, from, offset);
        --writes;
        failed = true;
        return -ENOSPC;
    }
};

/// Loses durability by `fail`, then looks at everything that is promised about it.
void lose_durability(const std::function<void(failing_calls&)>& fail) {
    scene where;
    failing_calls calls;
    auto options = where.options();
    options.calls = &calls;
    std::uint64_t durable = 0;
    {
        auto in = world::open(where.directory(), options);
        auto by = in.join();
        found(in, by, 8, 1000);
        const auto kept = pay(in, by, 0, 1, 100).value();
        BOOST_TEST_REQUIRE(in.wait(by, kept, durability::durable).has_value());
        durable = in.status().durable_lsn;
        fail(calls);
        const auto lost = pay(in, by, 1, 2, 7).value();
        BOOST_TEST(in.wait(by, lost, durability::durable).error() == errc::durability_lost);
        // The device is well again, and nobody believes it.
        for (int turn = 0; turn < 3; ++turn) {
            BOOST_TEST(in.wait(by, lost, durability::durable).error() == errc::durability_lost);
        }
        BOOST_TEST(in.wait(by, kept, durability::durable).has_value());
        BOOST_TEST(calls.synced_after_failure == 0);
        BOOST_TEST(in.status().durable_lsn == durable);
        BOOST_TEST(in.status().fault != 0U);
        BOOST_TEST(pay(in, by, 0, 1, 1).has_value());
        BOOST_CHECK_EXCEPTION(in.keep([] { return false; }), failure, [](const failure& why) {
            return why.reason() == errc::durability_lost;
        });
        auto again = where.open();  // Another process, as it were, over the same region.
        auto me = again.join();
        BOOST_TEST(again.wait(me, lost, durability::durable).error() == errc::durability_lost);
        BOOST_TEST(again.status().durable_lsn == durable);
    }
    where.delete_region();
    auto in = where.open();
    auto by = in.join();
    BOOST_TEST(in.opened().recovered);
    BOOST_TEST(in.status().fault == 0U);
    BOOST_TEST(in.status().last_lsn >= durable);
    BOOST_TEST(balance_of(in, by, player(0)).value() == 900);
    BOOST_TEST(in.wait(by, pay(in, by, 1, 0, 1).value(), durability::durable).has_value());
    BOOST_TEST(in.verify(by).sound);
}

BOOST_AUTO_TEST_CASE(a_failed_sync_is_final_though_the_next_one_would_succeed) {
    lose_durability([](failing_calls& calls) { calls.syncs = 1; });
}

BOOST_AUTO_TEST_CASE(a_full_disk_is_final_until_the_restart) {
    lose_durability([](failing_calls& calls) { calls.writes = 1; });
}

BOOST_FIXTURE_TEST_CASE(a_region_that_was_replaced_cannot_write_the_journal, open_scene) {
    for (const bool has_written : {false, true}) {
        scene where;
        auto stale = where.open();
        auto me = stale.join();
        auto paid = found(stale, me, 4, 1000);
        child first([&] {
            auto there = where.open();
            auto self = there.join();
            return there.wait(self, paid, durability::durable).has_value() ? 0 : 1;
        });
        BOOST_TEST(first.wait() == 0);
        // With its journal open already, or not.
        if (has_written) {
            paid = pay(stale, me, 0, 1, 1).value();
            BOOST_TEST_REQUIRE(stale.wait(me, paid, durability::durable).has_value());
        }
        where.delete_region();
        auto fresh = where.open();
        auto self = fresh.join();
        BOOST_TEST(fresh.opened().recovered);
        const auto lost = pay(stale, me, 0, 1, 500);
        BOOST_TEST_REQUIRE(lost.has_value());  // Applied, in memory that nobody else will ever see.
        BOOST_TEST(stale.wait(me, *lost, durability::durable).error() == errc::lease_lost);
        BOOST_CHECK_EXCEPTION(stale.keep([] { return false; }), failure,
                              [](const failure& why) { return why.reason() == errc::lease_lost; });
        paid = pay(fresh, self, 2, 3, 20).value();
        BOOST_TEST(fresh.wait(self, paid, durability::durable).has_value());
        BOOST_TEST(stale.wait(me, *lost, durability::durable).error() == errc::lease_lost);
        const auto now = fresh.verify(self);
        BOOST_TEST(now.sound);
        where.delete_region();
        auto third = where.open();
        auto reader = third.join();
        BOOST_TEST(third.verify(reader).state_hash == now.state_hash);
        BOOST_TEST(balance_of(third, reader, player(3)).value() == 1020);
    }
}

}  // namespace

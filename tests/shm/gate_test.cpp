// SPDX-License-Identifier: Apache-2.0
//
// Claims of shm/gate: behind a closed gate nobody is active, and nobody stays locked out.
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <perdure/tests/shm/open_bank.hpp>
#include <thread>

namespace {

using namespace perdure;
using namespace perdure::shm;
using namespace perdure::tests;

deadline soon() { return deadline::in(std::chrono::milliseconds(20)); }

BOOST_AUTO_TEST_CASE(a_closed_gate_turns_transactions_away_and_an_open_one_lets_them_in) {
    open_bank bank(2);
    std::thread([&] {
        auto closer = participant::join(bank.where).value();
        BOOST_REQUIRE(close_gate(closer, soon()).has_value());
        std::thread([&] {
            auto other = participant::join(bank.where).value();
            transaction tx(other);
            BOOST_CHECK(move(tx, bank.in, 0, 1, 1).error() == errc::conflict);
            BOOST_CHECK(tx.why() == rerun::gate);
            tx.roll_back();
            BOOST_TEST(is_clean(other.control()));
            tx.forget();
            const std::array<std::uint64_t, 1> told{7};
            tx.event(1, 1, std::as_bytes(std::span(told)));
            BOOST_CHECK(tx.commit().error() ==
                        errc::conflict);  // No stripe: the ring lock is first.
            BOOST_CHECK(tx.why() == rerun::gate);
            BOOST_CHECK(tx.await(soon()).error() == errc::stalled);
        }).join();
        open_gate(closer);
    }).join();
    BOOST_TEST(transfer(bank.self, bank.in, 0, 1, 1).has_value());
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(its_closer_may_work_behind_the_gate) {
    open_bank bank(2);
    auto& self = bank.self.self();
    BOOST_REQUIRE(close_gate(self, soon()).has_value());
    transaction tx(self);
    BOOST_REQUIRE(move(tx, bank.in, 0, 1, 1).has_value());
    BOOST_TEST(tx.commit().has_value());
    open_gate(self);
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(the_gate_does_not_close_over_an_active_transaction) {
    open_bank bank(2);
    std::atomic<int> stage{0};
    std::thread other([&] {
        auto busy = participant::join(bank.where).value();
        transaction tx(busy);
        BOOST_REQUIRE(move(tx, bank.in, 0, 1, 1).has_value());
        stage = 1;
        stage.notify_all();
        stage.wait(1);
        tx.roll_back();
    });
    stage.wait(0);
    BOOST_CHECK(close_gate(bank.self.self(), soon()).error() == errc::stalled);
    BOOST_TEST(load(bank.where.header().gate.value) == 0U);
    stage = 2;
    stage.notify_all();
    other.join();
    BOOST_TEST(close_gate(bank.self.self(), soon()).has_value());
    open_gate(bank.self.self());
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(one_closer_at_a_time) {
    open_bank bank;
    BOOST_REQUIRE(close_gate(bank.self.self(), soon()).has_value());
    std::thread([&] {
        auto second = participant::join(bank.where).value();
        BOOST_CHECK(close_gate(second, soon()).error() == errc::stalled);
    }).join();
    open_gate(bank.self.self());
}

BOOST_AUTO_TEST_CASE(a_closer_that_cannot_be_is_garbled) {
    open_bank bank(2);
    bank.where.header().gate.value = 4711;
    const auto paid = transfer(bank.self, bank.in, 0, 1, 1);
    BOOST_CHECK(paid.error() == errc::garbled);
    bank.where.header().gate.value = 0;
    BOOST_TEST(transfer(bank.self, bank.in, 0, 1, 1).has_value());
}

BOOST_AUTO_TEST_CASE(behind_the_gate_the_world_stands_still) {
    open_bank bank(8);
    std::atomic<bool> stop{false};
    std::atomic<int> moved{0};
    const auto work = [&](std::uint64_t seed) {
        auto self = session::join(bank.where, &bank.keeper).value();
        while (!stop) {
            const auto from = seed++ % 8;
            if (transfer(self, bank.in, from, (from + 1) % 8, 1)) ++moved;
        }
    };
    // One draining helper may serve one thread at a time: two writers, one of them drains.
    std::thread worker(work, 1);
    for (int turn = 0; turn < 50; ++turn) {
        if (!close_gate(bank.self.self(), deadline::in(std::chrono::seconds(10)))) break;
        const auto before = digest_of(bank.where);
        const auto tail = load(bank.where.header().producer.tail);
        for (int i = 0; i < 200; ++i) bank.where.waits().pause();
        BOOST_TEST(load(bank.where.header().producer.tail) == tail);
        BOOST_TEST(digest_of(bank.where) == before);
        open_gate(bank.self.self());
    }
    stop = true;
    worker.join();
    BOOST_TEST(bank.keeper.fault == "");
    BOOST_TEST(bank.faults() == "");
}

}  // namespace

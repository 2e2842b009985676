// SPDX-License-Identifier: Apache-2.0
//
// Claims of io/room and of what keeper, checkpointer and journal do when the disk fills: the oldest
// history goes first and the two newest generations never; then commits are refused for as long as
// there is no room, nothing that was durable is lost, and all goes on by itself afterwards.
#include <boost/test/unit_test.hpp>
#include <perdure/io/recovery.hpp>
#include <perdure/io/room.hpp>
#include <perdure/tests/io/kept_bank.hpp>
#include <perdure/tests/print_errc.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;
using io::room_state;

struct told {
    std::vector<io::checkpoint_news> checkpoints;
    std::vector<io::room_news> room;
};

io::keeper_options telling(told* to) {
    io::keeper_options how{64ULL << 10};
    io::checkpointer_options checkpoints;
    checkpoints.tell = [to](const io::checkpoint_news& each) { to->checkpoints.push_back(each); };
    checkpoints.room_changed = [to](const io::room_news& each) { to->room.push_back(each); };
    how.checkpoints = std::move(checkpoints);
    return how;
}

struct full_bank {
    told news;
    kept_bank bank{16, telling(&news)};

    full_bank() {
        BOOST_TEST_REQUIRE(bank.keeper.take(bank.where).has_value());
        drain_all();
    }
    void drain_all() {
        while (bank.drain() != 0) {
        }
    }
    /// Until the disk refuses, or so many times.
    result<> pay_until_full(int times) {
        for (int i = 0; i < times; ++i) {
            bank.pay(20);
            const auto drained = bank.keeper.drain_once(bank.where);
            if (!drained) return drained.error();
        }
        return {};
    }
    void checkpoint() {
        BOOST_TEST_REQUIRE(bank.keeper.checkpoint(bank.where, true).value());
        BOOST_TEST_REQUIRE(bank.keeper.take(bank.where).has_value());
    }
    io::manifest promised() {
        std::optional<io::finding> found;
        return io::manifest::open(bank.files, "world", io::open_mode::read, found).value();
    }
    void check_books() {
        std::string words;
        const auto again = bank.replayed(words);
        BOOST_TEST(words == "");
        BOOST_TEST(difference(image_of(bank.where), again) == "");
    }
    shm::durable_mark& mark() { return bank.where.header().durable; }
};

BOOST_AUTO_TEST_CASE(less_room_means_a_later_state) {
    BOOST_TEST((io::judge_room(0, 0) == room_state::roomy));
    BOOST_TEST((io::judge_room(100, 100) == room_state::roomy));
    BOOST_TEST((io::judge_room(99, 100) == room_state::tight));
    BOOST_TEST((io::judge_room(50, 100) == room_state::tight));
    BOOST_TEST((io::judge_room(49, 100) == room_state::shedding));
}

BOOST_FIXTURE_TEST_CASE(a_full_disk_refuses_and_goes_on_when_there_is_room, full_bank) {
    const std::uint64_t room = bank.disk.used() + (160 << 10);
    bank.disk.hold(room);
    const auto refused = pay_until_full(2000);
    BOOST_TEST_REQUIRE(!refused.has_value());
    BOOST_TEST(refused.error() == errc::disk_full);
    BOOST_TEST(shm::load(mark().failed) == 0U);
    BOOST_TEST((static_cast<errc>(shm::load(mark().refusing)) == errc::disk_full));
    BOOST_TEST((static_cast<room_state>(shm::load(mark().room)) == room_state::refusing));
    BOOST_TEST((news.room.back().state == room_state::refusing));
    BOOST_TEST(bank.disk.used() <= room);
    const auto before = bank.mark();
    BOOST_TEST(before < bank.last());
    const auto content = read_journal(bank.disk);
    BOOST_TEST(!content.refused);
    BOOST_TEST(content.last_lsn == before);

    // Whoever waits is told at once, and so is who finds the ring full.
    shm::put(bank.where.header().keeper.slot, bank.self.self().owner());
    const shm::receipt last{bank.last(), bank.where.geometry().incarnation};
    const auto waited =
        shm::wait_durable(bank.where, nullptr, last, shm::deadline::in(std::chrono::seconds(60)));
    BOOST_TEST_REQUIRE(!waited.has_value());
    BOOST_TEST(waited.error() == errc::disk_full);
    shm::put(bank.where.header().keeper.slot, 0);

    // Again and again: nothing changes, and nothing is final.
    for (int i = 0; i < 3; ++i) {
        const auto again = bank.keeper.drain_once(bank.where);
        BOOST_TEST_REQUIRE(!again.has_value());
        BOOST_TEST(again.error() == errc::disk_full);
    }
    BOOST_TEST(bank.mark() == before);
    bank.disk.hold(room + (4 << 20));
    drain_all();
    BOOST_TEST(bank.mark() == bank.last());
    BOOST_TEST(shm::load(mark().refusing) == 0U);
    BOOST_TEST((news.room.back().state == room_state::tight));
    bank.pay(200);
    drain_all();
    check_books();
}

BOOST_FIXTURE_TEST_CASE(the_oldest_history_goes_before_anybody_is_refused, full_bank) {
    for (int i = 0; i < 5; ++i) {
        BOOST_TEST(pay_until_full(60).has_value());
        drain_all();
        checkpoint();
    }
    const auto all = promised();
    BOOST_TEST_REQUIRE(all.checkpoints().size() == 5U);
    const auto first_lsn = all.segments().front().first_lsn;
    bank.disk.hold(bank.disk.used() + (40 << 10));
    std::size_t refused = 0;
    for (int i = 0; i < 4000 && shm::load(mark().refusing) == 0; ++i) {
        if (!pay_until_full(1)) ++refused;
    }
    BOOST_TEST(shm::load(mark().refusing) != 0U);
    const auto left = promised();
    BOOST_TEST(left.checkpoints().size() == 2U);
    BOOST_TEST((left.checkpoints().back().id == all.checkpoints().back().id));
    BOOST_TEST(left.segments().front().first_lsn > first_lsn);
    std::size_t gone = 0;
    for (const auto& each : news.room) gone += each.checkpoints;
    BOOST_TEST(gone == 3U);
    // Each generation that went made room for some more.
    BOOST_TEST(refused > 3U);
    BOOST_TEST(!bank.disk.exists(io::checkpoint_path("world", all.checkpoints().front().lsn)));
    BOOST_TEST(!bank.disk.exists(io::segment_path("world", first_lsn)));

    // What is left is enough to recover by.
    bank.disk.hold(1ULL << 40);
    drain_all();
    shared_bytes memory(small_options().capacity_bytes);
    auto again = shm::region::over(memory.span(), small_options());
    io::opening_report report;
    const auto now = promised();
    const auto plan = io::plans_for(now, ~0ULL).front();
    BOOST_TEST_REQUIRE(io::recover(bank.files, now, plan, again, report).has_value());
    BOOST_TEST(difference(image_of(bank.where), image_of(again)) == "");
}

BOOST_FIXTURE_TEST_CASE(event_sourced_worlds_keep_their_journal, full_bank) {
    for (int i = 0; i < 4; ++i) {
        BOOST_TEST(pay_until_full(60).has_value());
        drain_all();
        checkpoint();
    }
    const auto all = promised();
    io::checkpoint_policy policy;
    auto goes = io::what_to_shed(policy, all, ~0ULL);
    BOOST_TEST(goes.checkpoints.size() == 1U);
    BOOST_TEST((goes.checkpoints.front().id == all.checkpoints().front().id));
    BOOST_TEST(!goes.segments.empty());
    BOOST_TEST(goes.segments.back().last_lsn <= all.checkpoints()[1].lsn);
    // What a cursor still needs stays.
    BOOST_TEST(io::what_to_shed(policy, all, 1).segments.empty());
    policy.strategy = io::keep_strategy::event_sourced;
    BOOST_TEST(io::what_to_shed(policy, all, ~0ULL).segments.empty());
}

}  // namespace

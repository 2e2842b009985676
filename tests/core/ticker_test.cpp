// SPDX-License-Identifier: Apache-2.0
//
// Claims of core/ticker.hpp, in time that the test sets: ticks end when they are due; what was
// missed goes by the policy, whoever kept the world and whatever the wall clock says; a stopped
// clock costs nothing; no tick ends twice, who dies or works beside another one included. Then in
// real time, with a real keeper.
#include <csignal>

#include <boost/test/unit_test.hpp>
#include <perdure/shm/crash_point.hpp>
#include <perdure/tests/core/clock_scene.hpp>
#include <perdure/tests/core/scene.hpp>
#include <random>

namespace {

using namespace perdure;
using namespace perdure::tests;

constexpr auto steady = static_cast<std::uint32_t>(tick_reason::steady);
constexpr auto made_up = static_cast<std::uint32_t>(tick_reason::made_up);

BOOST_FIXTURE_TEST_CASE(a_tick_ends_when_it_is_due_and_not_before, ticking) {
    live(missed_policy::exact);
    pass(second - 1);
    BOOST_TEST(windows().empty());
    pass(1);
    BOOST_TEST(row().tick == 1U);
    BOOST_TEST(shown() == 1U);
    pass(2 * second + second / 2);  // Several in one commit, the rest counts on.
    BOOST_TEST(last().ticks == 2U);
    pass(second / 2);
    BOOST_TEST(row().tick == 4U);
    BOOST_TEST(row().world_ns == 4 * second);
    BOOST_TEST(last().reason == steady);
    BOOST_TEST(windows().size() == 3U);
    for (int i = 0; i < 10; ++i) keeper->step();  // No time has passed.
    BOOST_TEST(windows().size() == 3U);
}

BOOST_FIXTURE_TEST_CASE(a_stopped_clock_takes_no_slot_and_writes_nothing, ticking) {
    const auto lsn = next_lsn();
    for (int i = 0; i < 100; ++i) pass(hour);
    BOOST_TEST(next_lsn() == lsn);
    // Every slot but ours is free: had the ticker joined, one would be missing.
    std::vector<shm::session> others;
    for (std::uint32_t i = 1; i < small_options().slot_count; ++i) {
        others.push_back(shm::session::join(where, nullptr).value());
    }
    others.clear();
    live(missed_policy::exact);
    pass(3 * second);
    BOOST_TEST(stop() == errc{});
    const auto stopped = next_lsn();
    for (int i = 0; i < 100; ++i) pass(hour);
    BOOST_TEST(next_lsn() == stopped);
    live(missed_policy::exact);  // What passed meanwhile was not missed.
    pass(second);
    BOOST_TEST(row().tick == 4U);
    BOOST_TEST(last().dropped_ns == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_stop_and_a_start_between_two_steps_count_anew, ticking) {
    live(missed_policy::exact);
    pass(second + second / 2);
    time.pass(second / 4);
    BOOST_TEST(stop() == errc{});
    time.pass(5 * second);
    BOOST_TEST(start({second, missed_policy::exact, day}) == errc{});
    keeper->step();
    pass(second - 1);
    BOOST_TEST(row().tick == 1U);
    pass(1);
    BOOST_TEST(row().tick == 2U);
}

BOOST_FIXTURE_TEST_CASE(what_nobody_was_there_for_is_made_up_when_the_policy_is_exact, ticking) {
    live(missed_policy::exact);
    pass(3 * second + second / 4);
    absence(hour);
    BOOST_TEST(row().world_ns == hour + 3 * second);
    BOOST_TEST(last().reason == made_up);
    BOOST_TEST(last().ticks == 3600U);
    BOOST_TEST(last().dropped_ns == 0U);
    pass(3 * second / 4);
    BOOST_TEST(row().world_ns == hour + 4 * second);
    BOOST_TEST(last().reason == steady);
}

BOOST_FIXTURE_TEST_CASE(world_time_stands_still_meanwhile_when_the_policy_is_skip, ticking) {
    live(missed_policy::skip);
    pass(3 * second);
    absence(hour);
    BOOST_TEST(row().world_ns == 3 * second);
    pass(second);
    BOOST_TEST(row().world_ns == 4 * second);
    BOOST_TEST(last().reason == steady);
    BOOST_TEST(last().dropped_ns == hour);
    pass(second);
    BOOST_TEST(last().dropped_ns == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_handover_within_a_tick_has_missed_none, ticking) {
    live(missed_policy::skip);
    pass(second / 2);
    absence(second / 4);
    pass(second / 4);
    BOOST_TEST(row().tick == 1U);
    BOOST_TEST(last().reason == steady);
    BOOST_TEST(last().dropped_ns == 0U);
}

BOOST_FIXTURE_TEST_CASE(no_more_is_made_up_at_once_than_the_most, ticking) {
    live(missed_policy::exact, hour + second / 2);
    pass(second);
    absence(day);
    BOOST_TEST(row().world_ns == hour + second);
    BOOST_TEST(last().dropped_ns == day - hour - second / 2);
    pass(second / 2);
    BOOST_TEST(row().world_ns == hour + 2 * second);
    BOOST_TEST(last().dropped_ns == 0U);
    BOOST_TEST(set({second, missed_policy::exact, 0}) == errc{});
    absence(day);
    BOOST_TEST(row().world_ns == hour + 2 * second);
    pass(second);
    BOOST_TEST(last().dropped_ns == day);
}

BOOST_FIXTURE_TEST_CASE(a_wall_clock_that_was_set_back_has_missed_nothing, ticking) {
    live(missed_policy::exact);
    pass(5 * second);
    time.wall -= day;
    pass(second);  // It has no say while one keeper lives.
    BOOST_TEST(row().tick == 6U);
    time.wall -= day;
    absence(hour);
    BOOST_TEST(row().tick == 6U);
    pass(second);
    BOOST_TEST(row().tick == 7U);
    BOOST_TEST(last().dropped_ns == 0U);
    time.wall += day;
    pass(second);
    BOOST_TEST(row().tick == 8U);
    time.wall += hour;
    absence(0);  // Nobody can tell it from an hour without a keeper.
    BOOST_TEST(row().tick == 8U + 3600U);
}

BOOST_FIXTURE_TEST_CASE(a_keeper_that_stood_still_was_not_there, ticking) {
    live(missed_policy::exact);
    pass(second / 2);
    pass(hour);
    BOOST_TEST(row().tick == 3600U);
    BOOST_TEST(last().reason == made_up);
    pass(second / 2);
    BOOST_TEST(last().reason == steady);
    BOOST_TEST(set({second, missed_policy::skip, day}) == errc{});
    pass(second / 2);
    pass(hour);
    BOOST_TEST(row().tick == 3601U);
    pass(second / 2);
    BOOST_TEST(row().tick == 3602U);
    BOOST_TEST(last().dropped_ns == hour);
    pass(ticker::absence_ns);  // As long as that it was only busy.
    BOOST_TEST(row().tick == 3612U);
    BOOST_TEST(last().reason == steady);
}

BOOST_FIXTURE_TEST_CASE(settings_change_in_the_midst_of_a_tick, ticking) {
    live(missed_policy::exact);
    pass(second + 600 * ms);
    BOOST_TEST(set({250 * ms, missed_policy::exact, day}) == errc{});
    keeper->step();
    BOOST_TEST(row().tick == 3U);
    BOOST_TEST(row().world_ns == second + 500 * ms);
    pass(150 * ms);
    BOOST_TEST(row().world_ns == second + 750 * ms);
    BOOST_TEST(set({hour, missed_policy::exact, day}) == errc{});
    pass(hour - 1);
    BOOST_TEST(row().tick == 4U);
    pass(1);
    BOOST_TEST(row().tick == 5U);
    BOOST_TEST(last().tick_ns == hour);
}

BOOST_FIXTURE_TEST_CASE(two_beside_each_other_end_each_tick_once, ticking) {
    live(missed_policy::exact);
    ticker other(where, clock);
    std::mt19937_64 random(4);
    std::uint64_t passed = 0;
    for (int turn = 0; turn < 3000; ++turn) {
        const auto more = random() % (2 * second);
        time.pass(more);
        passed += more;
        if (random() % 2 == 0) keeper->step();
        other.step();
        if (random() % 2 == 0) keeper->step();
        static_cast<void>(books.help(where));
    }
    keeper->step();
    static_cast<void>(last());
    BOOST_TEST(row().tick == passed / second);
}

BOOST_FIXTURE_TEST_CASE(a_tick_that_another_one_has_just_ended_is_not_ended_again, ticking) {
    live(missed_policy::exact);
    pass(second / 2);
    // After this one has looked, and before its transaction.
    time.meanwhile = [&] { BOOST_TEST(advance({1, time.wall}) == errc{}); };
    pass(second / 2);
    BOOST_TEST(!time.meanwhile);
    BOOST_TEST(row().tick == 1U);  // N1
    pass(second);
    BOOST_TEST(row().tick == 2U);
    BOOST_TEST(last().ticks == 1U);
    // The same with a stop: no tick ends in a stopped clock.
    pass(second / 2);
    time.meanwhile = [&] { BOOST_TEST(stop() == errc{}); };
    pass(second / 2);
    BOOST_TEST(row().tick == 2U);
}

BOOST_FIXTURE_TEST_CASE(what_could_not_be_committed_is_committed_later, ticking) {
    live(missed_policy::exact);
    pass(second);
    auto filler = shm::session::join(where, nullptr).value();
    const std::vector<std::byte> large(8192);
    const auto fill = [&] {
        return filler.write(
            [&](shm::transaction& in) -> result<> {
                in.event(2000, 1, large);
                return {};
            },
            shm::deadline::in(std::chrono::milliseconds(1)));
    };
    while (fill()) {
    }
    const std::vector<std::byte> small(8);
    while (filler.write(
        [&](shm::transaction& in) -> result<> {
            in.event(2000, 1, small);
            return {};
        },
        shm::deadline::in(std::chrono::milliseconds(1)))) {
    }
    for (int i = 0; i < 4; ++i) pass(second);
    BOOST_TEST(row().tick == 1U);
    static_cast<void>(books.help(where));
    pass(second);
    const auto seen = row();
    // Waits for room took a little time, too.
    BOOST_TEST(seen.tick == 6U);
    BOOST_TEST(last().reason == steady);
}

clock_row row_of(world& in, session& by) {
    return by.read([&](view& seen) { return in.clock().read(seen); }).value();
}

std::uint64_t shown_in(const world& in) { return shm::load(in.region().header().world_time.value); }

/// Commits a tick and dies before the header says so; does not return.
int die_untold(const scene& where) {
    auto in = where.open();
#if defined(PERDURE_RIG)
    shm::arm({.point = "ticker.show"});
    ticker keeper(in.region(), in.clock());
    for (;;) keeper.step();
#else
    auto by = in.join();
    by.write([&](tx& now) { return in.clock().advance(now, {1, 0}); }).value();
    return ::raise(SIGKILL);
#endif
}

BOOST_AUTO_TEST_CASE(who_dies_before_the_header_says_it_is_made_good_by_the_next_one) {
    scene where;
    auto in = where.open();
    auto by = in.join();
    by.write([&](tx& now) {
          return in.clock().start(now, {10 * ms, missed_policy::exact, hour});
      }).value();
    child first([&] { return die_untold(where); });
    BOOST_TEST(first.wait() == 128 + SIGKILL);
    const auto left = row_of(in, by);
    BOOST_TEST(left.tick >= 1U);
    BOOST_TEST(shown_in(in) == 0U);
    by.write([&](tx& now) { return in.clock().stop(now); }).value();
    ticker next(in.region(), in.clock());
    next.step();
    BOOST_TEST(row_of(in, by).tick == left.tick);
    BOOST_TEST(shown_in(in) == left.tick);
    BOOST_TEST(in.verify(by).sound);
}

BOOST_AUTO_TEST_CASE(a_keeper_ticks_in_real_time_and_another_goes_on_after_a_recovery) {
    scene where;
    std::vector<clock_ticked_v1> told;
    clock_row last{};
    for (const std::uint64_t goal : {5U, 10U}) {
        auto in = where.open();
        auto by = in.join();
        const auto before = row_of(in, by);
        BOOST_TEST(before.tick >= last.tick);
        by.write([&](tx& now) {
              return in.clock().start(now, {10 * ms, missed_policy::exact, hour});
          }).value();
        in.keep([&] { return shown_in(in) >= goal; });
        last = row_of(in, by);
        BOOST_TEST(last.tick >= goal);
        BOOST_TEST(shown_in(in) == last.tick);
        told.clear();
        auto from = in.follow(1, durability::durable);
        for (auto batch = from.next().value(); !batch.is_empty(); batch = from.next().value()) {
            shm::record_walk walk(batch.records);
            shm::record_view record;
            while (walk.next(record).value()) {
                for (const auto event : record.events()) {
                    if (event.type == static_cast<std::uint16_t>(event_type::clock_ticked)) {
                        told.push_back(event.as<clock_ticked_v1>().value());
                    }
                }
            }
        }
        BOOST_TEST(untiled(told, last) == "");
        BOOST_TEST(in.verify(by).sound);
        where.delete_region();
    }
}

BOOST_AUTO_TEST_CASE(who_stands_by_ticks_when_it_keeps) {
    scene where;
    shared_one<std::atomic<bool>> stop;
    auto in = where.open();
    auto by = in.join();
    by.write([&](tx& now) {
          return in.clock().start(now, {10 * ms, missed_policy::skip, hour});
      }).value();
    const auto keep = [&] {
        auto there = where.open();
        there.keep([&] { return stop->load(); });
        return 0;
    };
    child first(keep);
    BOOST_TEST_REQUIRE(eventually([&] { return shown_in(in) >= 3; }));
    child second_one(keep);
    BOOST_TEST_REQUIRE(eventually([&] { return shown_in(in) >= 10; }));
    BOOST_TEST(first.kill() == 128 + SIGKILL);
    const auto then = shown_in(in);
    BOOST_TEST_REQUIRE(eventually([&] { return shown_in(in) >= then + 5; }));
    stop->store(true);
    BOOST_TEST(second_one.wait() == 0);
    BOOST_TEST(shown_in(in) == row_of(in, by).tick);
    BOOST_TEST(row_of(in, by).world_ns == row_of(in, by).tick * 10 * ms);
    BOOST_TEST(in.verify(by).sound);
}

}  // namespace

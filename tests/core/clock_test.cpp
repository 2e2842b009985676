// SPDX-License-Identifier: Apache-2.0
//
// Claims of core/clock.hpp: a new clock is stopped and nothing is written for it; world time
// moves by whole ticks in half-open windows that tile it, whatever length ticks get meanwhile; what
// is refused leaves no trace; later records carry the tick, which never goes back; all of it comes
// back from the files; settings come from the configuration.
#include <boost/test/unit_test.hpp>
#include <perdure/io/config.hpp>
#include <perdure/tests/core/clock_scene.hpp>
#include <perdure/tests/core/scene.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;

constexpr clock_settings second_ticks{second, missed_policy::exact, day};

clock_row row_of(world& in, session& by) {
    return by.read([&](view& seen) { return in.clock().read(seen); }).value();
}

bool is_stopped(const clock_row& row) {
    return row.mode == static_cast<std::uint32_t>(clock_mode::stopped);
}

BOOST_FIXTURE_TEST_CASE(a_new_clock_is_stopped_at_the_beginning_of_time, clock_scene) {
    const auto seen = row();
    BOOST_TEST(is_stopped(seen));
    BOOST_TEST(seen.tick == 0U);
    BOOST_TEST(seen.world_ns == 0U);
    BOOST_TEST(seen.tick_ns == second);
    const auto lsn = next_lsn();
    const auto again = world_clock::open(by).value();
    BOOST_TEST(again.row() == clock.row());
    BOOST_TEST(next_lsn() == lsn);
}

BOOST_AUTO_TEST_CASE(nothing_is_written_for_a_world_whose_clock_is_stopped) {
    scene where;
    auto in = where.open();
    auto by = in.join();
    found(in, by, 2, 1000);
    const auto lsn = in.status().last_lsn;
    int turns = 0;
    in.keep([&] { return ++turns > 300; });
    BOOST_TEST(in.status().last_lsn == lsn);
    BOOST_TEST(is_stopped(row_of(in, by)));
}

BOOST_FIXTURE_TEST_CASE(windows_tile_world_time_whatever_length_ticks_get, clock_scene) {
    BOOST_TEST(start(second_ticks) == errc{});
    BOOST_TEST(advance({1, time.wall}) == errc{});
    BOOST_TEST(advance({3, time.wall, 7, tick_reason::made_up}) == errc{});
    BOOST_TEST(set({250 * ms, missed_policy::skip, hour}) == errc{});
    BOOST_TEST(row().world_ns == 4 * second);
    BOOST_TEST(advance({2, time.wall}) == errc{});
    BOOST_TEST(stop() == errc{});
    BOOST_TEST(advance({1, time.wall}) == errc{});  // By hand.
    const auto seen = row();
    BOOST_TEST(seen.world_ns == 4 * second + 750 * ms);
    BOOST_TEST(seen.tick == 7U);
    BOOST_TEST(seen.missed == static_cast<std::uint32_t>(missed_policy::skip));
    BOOST_TEST(seen.missed_max_ns == hour);
    const auto told = windows();
    BOOST_TEST(untiled(told, seen) == "");
    BOOST_TEST_REQUIRE(told.size() == 4U);
    BOOST_TEST(told[1].first_tick == 2U);
    BOOST_TEST(told[1].from_ns == second);
    BOOST_TEST(told[1].to_ns == 4 * second);
    BOOST_TEST(told[1].dropped_ns == 7U);
    BOOST_TEST(told[1].reason == static_cast<std::uint32_t>(tick_reason::made_up));
    BOOST_TEST(told[2].tick_ns == 250 * ms);
}

BOOST_FIXTURE_TEST_CASE(what_is_refused_leaves_no_trace, clock_scene) {
    BOOST_TEST(start({3 * second, missed_policy::exact, day}) == errc{});
    BOOST_TEST(advance({5, time.wall}) == errc{});
    const auto before = row();
    const auto lsn = next_lsn();
    BOOST_TEST(advance({0, time.wall}) == errc::bad_amount);
    BOOST_TEST(advance({~0ULL, time.wall}) == errc::overflow);                     // Their length.
    BOOST_TEST(advance({~0ULL / (3 * second) - 1, time.wall}) == errc::overflow);  // world_ns.
    for (const std::uint64_t tick_ns : {std::uint64_t{0}, 10 * ms - 1, hour + 1}) {
        BOOST_TEST(set({tick_ns, missed_policy::exact, day}) == errc::bad_setting);
        BOOST_TEST(start({tick_ns, missed_policy::exact, day}) == errc::bad_setting);
    }
    BOOST_TEST(set({second, missed_policy{}, day}) == errc::bad_setting);
    BOOST_TEST(set({second, missed_policy{3}, day}) == errc::bad_setting);
    BOOST_TEST(next_lsn() == lsn);
    const auto after = row();
    BOOST_TEST(std::memcmp(&before, &after, sizeof before) == 0);
    BOOST_TEST(windows().size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(a_start_counts_from_now_and_a_second_one_changes_the_settings,
                        clock_scene) {
    time.pass(day);
    BOOST_TEST(start(second_ticks) == errc{});
    const auto began = time.wall;
    BOOST_TEST(row().wall_ns == began);
    time.pass(hour);
    BOOST_TEST(start({500 * ms, missed_policy::exact, day}) == errc{});
    BOOST_TEST(row().wall_ns == began);
    BOOST_TEST(row().tick_ns == 500 * ms);
    BOOST_TEST(stop() == errc{});
    time.pass(hour);
    BOOST_TEST(start(second_ticks) == errc{});
    BOOST_TEST(row().wall_ns == time.wall);
    BOOST_TEST(row().world_ns == 0U);
}

BOOST_FIXTURE_TEST_CASE(later_records_carry_the_tick_and_it_never_goes_back, clock_scene) {
    BOOST_TEST(start(second_ticks) == errc{});
    BOOST_TEST(advance({4, time.wall}) == errc{});
    BOOST_TEST(shown() == 0U);  // A commit alone does not show it.
    BOOST_TEST(clock.show(where, shm::deadline::in(std::chrono::seconds(1))).has_value());
    BOOST_TEST(shown() == 4U);
    show_tick(where, 3);
    BOOST_TEST(shown() == 4U);
    BOOST_TEST(advance({2, time.wall}) == errc{});
    BOOST_TEST(clock.show(where, shm::deadline::in(std::chrono::seconds(1))).has_value());
    BOOST_TEST(stop() == errc{});
    const auto all = records();
    BOOST_TEST_REQUIRE(all.size() >= 3U);
    const auto* last = &all.back();
    BOOST_TEST(last->world_time == 6U);        // stop()
    BOOST_TEST((last - 1)->world_time == 4U);  // A tick's own record: the ticks before it.
    BOOST_TEST((last - 2)->world_time == 0U);
}

BOOST_AUTO_TEST_CASE(world_time_comes_back_from_the_files) {
    scene where;
    std::uint64_t last_lsn = 0;
    for (const bool with_checkpoint : {false, true}) {
        std::uint64_t ticks = 0;
        {
            auto in = where.open();
            auto by = in.join();
            BOOST_TEST(in.start_clock(by).has_value());
            if (with_checkpoint) in.checkpoint(true);
            const auto paid = by.write([&](tx& now) {
                                    return in.clock().advance(now, {5, 0});
                                }).value();
            BOOST_TEST(in.wait(by, paid, durability::durable).has_value());
            ticks = row_of(in, by).tick;
            BOOST_TEST(row_of(in, by).world_ns == ticks * second);
            BOOST_TEST(in.verify(by).sound);
            last_lsn = in.status().last_lsn;
        }
        where.delete_region();
        auto in = where.open();
        auto by = in.join();
        BOOST_TEST(in.opened().recovered);
        const auto seen = row_of(in, by);
        BOOST_TEST(seen.tick == ticks);
        BOOST_TEST(seen.world_ns == ticks * second);
        BOOST_TEST(!is_stopped(seen));
        BOOST_TEST(shm::load(in.region().header().world_time.value) == ticks);
        // The first record behind a recovery carries it already.
        auto from = in.follow(last_lsn + 1, durability::applied);
        const auto batch = from.next().value();
        shm::record_walk walk(batch.records);
        shm::record_view record;
        BOOST_TEST_REQUIRE(walk.next(record).value());
        BOOST_TEST(record.transaction().world_time == ticks);
    }
}

BOOST_AUTO_TEST_CASE(a_clock_starts_as_the_configuration_says) {
    io::config config;
    const auto standard = options_from(config).clock;
    BOOST_TEST((standard == clock_settings()));
    config.assign("clock.tick=250ms");
    config.assign("clock.missed=skip");
    config.assign("clock.missed_max=90min");
    const clock_settings wanted{250 * ms, missed_policy::skip, 90 * 60 * second};
    BOOST_TEST((options_from(config).clock == wanted));
    scene where;
    auto options = where.options();
    options.clock = wanted;
    auto in = world::open(where.directory(), options);
    auto by = in.join();
    BOOST_TEST(row_of(in, by).tick_ns == second);
    BOOST_TEST(in.start_clock(by).has_value());
    const auto seen = row_of(in, by);
    BOOST_TEST(seen.tick_ns == wanted.tick_ns);
    BOOST_TEST(seen.missed_max_ns == wanted.missed_max_ns);
    BOOST_TEST(seen.missed == static_cast<std::uint32_t>(wanted.missed));
    BOOST_TEST(!is_stopped(seen));
}

}  // namespace

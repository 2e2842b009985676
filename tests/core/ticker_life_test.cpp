// SPDX-License-Identifier: Apache-2.0
//
// Claims of core/ticker.hpp over random lives, with stalls, keepers that change, clocks that are
// set back and forward, settings and stops: after every step the row is what a model says; the
// windows tile world time; nothing is lost untold and nothing counted twice.
#include <boost/test/unit_test.hpp>
#include <perdure/tests/core/clock_scene.hpp>
#include <random>

namespace {

using namespace perdure;
using namespace perdure::tests;

/// What a life should come to, kept beside it.
struct life_model {
    missed_policy missed;
    std::uint64_t missed_max_ns;
    std::uint64_t tick_ns;
    std::uint64_t end_wall = 0;
    std::uint64_t due = 0;
    std::uint64_t dropped = 0;
    std::uint64_t world_ns = 0;
    std::uint64_t tick = 0;
    std::uint64_t told_dropped = 0;

    void lose(std::uint64_t ns) {
        const auto kept = missed == missed_policy::skip ? 0 : std::min(ns, missed_max_ns);
        due += kept;
        dropped += ns - kept;
    }
    void step(std::uint64_t wall) {
        if (due < tick_ns) return;
        world_ns += due / tick_ns * tick_ns;
        tick += due / tick_ns;
        due %= tick_ns;
        told_dropped += dropped;
        dropped = 0;
        end_wall = wall - due;
    }
    void pass(std::uint64_t ns, std::uint64_t wall) {
        if (ns > ticker::absence_ns && due + ns >= tick_ns) {
            lose(ns);
        } else {
            due += ns;
        }
        step(wall);
    }
    void change_keeper(std::uint64_t wall) {
        const auto gap = wall > end_wall ? wall - end_wall : 0;
        due = dropped = 0;
        if (gap < tick_ns) {
            due = gap;
        } else {
            lose(gap);
        }
        step(wall);
    }
};

/// One random life: stalls, keepers that change, clocks that are set, settings, stops.
struct random_life : ticking {
    std::mt19937_64 random;
    life_model model{};
    std::uint64_t lived = 0;
    bool is_told = true;  // All that passed is in windows, or dropped and told, or still due.

    explicit random_life(std::uint64_t seed) : random(seed) {
        model.tick_ns = draw_tick();
        draw_policy();
        live(model.missed, model.missed_max_ns, model.tick_ns);
        model.end_wall = time.wall;
    }
    std::uint64_t draw_tick() {
        constexpr std::array lengths{10 * ms, 100 * ms, second, 7 * second, hour};
        return lengths[random() % lengths.size()];
    }
    void draw_policy() {
        model.missed = random() % 2 == 0 ? missed_policy::exact : missed_policy::skip;
        model.missed_max_ns = random() % 3 == 0 ? random() % hour : 7 * day;
    }
    void let_pass(std::uint64_t ns) {
        lived += ns;
        pass(ns);
        model.pass(ns, time.wall);
    }
    void set_wall() {
        const auto by_ns = random() % (2 * day);
        is_told = false;
        time.wall = random() % 2 == 0 ? time.wall + by_ns : time.wall - by_ns;
    }
    void next_keeper() {
        const auto ns = random() % 3 == 0 ? random() % (20 * day) : random() % (2 * model.tick_ns);
        lived += ns;
        absence(ns);
        model.change_keeper(time.wall);
    }
    void change_settings() {
        model.tick_ns = draw_tick();
        draw_policy();
        BOOST_TEST_REQUIRE(set({model.tick_ns, model.missed, model.missed_max_ns}) == errc{});
        let_pass(0);
    }
    void rest_a_while() {
        is_told = false;
        BOOST_TEST_REQUIRE(stop() == errc{});
        pass(random() % day);
        BOOST_TEST_REQUIRE(start({model.tick_ns, model.missed, model.missed_max_ns}) == errc{});
        keeper->step();
        model.due = model.dropped = 0;
        model.end_wall = time.wall;
    }
    void live_on(bool with_clocks) {
        switch (random() % 16) {
            case 0:
            case 1: return next_keeper();
            case 2: return let_pass(ticker::absence_ns + random() % day);
            case 3: return change_settings();
            case 4: return with_clocks ? set_wall() : let_pass(0);
            case 5: return with_clocks ? rest_a_while() : let_pass(1);
            default: return let_pass(random() % std::min(3 * model.tick_ns, ticker::absence_ns));
        }
    }
    void compare() {
        const auto seen = row();
        BOOST_REQUIRE_EQUAL(seen.world_ns, model.world_ns);
        BOOST_REQUIRE_EQUAL(seen.tick, model.tick);
        BOOST_REQUIRE_EQUAL(shown(), model.tick);
        static_cast<void>(books.help(where));
    }
    void judge() {
        const auto all = windows();
        const auto seen = row();
        BOOST_TEST_REQUIRE(untiled(all, seen) == "");
        std::uint64_t dropped = 0;
        for (const auto& each : all) dropped += each.dropped_ns;
        BOOST_TEST_REQUIRE(dropped == model.told_dropped);
        if (!is_told) return;
        // Without clocks that lie: nothing is lost untold, nothing is counted twice.
        BOOST_TEST_REQUIRE(seen.world_ns + dropped + model.due + model.dropped == lived);
        std::uint64_t before = 0;
        for (const auto& each : records()) {
            BOOST_TEST_REQUIRE(each.world_time >= before);
            before = each.world_time;
        }
    }
};

BOOST_AUTO_TEST_CASE(random_lives_are_what_the_model_says) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        BOOST_TEST_CONTEXT("seed " << seed) {
            random_life life(seed);
            for (int turn = 0; turn < 250; ++turn) {
                life.live_on(seed % 2 == 0);
                life.compare();
            }
            life.judge();
        }
    }
}

}  // namespace

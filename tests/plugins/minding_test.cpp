// SPDX-License-Identifier: Apache-2.0
//
// Claims of plugins/host/minder.hpp, supervisor.hpp and loading.hpp, in a world that is kept: every
// window is run once whatever dies; who dies too often is quarantined and the world goes on; an
// operator's changes are followed.
#include <boost/test/unit_test.hpp>
#include <perdure/tests/plugins/kept_stage.hpp>
#include <random>

namespace {

using namespace perdure;
using namespace perdure::tests;

BOOST_FIXTURE_TEST_CASE(a_loaded_plugin_runs_until_it_is_unloaded, kept_stage) {
    load("payer");
    BOOST_TEST(eventually([&] { return windows(payer_id) >= 5; }));
    plugins::set_enabled(in, by, payer_id, false, 7);
    BOOST_TEST(eventually([&] { return process_of_host() == 0; }));
    expect_paid_exactly();
    const auto then = windows(payer_id);
    plugins::set_enabled(in, by, payer_id, true, 7);
    // Windows that ended meanwhile are made up, each once.
    BOOST_TEST(eventually([&] { return windows(payer_id) >= then + 10; }));
    plugins::unload_plugin(in, by, payer_id, 7);
    BOOST_TEST(eventually([&] { return process_of_host() == 0; }));
    BOOST_TEST(!row(payer_id).has_value());
    BOOST_TEST(eventually([&] { return has_line("ns each"); }));
    BOOST_CHECK_THROW(plugins::unload_plugin(in, by, payer_id, 7), failure);
    expect_working();
}

BOOST_FIXTURE_TEST_CASE(a_plugin_that_is_killed_goes_on_and_pays_each_window_once, kept_stage) {
    load("payer");
    std::mt19937_64 chance(3);
    pid_t last = 0;
    for (std::uint64_t kills = 1; kills <= 3; ++kills) {
        pid_t pid = 0;
        BOOST_TEST_REQUIRE(eventually([&] { return (pid = process_of_host()) != 0; }));
        BOOST_TEST(pid != last);
        last = pid;
        ::usleep(static_cast<useconds_t>(chance() % 150'000));
        BOOST_TEST(::kill(pid, SIGKILL) == 0);
        BOOST_TEST(eventually([&] { return row(payer_id)->crashes == kills; }));
    }
    const auto then = windows(payer_id);
    BOOST_TEST(eventually([&] { return windows(payer_id) > then + 3; }));
    plugins::set_enabled(in, by, payer_id, false, 7);
    BOOST_TEST(eventually([&] { return process_of_host() == 0; }));
    expect_paid_exactly();
    expect_working();
}

BOOST_FIXTURE_TEST_CASE(who_dies_five_times_is_quarantined_and_the_world_goes_on, kept_stage) {
    load("payer");
    load("rogue", R"({"in":"tick","do":"crash"})");
    BOOST_TEST(eventually([&] { return row(rogue_id)->crashes >= 2; }));
    expect_working();
    BOOST_TEST(eventually([&] { return is(rogue_id, plugin_state::quarantined); }));
    BOOST_TEST(has_line("signal 11"));
    BOOST_TEST(row(rogue_id)->crashes == 5U);
    BOOST_TEST(row(rogue_id)->cause == static_cast<std::uint32_t>(errc::plugin_failed));
    const auto then = windows(payer_id);
    BOOST_TEST(eventually([&] { return windows(payer_id) > then; }));
    // The operator mends its configuration: what it missed is made up.
    plugins::unload_plugin(in, by, rogue_id, 7);
    load("rogue");
    BOOST_TEST(eventually([&] { return windows(rogue_id) >= 2; }));
    expect_working();
}

BOOST_FIXTURE_TEST_CASE(a_window_that_fails_stays_open_until_it_succeeds, kept_stage) {
    load("rogue", R"({"in":"tick","do":"fail"})");
    BOOST_TEST(eventually([&] { return has_line("plugin_failed"); }));
    BOOST_TEST(windows(rogue_id) == 0U);
    BOOST_TEST(is(rogue_id, plugin_state::active));
    BOOST_TEST(row(rogue_id)->crashes == 0U);
    expect_working();
}

BOOST_FIXTURE_TEST_CASE(the_next_keeper_goes_on_where_the_last_one_was, kept_stage) {
    load("payer");
    for (int turn = 0; turn < 3; ++turn) {
        const auto then = windows(payer_id);
        BOOST_TEST(eventually([&] { return windows(payer_id) > then + 1; }));
        end();
        BOOST_TEST(process_of_host() == 0);
        expect_paid_exactly();
        begin();
    }
    const auto generation = row(payer_id)->generation;
    BOOST_TEST(generation >= 3U);
    end();
    expect_paid_exactly();
    expect_working();
}

BOOST_FIXTURE_TEST_CASE(what_does_not_fit_the_world_is_refused_by_name, kept_stage) {
    const auto why = [&](const std::string& name, const std::string& config = "{}") {
        try {
            load(name, config);
        } catch (const failure& refused) {
            BOOST_TEST(!refused.todo().empty());
            return std::string(perdure::name(refused.reason())) + ": " + refused.thing();
        }
        return std::string("loaded");
    };
    const auto expect = [&](const std::string& said, const std::string& part) {
        BOOST_TEST(said.find(part) != std::string::npos, said);
    };
    expect(why("sample_tick"), "no table purses");
    expect(why("not_a_plugin"), "bad_plugin");
    expect(why("rogue", R"({"of":1})"), "bad_setting");
    expect(why("rogue", "nonsense"), "bad_setting");
    BOOST_TEST(plugins::list_plugins(in).empty());
    load("payer");
    expect(why("payer"), "exists");
    BOOST_TEST(plugins::list_plugins(in).size() == 1U);
    expect_working();
}

BOOST_FIXTURE_TEST_CASE(every_step_of_a_life_is_an_event, kept_stage) {
    load("payer");
    BOOST_TEST(eventually([&] { return windows(payer_id) >= 1; }));
    plugins::set_enabled(in, by, payer_id, false, 42);
    plugins::unload_plugin(in, by, payer_id, 42);
    std::vector<std::uint32_t> steps;
    std::uint64_t last_by = 0;
    auto from = in.follow(1, durability::applied);
    for (;;) {
        const auto batch = from.next().value();
        if (batch.is_empty()) break;
        shm::record_walk walk(batch.records);
        shm::record_view record;
        while (walk.next(record).value()) {
            for (const auto event : record.events()) {
                if (event.type != static_cast<std::uint16_t>(event_type::plugin_stepped)) continue;
                const auto said = event.as<plugins::plugin_stepped_v1>().value();
                BOOST_TEST(plugins::text_in(said.id) == payer_id);
                BOOST_TEST(plugins::text_in(said.file).size() == 64U);
                steps.push_back(said.step);
                last_by = said.by;
            }
        }
    }
    using step = plugins::plugin_step;
    const std::vector<std::uint32_t> expected{
        static_cast<std::uint32_t>(step::loaded), static_cast<std::uint32_t>(step::activated),
        static_cast<std::uint32_t>(step::disabled), static_cast<std::uint32_t>(step::unloaded)};
    BOOST_TEST(steps == expected, boost::test_tools::per_element());
    BOOST_TEST(last_by == 42U);
}

}  // namespace

// SPDX-License-Identifier: Apache-2.0
//
// Claims of plugins/host/admission.hpp under the death of whoever judges: a keeper is killed again
// and again, at a random moment or, with crash points, between any two stores; every window is paid
// once, its open one as far as it says. Planted: position_apart.
//
// Usage: keeper_death_test [-- --deaths N] [--seed N]
#include <boost/test/results_collector.hpp>
#include <iostream>
#include <perdure/shm/crash_point.hpp>
#include <perdure/tests/plugins/kept_stage.hpp>
#include <perdure/tests/torture.hpp>
#include <random>

namespace {

using namespace perdure;
using namespace perdure::tests;

std::uint64_t option(std::string_view name, std::uint64_t otherwise) {
    const auto& suite = boost::unit_test::framework::master_test_suite();
    for (int i = 1; i + 1 < suite.argc; ++i) {
        if (suite.argv[i] == name) return std::strtoull(suite.argv[i + 1], nullptr, 10);
    }
    return otherwise;
}

/// Processes of plugins that have this region mapped, or were told to.
int hosts_of(const std::string& region) {
    int found = 0;
    for (const auto& each : std::filesystem::directory_iterator("/proc")) {
        std::ifstream file(each.path() / "cmdline");
        std::string words;
        std::getline(file, words);
        if (words.starts_with("perdure_plugin_host") && words.find(region) != words.npos) ++found;
    }
    return found;
}

/// Another process keeps the world until it is killed.
struct deadly : kept_stage {
    deadly() { end(); }

    int keep_until_death([[maybe_unused]] std::uint64_t hits) {
        auto there = open_ticking();
        plugins::host_terms terms;
        terms.kept = &there;
        terms.program = build_file("bin/perdure_plugin_host");
        terms.user = ::getuid() == 0 ? 65534U : 0U;
        terms.say = [](std::string_view, std::uint32_t, std::string_view) {};
        std::optional<plugins::supervisor> minding;
        there.keep([&] {
            const bool keeps = there.status().keeper_pid == static_cast<std::uint32_t>(::getpid());
            if (!keeps || minding) return false;
#if defined(PERDURE_RIG)
            shm::arm({.point = "", .hit = hits});
#endif
            minding.emplace(terms);
            return false;
        });
        return 0;
    }
};

BOOST_FIXTURE_TEST_CASE(whoever_dies_each_window_is_paid_once, deadly) {
    const std::uint64_t seed = option("--seed", 7);
#if defined(PERDURE_RIG)
    const std::uint64_t deaths = option("--deaths", turns(5000, 100));
#else
    const std::uint64_t deaths = option("--deaths", 12);
#endif
    std::mt19937_64 chance(seed);
    load("payer");
    std::uint64_t by_point = 0;
    std::uint64_t amid_window = 0;
    for (std::uint64_t death = 0; death < deaths; ++death) {
        const std::uint64_t hits = 1 + chance() % 700;
        child keeping([&] { return keep_until_death(hits); });
        const auto patience = 150'000 + chance() % 250'000;
        for (std::uint64_t waited = 0; waited < patience && !keeping.has_ended(); waited += 5000) {
            ::usleep(5000);
        }
        if (keeping.has_ended()) ++by_point;
        keeping.kill();
        if (row(payer_id)->done != 0) ++amid_window;
        expect_paid_exactly();
        BOOST_TEST_REQUIRE(boost::unit_test::results_collector
                                   .results(boost::unit_test::framework::current_test_case().p_id)
                                   .p_assertions_failed == 0U,
                           "seed " << seed << ", death " << death);
    }
    std::cerr << deaths << " keepers died, " << by_point << " of them between two stores, "
              << amid_window << " amid a window; " << windows(payer_id) << " windows\n";
    BOOST_TEST(windows(payer_id) > 0U);
    // None waits for a keeper that died before it had said what to load.
    BOOST_TEST(eventually([&] { return hosts_of(region()) == 0; }));
#if defined(PERDURE_RIG)
    BOOST_TEST(by_point > deaths / 3);
#endif
    expect_working();
}

}  // namespace

// SPDX-License-Identifier: Apache-2.0
//
// Claims I1, I3 and I10 of the engine under death at any numbered store, and of death inside the
// repair, once and twice: the state is the one before or the one after, nothing leaks, the world
// goes on. And every crash point named in shm/ is passed by one of the primitives.
#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <perdure/tests/crash/named_points.hpp>
#include <perdure/tests/crash/store_crash.hpp>
#include <perdure/tests/torture.hpp>

namespace {

using namespace perdure;
using namespace perdure::shm;
using namespace perdure::tests;

BOOST_AUTO_TEST_CASE(whoever_dies_where_the_state_is_the_one_before_or_after) {
    const bool torture = is_torture();
    auto& tally = shared_tally();
    count_into(&tally);
    shared_bytes memory(crash_options().capacity_bytes);
    crash_limits limits;
    limits.rounds = torture ? 5 : 1;
    limits.nested_each = torture ? 2 : 7;
    limits.twice_each = torture ? 80 : 40;
    limits.tally = &tally;
    crash_counts all;
    std::vector<std::string> faults;
    for (unsigned round = 0; round < limits.rounds; ++round) {
        for (const auto& what : primitives()) {
            crash_report report;
            crash_everywhere(memory, what, round, limits, report);
            const auto& counts = report.counts;
            if (!torture || round == 0) {
                std::printf(
                    "%-36.*s %4lu stores  %4lu deaths  %4lu nested  %4lu twice  %zu faults\n",
                    static_cast<int>(what.name.size()), what.name.data(), counts.points,
                    counts.single, counts.nested, counts.twice, report.faults.size());
            }
            faults.insert(faults.end(), report.faults.begin(), report.faults.end());
            all.points += counts.points;
            all.single += counts.single;
            all.nested += counts.nested;
            all.twice += counts.twice;
        }
    }
    std::printf("%zu primitives, %u rounds: %lu deaths, %lu nested, %lu nested twice, %zu faults\n",
                primitives().size(), limits.rounds, all.single, all.nested, all.twice,
                faults.size());
    for (std::size_t i = 0; i < faults.size() && i < 20; ++i) BOOST_ERROR(faults[i]);
    BOOST_TEST(faults.empty());
    BOOST_TEST(primitives().size() >= 25U);
    BOOST_TEST(all.single >= (torture ? 10'000U : 700U));
    BOOST_TEST(all.nested >= (torture ? 50'000U : 500U));
    BOOST_TEST(all.twice >= (torture ? 5'000U : 50U));
}

BOOST_AUTO_TEST_CASE(every_named_point_was_passed) {
    const auto& tally = shared_tally();
    const auto names = points_named_in("shm");
    BOOST_TEST(names.size() >= 35U);
    for (const auto& name : names) {
        const auto hits = tally.hits_of(name);
        std::printf("%-24s %9lu hits\n", name.c_str(), hits);
        BOOST_TEST(hits > 0U, name + " was never passed");
    }
}

}  // namespace

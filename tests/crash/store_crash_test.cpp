// SPDX-License-Identifier: Apache-2.0
//
// Claims I1, I3 and I10 of the engine under death at any numbered store, and of death inside the
// repair, once and twice: the state is the one before or the one after, nothing leaks, the world
// goes on. And every crash point named in shm/ is passed by one of the primitives.
#define BOOST_TEST_MODULE crash_store_crash
#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <perdure/tests/crash/store_crash.hpp>
#include <regex>

namespace {

using namespace perdure;
using namespace perdure::shm;
using namespace perdure::tests;

bool is_torture() {
    const auto& all = boost::unit_test::framework::master_test_suite();
    for (int i = 1; i < all.argc; ++i) {
        if (std::string_view(all.argv[i]) == "--torture") return true;
    }
    return false;
}

/// The names between the parentheses of every crash point in a folder of the source.
std::set<std::string> points_named_in(const std::string& folder) {
    const char* root = std::getenv("PERDURE_SOURCE");
    std::set<std::string> names;
    if (root == nullptr) return names;
    const std::regex point(R"rx(PERDURE_CRASH_POINT\("([a-z_.]+)"\))rx");
    for (const auto& file : std::filesystem::directory_iterator(std::string(root) + "/" + folder)) {
        if (file.path().extension() != ".cpp") continue;
        std::ifstream in(file.path());
        const std::string text{std::istreambuf_iterator<char>(in), {}};
        for (std::sregex_iterator at(text.begin(), text.end(), point), end; at != end; ++at) {
            names.insert((*at)[1]);
        }
    }
    return names;
}

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

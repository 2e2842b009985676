// SPDX-License-Identifier: Apache-2.0
//
// Claims: an armed point ends the process by SIGKILL at exactly its hit (in children that report
// through a shared tally); hooks and watchers see every hit; the environment arms and plants the
// same way and refuses what it does not know (by running this program again); counting is exact
// with threads; a normal build contains none of it (crash_point_plain_test).
#include <perdure/shm/crash_point.hpp>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <new>
#include <string>
#include <thread>
#include <vector>

using namespace perdure::shm;

namespace {

/// The points that the children pass: first, second, second, third.
void pass_four_points() {
    PERDURE_CRASH_POINT("crash_point_test/first");
    for (int i = 0; i < 2; ++i) PERDURE_CRASH_POINT("crash_point_test/second");
    PERDURE_CRASH_POINT("crash_point_test/third");
}

/// A tally that outlives the children that count into it.
class shared_tally {
  public:
    shared_tally()
        : counts_(new (::mmap(nullptr, sizeof(crash_tally), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0)) crash_tally{}) {}
    shared_tally(const shared_tally&) = delete;
    shared_tally& operator=(const shared_tally&) = delete;
    ~shared_tally() { ::munmap(counts_, sizeof(crash_tally)); }

    crash_tally* operator->() { return counts_; }
    crash_tally* get() { return counts_; }

  private:
    crash_tally* counts_;
};

/// Runs `act` in a child and answers its wait status.
int in_child(const std::function<void()>& act) {
    const pid_t child = ::fork();
    BOOST_REQUIRE(child >= 0);
    if (child == 0) {
        act();
        ::_exit(0);
    }
    int status = 0;
    BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
    return status;
}

bool was_killed(int status) { return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL; }
bool ended_well(int status) { return WIFEXITED(status) && WEXITSTATUS(status) == 0; }

/// Runs this program's case `only` with one more environment variable.
int run_again(const char* only, const char* variable, const std::string& value) {
    return in_child([&] {
        ::setenv(variable, value.c_str(), 1);
        ::setenv("PERDURE_TEST_CHILD", "1", 1);
        const std::string filter = std::string("--run_test=shm_crash_point/") + only;
        ::execl("/proc/self/exe", "crash_point_test", filter.c_str(), "--log_level=nothing",
                "--report_level=no", static_cast<char*>(nullptr));
        ::_exit(127);
    });
}

bool is_the_child() { return std::getenv("PERDURE_TEST_CHILD") != nullptr; }

std::vector<std::string> seen;
void note(std::string_view point, std::uint64_t hit) {
    seen.push_back(std::string(point) + ":" + std::to_string(hit));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(shm_crash_point)

BOOST_AUTO_TEST_CASE(the_kth_hit_overall_kills) {
    for (std::uint64_t k = 1; k <= 5; ++k) {
        shared_tally tally;
        const int status = in_child([&] {
            count_into(tally.get());
            arm({.point = {}, .hit = k});
            pass_four_points();
        });
        BOOST_TEST(was_killed(status) == (k <= 4));
        BOOST_TEST(tally->hits == std::min<std::uint64_t>(k, 4));
    }
}

BOOST_AUTO_TEST_CASE(the_kth_hit_of_one_name_kills) {
    shared_tally tally;
    const auto die_at = [&](std::string_view point, std::uint64_t hit) {
        return in_child([&] {
            count_into(tally.get());
            arm({.point = point, .hit = hit});
            pass_four_points();
        });
    };
    BOOST_TEST(was_killed(die_at("crash_point_test/second", 2)));
    BOOST_TEST(tally->hits_of("crash_point_test/first") == 1U);
    BOOST_TEST(tally->hits_of("crash_point_test/second") == 2U);
    BOOST_TEST(tally->hits_of("crash_point_test/third") == 0U);
    BOOST_TEST(ended_well(die_at("crash_point_test/second", 3)));
    BOOST_TEST(ended_well(die_at("crash_point_test/nowhere", 1)));
    BOOST_TEST(tally->hits_of("crash_point_test/third") == 2U);
}

BOOST_AUTO_TEST_CASE(a_hook_takes_the_place_of_the_kill_and_is_called_once) {
    seen.clear();
    arm({.point = "crash_point_test/second", .hit = 1, .hook = note});
    pass_four_points();
    pass_four_points();
    BOOST_TEST(seen == std::vector<std::string>{"crash_point_test/second:1"},
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_disarmed_plan_does_nothing) {
    seen.clear();
    arm({.point = {}, .hit = 2, .hook = note});
    disarm();
    pass_four_points();
    BOOST_TEST(seen.empty());
}

BOOST_AUTO_TEST_CASE(a_watcher_sees_every_hit_in_order) {
    shared_tally tally;
    count_into(tally.get());
    seen.clear();
    watch(note);
    pass_four_points();
    watch(nullptr);
    pass_four_points();
    count_into(nullptr);
    const std::vector<std::string> expected{"crash_point_test/first:1", "crash_point_test/second:2",
                                            "crash_point_test/second:3",
                                            "crash_point_test/third:4"};
    BOOST_TEST(seen == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(threads_lose_no_hit_and_every_name_stands_once) {
    shared_tally tally;
    count_into(tally.get());
    constexpr std::uint64_t rounds = 20'000;
    {
        const auto work = [] {
            for (std::uint64_t i = 0; i < rounds; ++i) pass_four_points();
        };
        std::jthread one(work);
        std::jthread two(work);
    }
    count_into(nullptr);
    BOOST_TEST(tally->hits == 8 * rounds);
    BOOST_TEST(tally->hits_of("crash_point_test/first") == 2 * rounds);
    BOOST_TEST(tally->hits_of("crash_point_test/second") == 4 * rounds);
    const auto all = tally->all();
    BOOST_TEST(std::ranges::count_if(all, [](const auto& e) { return e.hash != 0; }) == 3);
    BOOST_TEST(std::ranges::count_if(all, [](const auto& e) {
                   return std::string_view(e.text) == "crash_point_test/second";
               }) == 1);
}

BOOST_AUTO_TEST_CASE(a_planted_bug_is_the_only_one) {
    BOOST_TEST(!planted(bug::ack_at_write));
    plant(bug::ack_at_write);
    BOOST_TEST(planted(bug::ack_at_write));
    BOOST_TEST(!planted(bug::gate_ignored));
    BOOST_TEST(!planted(bug::none));
    plant(bug::none);
    BOOST_TEST(!planted(bug::ack_at_write));
}

BOOST_AUTO_TEST_CASE(every_bug_is_found_by_its_own_name) {
    std::uint16_t known = 0;
    for (; name(static_cast<bug>(known)) != "unknown"; ++known) {
        const auto which = static_cast<bug>(known);
        BOOST_TEST(name(which).size() > 0);
        BOOST_CHECK(bug_named(name(which)) == which);
    }
    BOOST_TEST(known >= 17);
    BOOST_CHECK(!bug_named("unknown"));
    BOOST_CHECK(!bug_named(""));
}

BOOST_AUTO_TEST_CASE(the_environment_arms_a_point) {
    if (is_the_child()) {
        pass_four_points();
        return;
    }
    const auto run = [](const char* value) {
        return run_again("the_environment_arms_a_point", "PERDURE_CRASH_AT", value);
    };
    BOOST_TEST(was_killed(run("crash_point_test/second:2")));
    BOOST_TEST(ended_well(run("crash_point_test/second:3")));
    BOOST_TEST(was_killed(run("#4")));
    BOOST_TEST(ended_well(run("#5")));
}

BOOST_AUTO_TEST_CASE(the_environment_plants_a_bug) {
    if (is_the_child()) {
        if (!planted(bug::gate_ignored)) ::_exit(3);
        return;
    }
    const auto run = [](const char* value) {
        return run_again("the_environment_plants_a_bug", "PERDURE_PLANT", value);
    };
    BOOST_TEST(ended_well(run("gate_ignored")));
    BOOST_TEST(WEXITSTATUS(run("ack_at_write")) == 3);
}

BOOST_AUTO_TEST_CASE(the_environment_names_a_file_that_counts) {
    if (is_the_child()) {
        pass_four_points();
        return;
    }
    const std::string path = "crash_tally." + std::to_string(::getpid());
    { std::ofstream(path) << std::string(sizeof(crash_tally), '\0'); }
    const auto run = [&] {
        return run_again("the_environment_names_a_file_that_counts", "PERDURE_CRASH_TALLY", path);
    };
    BOOST_TEST(ended_well(run()));
    BOOST_TEST(ended_well(run()));
    crash_tally counts{};
    std::ifstream(path).read(reinterpret_cast<char*>(&counts), sizeof counts);
    BOOST_TEST(counts.hits == 8U);
    BOOST_TEST(counts.hits_of("crash_point_test/second") == 4U);
    std::ofstream(path) << "short";
    BOOST_TEST(WEXITSTATUS(run()) == 2);
    BOOST_TEST(std::remove(path.c_str()) == 0);
}

BOOST_AUTO_TEST_CASE(an_environment_nobody_understands_ends_the_process) {
    for (const char* value : {"", "first", ":1", "first:", "first:0", "first:x", "#", "#0", "#1x",
                              "first:99999999999999999999999"}) {
        BOOST_TEST(
            WEXITSTATUS(run_again("a_planted_bug_is_the_only_one", "PERDURE_CRASH_AT", value)) == 2,
            "accepted: " << value);
    }
    for (const char* value : {"", "no_such_bug", "GATE_IGNORED"}) {
        BOOST_TEST(
            WEXITSTATUS(run_again("a_planted_bug_is_the_only_one", "PERDURE_PLANT", value)) == 2,
            "accepted: " << value);
    }
}

BOOST_AUTO_TEST_SUITE_END()

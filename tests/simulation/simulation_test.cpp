// SPDX-License-Identifier: Apache-2.0
//
// Claims: whatever a seed brings together (tellers, a keeper that drains, takes checkpoints and
// removes them, a slow and a failing disk, deaths, power losses, clocks that jump), what was
// acknowledged as durable is recovered, what is recovered is a prefix and equals the model behind
// its last record, row by row; each kept checkpoint leads to its moment; the same seed is the same
// run.
//
// `-- --torture` runs the sign-off count, `-- --seed N` one life, `-- --lives N` so many, with both
// so many from seed N on.
#include <oneapi/tbb/global_control.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <perdure/tests/simulation/life.hpp>
#include <perdure/tests/torture.hpp>

namespace {

using namespace perdure::tests;

/// What the processes that live share with the one that counts.
struct ledger_of_lives {
    tally counts;
    std::uint64_t seed;   ///< Of the life at hand.
    std::uint64_t trace;  ///< Of the last one.
    char fault[2000];
};

std::uint64_t number_behind(std::string_view option) {
    const auto& suite = boost::unit_test::framework::master_test_suite();
    for (int i = 1; i + 1 < suite.argc; ++i) {
        if (suite.argv[i] == option) return std::stoull(suite.argv[i + 1]);
    }
    return 0;
}

/// Lives [from, to) in a process of their own: what the killed have left goes with it, and an
/// assertion ends nothing else. Answers the first fault, "" when there is none.
std::string live(ledger_of_lives& shared, std::uint64_t from, std::uint64_t to) {
    shared.fault[0] = '\0';
    const pid_t child = ::fork();
    if (child == 0) {
        for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM, SIGTRAP}) {
            ::signal(signal, SIG_DFL);
        }
        ::alarm(300);
        const tbb::global_control one_thread(tbb::global_control::max_allowed_parallelism, 1);
        for (shared.seed = from; shared.seed < to; ++shared.seed) {
            life one(shared.seed, shared.counts);
            const auto fault = one.live();
            shared.trace = one.trace();
            if (fault.empty()) continue;
            std::snprintf(shared.fault, sizeof shared.fault, "%s", fault.c_str());
            ::_exit(1);
        }
        ::_exit(0);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
    std::string why = shared.fault;
    if (why.empty()) {
        why = WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status)) : "an exception";
    }
    return "seed " + std::to_string(shared.seed) + ": " + why +
           "; again: " + boost::unit_test::framework::master_test_suite().argv[0] + " -- --seed " +
           std::to_string(shared.seed);
}

void print(const tally& all) {
    std::cout << "simulation: " << all.lives << " lives, " << all.steps << " steps; " << all.deeds
              << " deeds (" << all.durable << " waited for, " << all.refusals << " refused, "
              << all.stalls << " of them stalled), " << all.reads << " views of all accounts\n"
              << "  " << all.tellers_killed << " tellers, " << all.keepers_killed
              << " keepers killed, all at once " << all.all_killed << " times, " << all.stops
              << " stopped, " << all.takeovers << " takeovers; " << all.losses << " power losses, "
              << all.faults << " faults of the disk, " << all.clocks << " jumps of the clock\n"
              << "  checkpoints: " << all.full << " full, " << all.incremental << " incremental, "
              << all.sliced << " of them in slices, " << all.given_up << " captures given up, "
              << all.failed << " failed, " << all.retired << " retired; " << all.scrubbed
              << " portions read again\n"
              << "  " << all.recoveries << " recoveries (" << all.from_checkpoint
              << " from a checkpoint, " << all.beyond << " with more than was acknowledged, "
              << all.refused << " refused for a fault), " << all.moments
              << " moments of the past\n";
}

struct place_for_all {
    shared_bytes memory{sizeof(ledger_of_lives)};
    ledger_of_lives& shared = *reinterpret_cast<ledger_of_lives*>(memory.span().data());
};

}  // namespace

BOOST_AUTO_TEST_SUITE(simulation)

BOOST_AUTO_TEST_CASE(a_life_under_any_seed_keeps_every_promise) {
    place_for_all all;
    const auto asked = number_behind("--seed");
    const auto wanted = number_behind("--lives");
    const std::uint64_t share = asked != 0 ? 1 : is_torture() ? 100'000 : 1'500;
    const std::uint64_t lives = wanted != 0 ? wanted : share;
    constexpr std::uint64_t batch = 100;
    const std::uint64_t first = asked != 0 ? asked : 1;
    for (std::uint64_t seed = first; seed < first + lives; seed += batch) {
        const auto fault = live(all.shared, seed, std::min(seed + batch, first + lives));
        if (!fault.empty()) print(all.shared.counts);
        BOOST_REQUIRE_MESSAGE(fault.empty(), fault);
    }
    print(all.shared.counts);
    if (lives < 1'000) return;
    const auto& counts = all.shared.counts;
    BOOST_TEST(counts.deeds > 20 * lives);
    BOOST_TEST(counts.tellers_killed > lives / 4);
    BOOST_TEST(counts.keepers_killed > lives / 10);
    BOOST_TEST(counts.losses > lives / 4);
    BOOST_TEST(counts.incremental > lives / 4);
    BOOST_TEST(counts.sliced > lives / 50);
    BOOST_TEST(counts.from_checkpoint > lives / 2);
}

BOOST_AUTO_TEST_CASE(lives_that_once_found_something_are_lived_again) {
    place_for_all all;
    // An extent was remembered while its transaction was being taken back (shm/extent.cpp).
    for (const std::uint64_t seed : {95'227}) {
        const auto fault = live(all.shared, seed, seed + 1);
        BOOST_TEST(fault.empty(), fault);
    }
}

BOOST_AUTO_TEST_CASE(the_same_seed_is_the_same_run) {
    place_for_all all;
    for (std::uint64_t seed = 57; seed < 2'000; seed += 97) {
        BOOST_TEST(live(all.shared, seed, seed + 1) == "");
        const auto first = all.shared.trace;
        BOOST_TEST(live(all.shared, seed, seed + 1) == "");
        BOOST_TEST(all.shared.trace == first, "seed " << seed);
        // Nor does it matter what was lived before.
        BOOST_TEST(live(all.shared, seed - 20, seed + 1) == "");
        BOOST_TEST(all.shared.trace == first, "seed " << seed << " after others");
    }
}

BOOST_AUTO_TEST_SUITE_END()

// SPDX-License-Identifier: Apache-2.0
//
// Two bugs a keeper could have, each planted, caught by the rig named beside it within a bounded
// count of rounds; the rigs find nothing where nothing is planted, and a quiet day finds neither.
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <perdure/io/keeper.hpp>
#include <perdure/shm/crash_point.hpp>
#include <perdure/tests/core/scene.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;

constexpr std::uint64_t players = 8;
constexpr std::uint64_t rounds_max = 20;

struct finding_of_rig {
    std::uint64_t rounds;
    char words[160];  ///< Empty: nothing was found.
};

/// Linux; at each sync it looks at the mark, which may not yet cover what this sync is for.
struct watched_syncs final : io::kernel_calls {
    shm::region* where = nullptr;
    std::uint64_t announced = ~0ULL;  ///< The mark before the round.
    bool early = false;

    int sync(int descriptor) noexcept override {
        if (where != nullptr && shm::load(where->header().durable.lsn) > announced) early = true;
        return io::kernel_calls::sync(descriptor);
    }
};

/// A world, a keeper of its own over it, and sessions that cannot drain.
struct open_keeper {
    scene where;
    world in = where.open();
    session by = session::join(in.region(), nullptr).value();
    receipt last = found(in, by, players, 1000);
    watched_syncs calls;
    io::file_system files{calls};
    io::keeper keeper{files, where.directory(), io::keeper_options{256ULL << 10}};

    [[nodiscard]] std::uint64_t mark() const { return shm::load(in.region().header().durable.lsn); }
};

std::string acknowledgements_behind_syncs(std::uint64_t& rounds) {
    open_keeper with;
    if (!with.keeper.take(with.in.region())) return "the lease";
    with.calls.where = &with.in.region();
    for (rounds = 1; rounds <= rounds_max; ++rounds) {
        if (!pay(with.in, with.by, rounds % players, (rounds + 1) % players, 1)) return "a commit";
        with.calls.announced = with.mark();
        if (!with.keeper.drain_once(with.in.region())) return "a round";
        if (with.calls.early) return "durable was acknowledged before the sync that covers it";
    }
    return {};
}

/// Set by the parent when the claimer may go on; shared.
std::atomic<int>* claimer_state = nullptr;

void wait_in_claim(std::string_view, std::uint64_t) {
    claimer_state->store(1);
    while (claimer_state->load() == 1) ::usleep(500);
}

/// A claimer that stands still between claim and commit: the drain waits for it, unless it is dead.
std::string drains_beside_a_claimer(std::uint64_t& rounds) {
    for (rounds = 1; rounds <= rounds_max; ++rounds) {
        open_keeper with;
        auto& region = with.in.region();
        if (!with.keeper.take(region)) return "the lease";
        while (with.keeper.drain_once(region).value() != 0) {
        }
        shared_one<std::atomic<int>> state;
        claimer_state = &*state;
        child claimer([&] {
            auto there = with.where.open();
            auto me = session::join(there.region(), nullptr).value();
            shm::arm({.point = "publish.commit", .hit = 1, .hook = wait_in_claim});
            return pay(there, me, 0, 1, 1).has_value() ? 0 : 1;
        });
        if (!eventually([&] { return state->load() == 1; })) return "nobody claimed";
        const auto before = with.mark();
        if (!pay(with.in, with.by, 4, 5, 1)) return "a commit behind the claim";
        if (const auto drained = with.keeper.drain_once(region); !drained || *drained != 0) {
            return "a record that is still written was taken for whole";
        }
        if (with.mark() != before) return "the mark passed a record that is still written";
        const bool dies = rounds % 2 == 0;
        if (dies) {
            claimer.kill();
        } else {
            state->store(2);
            if (claimer.wait() != 0) return "the claimer";
        }
        if (const auto drained = with.keeper.drain_once(region); !drained || *drained != 2) {
            return "what stood behind the claim was not drained";
        }
        if (with.mark() != before + 2) return "the mark stands still";
    }
    return {};
}

std::string quiet_day(std::uint64_t& rounds) {
    open_keeper with;
    rounds = 0;
    if (!with.keeper.take(with.in.region())) return "the lease";
    for (std::uint64_t i = 0; i < 500; ++i) {
        const auto paid = pay(with.in, with.by, i % players, (i + 3) % players, 1);
        if (!paid) return "a commit";
        if (i % 10 != 0) continue;
        if (!with.keeper.drain_once(with.in.region())) return "a round";
        if (with.mark() != paid->lsn) return "the mark";
    }
    with.keeper.rest();
    const auto seen = with.in.verify(with.by);
    return seen.sound ? std::string() : seen.problems.front();
}

using rig = std::string (*)(std::uint64_t&);

/// Runs a rig with a bug in a process of its own; an end by an assertion is a finding too.
finding_of_rig with_bug(shm::bug which, rig run) {
    shared_one<finding_of_rig> out;
    child other([&] {
        shm::plant(which);
        const auto words = run(out->rounds);
        std::snprintf(out->words, sizeof out->words, "%s", words.c_str());
        return 0;
    });
    const int status = other.wait();
    if (status != 0) {
        std::snprintf(out->words, sizeof out->words, "the process ended, status %d", status);
    }
    return *out;
}

struct planted_bug {
    shm::bug which;
    const char* rig_name;
    rig run;
};
constexpr planted_bug bugs[] = {
    {shm::bug::ack_at_write, "acknowledgements behind syncs", acknowledgements_behind_syncs},
    {shm::bug::drain_passes_claimed, "drains beside a claimer", drains_beside_a_claimer},
};

BOOST_AUTO_TEST_CASE(no_rig_finds_anything_where_nothing_is_planted) {
    for (const auto& each : bugs) {
        const auto found = with_bug(shm::bug::none, each.run);
        BOOST_TEST(found.rounds == rounds_max + 1);
        BOOST_TEST(std::string(found.words).empty(), each.rig_name << ": " << found.words);
    }
}

BOOST_AUTO_TEST_CASE(every_planted_bug_passes_a_quiet_day) {
    for (const auto& each : bugs) {
        const auto found = with_bug(each.which, quiet_day);
        BOOST_TEST(std::string(found.words).empty(), name(each.which) << ": " << found.words);
    }
}

BOOST_AUTO_TEST_CASE(every_planted_bug_is_caught_by_its_rig) {
    for (const auto& each : bugs) {
        const auto found = with_bug(each.which, each.run);
        std::printf("%-22s %-30s after %2lu: %s\n", name(each.which).data(), each.rig_name,
                    found.rounds, found.words);
        BOOST_TEST(!std::string(found.words).empty(), name(each.which));
        BOOST_TEST(found.rounds <= 2U);
    }
}

}  // namespace

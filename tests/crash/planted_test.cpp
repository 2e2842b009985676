// SPDX-License-Identifier: Apache-2.0
//
// Each bug of shm that a rig can plant passes a day without deaths, and is caught by the rig named
// here; none of the rigs finds anything where no bug is planted.
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <perdure/tests/crash/races.hpp>
#include <perdure/tests/crash/store_crash.hpp>
#include <perdure/tests/shm/open_bank.hpp>

namespace {

using namespace perdure;
using namespace perdure::shm;
using namespace perdure::tests;

struct verdict {
    bool caught;
    std::uint64_t count;  ///< Deaths or plays until then.
    char words[200];
};

/// Runs `rig(verdict&)` with the bug planted in a child: what is broken there breaks nothing here,
/// and an end by an assertion is a catch too.
template <class Rig>
verdict with_bug(bug which, Rig&& rig) {
    shared_bytes memory(sizeof(verdict));
    auto& out = *reinterpret_cast<verdict*>(memory.span().data());
    const pid_t child = ::fork();
    if (child == 0) {
        be_a_child();
        ::alarm(240);
        plant(which);
        try {
            rig(out);
        } catch (const std::exception& thrown) {
            out.caught = true;
            std::snprintf(out.words, sizeof out.words, "%s", thrown.what());
        }
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    verdict copy = out;
    if (status != 0 && !copy.caught) {
        copy.caught = true;
        std::snprintf(copy.words, sizeof copy.words, "the process ended, status %d", status);
    }
    return copy;
}

void say(verdict& out, const std::string& fault) {
    out.caught = true;
    std::snprintf(out.words, sizeof out.words, "%s", fault.c_str());
}

/// The primitives in their order from the named one on, from the first one if none is named.
void run_store_crash(verdict& out, std::string_view from) {
    auto& tally = shared_tally();
    count_into(&tally);
    shared_bytes memory(crash_options().capacity_bytes);
    const crash_limits limits{.twice_each = 5, .stop_at_fault = true, .tally = &tally};
    bool begun = from.empty();
    for (const auto& what : primitives()) {
        begun = begun || what.name == from;
        if (!begun || what.joins) continue;  // Joins are the longest, and nothing new in them.
        crash_report report;
        crash_everywhere(memory, what, 0, limits, report);
        out.count += report.counts.single + report.counts.nested + report.counts.twice;
        if (!report.faults.empty()) return say(out, report.faults.front());
    }
}

void run_race(verdict& out, std::string_view name) {
    for (const auto& each : races()) {
        if (each.name != name) continue;
        shared_bytes memory(crash_options().capacity_bytes);
        out.count = 1;
        const auto fault = each.play(memory);
        if (!fault.empty()) say(out, fault);
        return;
    }
    say(out, "no such race");
}

/// Transfers, inserts, takes and frees, without a death and without a second writer.
void run_quiet_day(verdict& out) {
    open_bank day(16);
    std::vector<record_bytes> journal;
    if (auto fault = drain_ring(day.where, journal); !fault.empty()) return say(out, fault);
    auto image = image_of(day.where);
    day.keeper.journal.clear();
    for (std::uint64_t i = 0; i < 500; ++i) {
        if (!transfer(day.self, day.in, i % 16, (i + 5) % 16, 3)) return say(out, "transfer");
        if (i % 50 == 0) open_accounts(day.self, day.in, 100 + i, 101 + i);
        const auto refused = day.self.write([&](transaction& tx) -> result<> {
            PERDURE_TRY(move(tx, day.in, 1, 2, 1));
            return errc::insufficient_funds;
        });
        if (refused.error() != errc::insufficient_funds) return say(out, "refusal");
    }
    if (auto fault = drain_ring(day.where, day.keeper.journal); !fault.empty()) {
        return say(out, fault);
    }
    for (const auto& record : day.keeper.journal) {
        if (auto fault = replay(image, record); !fault.empty()) return say(out, fault);
    }
    if (auto fault = difference(image, image_of(day.where)); !fault.empty()) say(out, fault);
    if (auto fault = day.faults(); !fault.empty()) say(out, fault);
}

struct planted_bug {
    bug which;
    std::string_view race = {};       ///< Empty: the store crash rig.
    std::string_view primitive = {};  ///< The first that it is run on; empty: the first there is.
};

constexpr planted_bug bugs[] = {
    {bug::undo_count_first, {}},
    {bug::store_before_undo, {}},
    {bug::publish_before_copy, {}},
    {bug::stripe_before_intent, {}},
    {bug::tail_before_claim, {}},
    {bug::padding_before_undo, {}},
    {bug::claim_dropped_before_undo, {}},
    {bug::life_consistent_first, "joining under repair"},
    {bug::reads_validated_first, "read, then overtaken"},
    {bug::no_bump_on_abort, "copy across a roll back"},
    {bug::release_before_publish, "death behind released rows"},
    {bug::gate_ignored, "commit behind the gate"},
    {bug::owner_unchecked, "roll back beside an owner"},
    {bug::key_left_behind, {}, "moving a key to another leaf"},
    {bug::chunks_leaked, {}, "blob shortened"},
    {bug::leaf_not_noted, "phantom in a range"},
    {bug::generation_kept, "row under an old id"},
};

void run_rig(verdict& out, const planted_bug& each) {
    if (each.race.empty()) {
        run_store_crash(out, each.primitive);
    } else {
        run_race(out, each.race);
    }
}

BOOST_AUTO_TEST_CASE(every_planted_bug_passes_a_quiet_day) {
    for (const auto& each : bugs) {
        const auto found = with_bug(each.which, run_quiet_day);
        BOOST_TEST(!found.caught, name(each.which) << ": " << found.words);
    }
}

BOOST_AUTO_TEST_CASE(every_planted_bug_is_caught_by_its_rig) {
    for (const auto& each : bugs) {
        const auto found = with_bug(each.which, [&](verdict& out) { run_rig(out, each); });
        const auto rig = each.race.empty() ? std::string_view("store crash") : each.race;
        std::printf("%-26s %-28.*s after %4lu: %s\n", name(each.which).data(),
                    static_cast<int>(rig.size()), rig.data(), found.count,
                    found.caught ? found.words : "NOT CAUGHT");
        BOOST_TEST(found.caught, name(each.which));
    }
}

BOOST_AUTO_TEST_CASE(no_race_finds_anything_where_nothing_is_planted) {
    for (const auto& each : races()) {
        const auto found = with_bug(bug::none, [&](verdict& out) { run_race(out, each.name); });
        BOOST_TEST(!found.caught, each.name << ": " << found.words);
    }
}

}  // namespace

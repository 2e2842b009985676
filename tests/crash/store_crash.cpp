// SPDX-License-Identifier: Apache-2.0
#include <perdure/tests/crash/store_crash.hpp>

namespace perdure::tests {

using namespace perdure::shm;

namespace {

// What a watching hook must reach; one rig runs at a time in a process.
struct {
    region* where = nullptr;
    const stage* on = nullptr;
} intruded;

void intrude(std::string_view point, std::uint64_t) {
    // Between the claim and the look at the reads.
    if (point != "commit.ring_unlock") return;
    bump(*intruded.where, intruded.on->in(), *intruded.on->what().intruded);
}

void die_at(std::uint64_t hit) {
    if (hit != 0) arm({.point = {}, .hit = hit});
}

/// Names a death so that it can be seen again.
std::string death(const stage& on, std::initializer_list<std::uint64_t> hits) {
    std::string out = std::string(on.what().name) + ", round " + std::to_string(on.round());
    for (const auto hit : hits)
        out += out.find("death") == std::string::npos
                   ? ", death at store " + std::to_string(hit)
                   : ", its repairer's at " + std::to_string(hit);
    return out + ": ";
}

/// How many crash points `act` passes in this process or in the children it waits for.
template <class Act>
std::uint64_t hits_in(const crash_tally& tally, Act&& act) {
    const auto before = tally.hits;
    act();
    return tally.hits - before;
}

struct chain_of_deaths {
    stage& on;
    const crash_limits& limits;
    crash_counts& counts;
    std::vector<std::string>& faults;

    bool must(bool held, const std::string& fault) {
        if (!held) faults.push_back(fault);
        return held;
    }
    [[nodiscard]] bool is_over() const { return limits.stop_at_fault && !faults.empty(); }

    /// The state in memory is what a death left: repairs it, judges, answers the repair's stores.
    std::uint64_t repair_and_judge(std::initializer_list<std::uint64_t> hits, bool goes_on) {
        const auto stores = hits_in(*limits.tally, [&] { sweep(on.where()); });
        const auto fault = on.judge(goes_on);
        must(fault.empty(), death(on, hits) + fault);
        return stores;
    }

    void nested(std::uint64_t k, const stage::picture& left, std::uint64_t stores) {
        for (std::uint64_t j = 1; j <= stores && !is_over(); ++j) {
            on.put_back(left);
            const auto end = in_child(on, [&](region& where) {
                die_at(j);
                sweep(where);
            });
            if (!must(end == ending::died, death(on, {k, j}) + "the repairer did not die"))
                continue;
            const bool deeper = ++counts.nested % limits.twice_each == 0;
            const auto left_again = deeper ? on.take() : stage::picture();
            const auto more = repair_and_judge({k, j}, j % 4 == 0);
            for (std::uint64_t l = 1; deeper && l <= more && !is_over(); ++l) {
                on.put_back(left_again);
                const auto last = in_child(on, [&](region& where) {
                    die_at(l);
                    sweep(where);
                });
                must(last == ending::died, death(on, {k, j, l}) + "did not die");
                ++counts.twice;
                repair_and_judge({k, j, l}, l % 4 == 0);
            }
        }
    }
};

}  // namespace

void perform(stage& on, region& where, std::uint64_t k) {
    actor by{where, on.in(), on.round()};
    if (!on.what().joins) by.enter();
    intruded = {&where, &on};
    if (on.what().intruded) watch(intrude);
    die_at(k);
    on.what().run(by);
    disarm();
    watch(nullptr);
    by.leave();
}

void crash_everywhere(shared_bytes& memory, const primitive& what, unsigned round,
                      const crash_limits& limits, crash_report& report) {
    stage on(memory, what, round);
    auto& counts = report.counts;
    chain_of_deaths deaths{on, limits, counts, report.faults};
    // Entering is over before the first store is numbered: what it passes is not counted.
    std::uint64_t entering = 0;
    if (!what.joins) {
        entering = hits_in(*limits.tally, [&] {
            in_child(on, [&](region& where) {
                actor by{where, on.in(), round};
                by.enter();
                by.leave();
            });
        });
        on.begin_again();
    }
    std::uint64_t stores = 0;
    on.learn_the_end([&] {
        stores = hits_in(*limits.tally, [&] {
            const auto end = in_child(on, [&](region& where) { perform(on, where, 0); });
            deaths.must(end == ending::finished, std::string(what.name) + ": it does not end");
        });
    });
    counts.points += stores - entering;
    for (std::uint64_t k = 1; k <= stores - entering && !deaths.is_over(); ++k) {
        on.begin_again();
        const auto end = in_child(on, [&](region& where) { perform(on, where, k); });
        if (!deaths.must(end == ending::died, death(on, {k}) + "it did not die")) continue;
        const bool deeper = ++counts.single % limits.nested_each == 0;
        const auto left = deeper ? on.take() : stage::picture();
        const auto repair = deaths.repair_and_judge({k}, true);
        if (deeper) deaths.nested(k, left, repair);
    }
}

crash_tally& shared_tally() {
    static shared_bytes memory(sizeof(crash_tally));
    return *reinterpret_cast<crash_tally*>(memory.span().data());
}

}  // namespace perdure::tests

// SPDX-License-Identifier: Apache-2.0
//
// Payments between accounts: uniform and Zipf draws with one and two workers, and two workers on
// disjoint accounts of which one is stopped while it holds a row.
#include "options.hpp"
#include "report.hpp"

#include <csignal>
#include <deque>

namespace perdure::perf {
namespace {

using stores = std::deque<store>;  // Stores do not move.

void measure_draw(stores& all, const options& asked, const std::string& work, draw how) {
    for (const int processes : {1, 2}) {
        std::vector<series> found;
        for (store& one : all) {
            found.push_back(
                series({work, one.engine_name(), one.face().applied_level(), processes}));
        }
        for (int run = 0; run < asked.runs(); ++run) {
            for (std::size_t i = 0; i < all.size(); ++i) {
                all[i].face().start_keeper();
                crew workers(all[i].plan());
                for (int worker = 0; worker < processes; ++worker) {
                    const auto number = static_cast<std::uint32_t>(run * processes + worker);
                    workers.spawn({.what = task::pay, .how = how, .number = number});
                }
                workers.await_ready();
                const auto counted = static_cast<std::size_t>(processes);
                const measurement rate = measure(workers, counted, asked.duration());
                const journal_state journal = all[i].face().journal();
                all[i].face().stop_keeper();
                found[i].add(rate, journal);
            }
        }
        for (const series& one : found) one.print(asked.suite);
    }
}

struct two_rates {
    measurement before;
    measurement beside_a_stopped_one;
};

/// The first worker's rate over a stretch of time.
double rate_of_first(crew& workers, double seconds) {
    const auto& operations = workers.worker(0).operations;
    const std::uint64_t first = operations.load(std::memory_order_relaxed);
    const std::uint64_t started = nanoseconds_now();
    rest(std::chrono::microseconds{static_cast<std::int64_t>(seconds * 1e6)});
    const std::uint64_t last = operations.load(std::memory_order_relaxed);
    return static_cast<double>(last - first) * 1e9 /
           static_cast<double>(nanoseconds_now() - started);
}

two_rates stop_one(store& one, const options& asked) {
    const duration_plan how_long = asked.short_duration();
    crew workers(one.plan());
    workers.spawn({.what = task::pay, .how = draw::disjoint, .number = 0});
    workers.spawn({.what = task::pay_then_hold, .how = draw::disjoint, .number = 1});
    workers.await_ready();
    two_rates found;
    workers.enter(phase::warming);
    rate_of_first(workers, how_long.warm_seconds);
    workers.enter(phase::measuring);
    found.before.operations_per_second = rate_of_first(workers, how_long.seconds / 2);
    workers.enter(phase::warming);
    workers.worker(1).wanted.store(1, std::memory_order_release);
    while (workers.worker(1).holding.load(std::memory_order_acquire) == 0) {
        workers.expect_alive();
        rest(std::chrono::microseconds{500});
    }
    workers.signal(1, SIGSTOP);
    found.before.latency = workers.worker(0).latency;  // Nobody writes it now.
    workers.enter(phase::measuring);
    const double window = how_long.seconds / 2;
    measurement& after = found.beside_a_stopped_one;
    after.operations_per_second = rate_of_first(workers, window);
    const bool moved = after.operations_per_second > 0;
    workers.enter(phase::ended);
    workers.signal(1, SIGCONT);
    workers.finish();
    if (moved) {
        after.latency = workers.worker(0).latency;
    } else {
        // It waited all the time: the latency is at least that.
        after.latency.add(static_cast<std::uint64_t>(window * 1e9));
    }
    return found;
}

void measure_disjoint(stores& all, const options& asked) {
    std::vector<series> before;
    std::vector<series> after;
    for (store& one : all) {
        const durability_level level = one.face().applied_level();
        before.push_back(series({"transfer-disjoint-before", one.engine_name(), level, 2}));
        after.push_back(series({"transfer-disjoint", one.engine_name(), level, 2}));
    }
    for (int run = 0; run < asked.runs(); ++run) {
        for (std::size_t i = 0; i < all.size(); ++i) {
            all[i].face().start_keeper();
            const two_rates found = stop_one(all[i], asked);
            const journal_state journal = all[i].face().journal();
            all[i].face().stop_keeper();
            before[i].add(found.before, journal);
            after[i].add(found.beside_a_stopped_one, journal);
        }
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
        before[i].print(asked.suite);
        after[i].print(asked.suite);
    }
}

void run(const options& asked) {
    const auto engines =
        asked.engines_among({"perdure", "perdure-ahead", "lmdb", "boost-mutex", "boost-striped"});
    stores all;
    for (const std::string& engine : engines) {
        all.emplace_back(engine, durability_level::applied, asked);
    }
    if (asked.wants_work("transfer-uniform")) {
        measure_draw(all, asked, "transfer-uniform", draw::uniform);
    }
    if (asked.wants_work("transfer-zipf")) measure_draw(all, asked, "transfer-zipf", draw::zipf);
    if (asked.wants_work("transfer-disjoint")) measure_disjoint(all, asked);
    for (store& one : all) one.expect_conserved();
}

}  // namespace
}  // namespace perdure::perf

int main(int argc, char** argv) { return perdure::perf::program(argc, argv, perdure::perf::run); }

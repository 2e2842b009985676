// SPDX-License-Identifier: Apache-2.0
//
// From nothing but the files to the first read: a world of 1 M accounts and 1 M payments loses its
// region, as in a power loss, and a new process opens it. The page cache is warm. Peers have no
// such work: LMDB promises nothing after a power loss without syncs, and has no log with them.
#include <deque>

#include "options.hpp"
#include "report.hpp"

namespace perdure::perf {
namespace {

constexpr std::uint64_t payments = 1'000'000;

void pay_all(store& one) {
    one.face().start_keeper();
    crew workers(one.plan());
    workers.spawn({.what = task::pay_durably, .batch = 1000});
    workers.await_ready();
    workers.enter(phase::warming);
    while (workers.worker(0).operations.load(std::memory_order_relaxed) < payments) {
        workers.expect_alive();
        rest(std::chrono::microseconds{1'000});
    }
    workers.finish();
    one.face().stop_keeper();
}

void lose_memory(const store_plan& plan) {
    for (const auto& file : std::filesystem::directory_iterator(plan.memory_directory)) {
        std::filesystem::remove_all(file);
    }
}

void run(const options& asked) {
    std::deque<store> all;
    for (const std::string& engine : asked.engines_among({"perdure"})) {
        store& one = all.emplace_back(engine, durability_level::durable, asked);
        pay_all(one);
        series found({"cold-recovery", engine, durability_level::durable, 1});
        for (int run = 0; run < asked.runs(); ++run) {
            lose_memory(one.plan());
            crew workers(one.plan());
            workers.spawn({.what = task::attach});
            workers.finish();
            measurement recovery;
            recovery.latency = workers.worker(0).latency;
            recovery.operations_per_second = 1e9 / static_cast<double>(recovery.latency.sum());
            found.add(recovery);
        }
        found.print(asked.suite);
        one.expect_conserved();
    }
}

}  // namespace
}  // namespace perdure::perf

int main(int argc, char** argv) { return perdure::perf::program(argc, argv, perdure::perf::run); }

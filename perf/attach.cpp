// SPDX-License-Identifier: Apache-2.0
//
// What a new process pays to open a store of 1 GiB that is there already, before its first read.
#include "options.hpp"
#include "report.hpp"

#include <deque>

namespace perdure::perf {
namespace {

void attach_once(store& one, series& found) {
    crew workers(one.plan());
    workers.spawn({.what = task::attach});
    workers.finish();
    measurement run;
    run.latency = workers.worker(0).latency;
    run.operations_per_second = 1e9 / static_cast<double>(run.latency.sum());
    found.add(run, one.face().journal());
}

void run(const options& asked) {
    std::deque<store> all;
    std::vector<series> found;
    for (const std::string& engine :
         asked.engines_among({"perdure", "lmdb", "boost-mutex", "boost-striped"})) {
        store& one = all.emplace_back(engine, durability_level::applied, asked);
        found.push_back(series({"attach", engine, one.face().applied_level(), 1}));
    }
    const int rounds = asked.quick ? 20 : 200;
    for (int round = 0; round < rounds; ++round) {
        for (std::size_t i = 0; i < all.size(); ++i) attach_once(all[i], found[i]);
    }
    for (const series& one : found) one.print(asked.suite);
}

}  // namespace
}  // namespace perdure::perf

int main(int argc, char** argv) { return perdure::perf::program(argc, argv, perdure::perf::run); }

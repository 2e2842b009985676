// SPDX-License-Identifier: Apache-2.0
//
// Reads of one row by its key, alone and beside a process that writes without pause.
#include "options.hpp"
#include "report.hpp"

#include <deque>

namespace perdure::perf {
namespace {

void measure_reads(std::deque<store>& all, const options& asked, const std::string& work,
                   bool beside_a_writer) {
    const int processes = beside_a_writer ? 2 : 1;
    std::vector<series> found;
    for (store& one : all) {
        found.push_back(series({work, one.engine_name(), one.face().applied_level(), processes}));
    }
    for (int run = 0; run < asked.runs(); ++run) {
        for (std::size_t i = 0; i < all.size(); ++i) {
            all[i].face().start_keeper();
            crew workers(all[i].plan());
            const auto number = static_cast<std::uint32_t>(2 * run);
            workers.spawn({.what = task::read, .number = number});
            if (beside_a_writer) workers.spawn({.what = task::pay, .number = number + 1});
            workers.await_ready();
            // Only the reader is counted; the writer is there to be in its way.
            const measurement rate = measure(workers, 1, asked.short_duration());
            const journal_state journal = all[i].face().journal();
            all[i].face().stop_keeper();
            found[i].add(rate, journal);
        }
    }
    for (const series& one : found) one.print(asked.suite);
}

void run(const options& asked) {
    const auto engines = asked.engines_among({"perdure", "lmdb", "boost-mutex", "boost-striped"});
    std::deque<store> all;
    for (const std::string& engine : engines) {
        all.emplace_back(engine, durability_level::applied, asked);
    }
    if (asked.wants_work("read")) measure_reads(all, asked, "read", false);
    if (asked.wants_work("read-while-writing")) {
        measure_reads(all, asked, "read-while-writing", true);
    }
    for (store& one : all) one.expect_conserved();
}

}  // namespace
}  // namespace perdure::perf

int main(int argc, char** argv) { return perdure::perf::program(argc, argv, perdure::perf::run); }

// SPDX-License-Identifier: Apache-2.0
//
// From SIGKILL of a process that holds a row to the next payment from that row, committed. The
// engines take turns, round by round, with a bare robust mutex as the kernel's own share of it.
// An engine that has not come back after `patience` is given up: its line has rate 0 and the
// patience as its latency.
#include "options.hpp"
#include "report.hpp"

#include <csignal>
#include <deque>

namespace perdure::perf {
namespace {

constexpr std::uint64_t patience_ns = 1'000'000'000;

class contest {
  public:
    contest(const std::string& engine, const options& asked)
        : store_(engine, durability_level::applied, asked),
          found_({"takeover", engine, store_.face().applied_level(), 2}),
          workers_(store_.plan()) {
        store_.face().start_keeper();
        workers_.spawn({.what = task::take_over});
        workers_.await_ready();
    }

    /// One death and one takeover.
    void play() {
        if (given_up_) return;
        const std::size_t holder = workers_.spawn({.what = task::hold});
        workers_.await_ready();
        control_page& page = workers_.page();
        page.victim.store(workers_.process(holder), std::memory_order_relaxed);
        const std::uint64_t before = done();
        // Release: the survivor reads the victim after the round.
        page.round.fetch_add(1, std::memory_order_release);
        const std::uint64_t started = nanoseconds_now();
        while (done() == before && nanoseconds_now() - started < patience_ns) {
            rest(std::chrono::microseconds{200});
        }
        given_up_ = done() == before;
        workers_.dismiss(holder);
    }

    void finish(const options& asked) {
        measurement all;
        if (given_up_) {
            workers_.signal(0, SIGKILL);
            workers_.dismiss(0);
            all.latency.add(patience_ns);
        } else {
            workers_.finish();
            all.latency = workers_.worker(0).latency;
            all.operations_per_second = static_cast<double>(all.latency.total()) * 1e9 /
                                        static_cast<double>(all.latency.sum());
        }
        const journal_state journal = store_.face().journal();
        store_.face().stop_keeper();
        found_.add(all, journal);
        found_.print(asked.suite);
    }

  private:
    std::uint64_t done() { return workers_.worker(0).operations.load(std::memory_order_acquire); }

    store store_;
    series found_;
    crew workers_;
    bool given_up_ = false;
};

void run(const options& asked) {
    std::deque<contest> all;
    for (const std::string& engine :
         asked.engines_among({"perdure", "lmdb", "boost-mutex", "boost-striped", "robust-mutex"})) {
        all.emplace_back(engine, asked);
    }
    const int rounds = asked.quick ? 100 : 1000;
    for (int round = 0; round < rounds; ++round) {
        for (contest& one : all) one.play();
    }
    for (contest& one : all) one.finish(asked);
}

}  // namespace
}  // namespace perdure::perf

int main(int argc, char** argv) { return perdure::perf::program(argc, argv, perdure::perf::run); }

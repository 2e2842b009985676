// SPDX-License-Identifier: Apache-2.0
//
// Payments at full speed, beside nothing and beside full copies to the disk that follow each other:
// checkpoints, or what a peer has for it. One writer; the rounds of all engines alternate, and
// perdure's two halves of a round change places each time. A peer's store is made anew for every
// round, and copies come second: LMDB is slow for good once a copy has made its map grow. What a
// copy costs is told of those that began and ended while it was measured. One run of each engine is
// told as a line of time for perf/plot.
#include "options.hpp"
#include "report.hpp"

#include <deque>
#include <optional>

namespace perdure::perf {
namespace {

constexpr const char* work_name = "transfer-during-checkpoint";
/// So many cuts are wanted for their 99th percentile; further rounds of perdure bring them.
constexpr std::uint64_t cuts_wanted = 100;
constexpr int rounds_max = 10;

/// LMDB reuses no page while a copy reads: its map grows by gigabytes meanwhile.
store_size size_for(const std::string& engine) {
    return {.bytes = std::uint64_t{engine == "lmdb" ? 4U : 1U} << 30U};
}

/// One engine, and what was found.
struct contender {
    explicit contender(const std::string& name)
        : engine(name),
          during({work_name, name, durability_level::applied, 1}),
          before({work_name, name + "-before", durability_level::applied, 1}) {}

    void make_store(const options& asked) {
        own.emplace(engine, durability_level::applied, asked, size_for(engine));
    }
    /// Throws unless all money is still there.
    void drop_store() {
        own->expect_conserved();
        own.reset();
    }

    std::string engine;
    std::optional<store> own;
    series during;
    series before;
    std::uint64_t stall_during_ns = 0;
    std::uint64_t stall_before_ns = 0;
    std::uint64_t refused_during = 0;
    std::uint64_t refused_before = 0;
    std::vector<saved_copy> copies;  // Begun and ended while it was measured.
    histogram cuts;
    saving_state worst;
    bool has_timeline = false;
};

duration_plan how_long(const options& asked) {
    return asked.quick ? duration_plan{0.5, 4.0} : asked.duration();
}

void print_timeline(const options& asked, const std::string& engine, const pace& went,
                    const std::vector<saved_copy>& copies) {
    std::printf(
        "{\"suite\":\"%s\",\"work\":\"timeline\",\"engine\":\"%s\",\"slot_ms\":%.0f,"
        "\"operations\":[",
        asked.suite.c_str(), engine.c_str(), static_cast<double>(pace::slot_ns) / 1e6);
    for (std::size_t i = 0; i < went.slots(); ++i) {
        std::printf("%s%u", i == 0 ? "" : ",", went.operations_in(i));
    }
    std::printf("],\"copies_ms\":[");
    const auto since = [&](std::uint64_t at_ns) {
        return (static_cast<double>(at_ns) - static_cast<double>(went.begun_ns())) / 1e6;
    };
    const char* between = "";
    for (const saved_copy& each : copies) {
        std::printf("%s[%.2f,%.2f,%.2f]", between, since(each.begun_ns), since(each.captured_ns),
                    since(each.ended_ns));
        between = ",";
    }
    std::printf("]}\n");
    std::fflush(stdout);
}

/// Those of the copies that lie within the measurement; where none does, those that touch it.
std::vector<saved_copy> within(const std::vector<saved_copy>& copies, const measurement& run) {
    std::vector<saved_copy> inside;
    std::vector<saved_copy> touching;
    for (const saved_copy& each : copies) {
        if (each.begun_ns < run.ended_ns && each.ended_ns > run.begun_ns) touching.push_back(each);
        if (each.begun_ns >= run.begun_ns && each.ended_ns <= run.ended_ns) inside.push_back(each);
    }
    return inside.empty() ? touching : inside;
}

std::vector<saved_copy> copies_beside(worker_page& worker) {
    if (worker.saved.failure[0] != 0) throw engine_failure(worker.saved.failure);
    // Acquire: the copies stand behind their count.
    const std::uint64_t count = worker.saved.count.load(std::memory_order_acquire);
    return {worker.saved.copies, worker.saved.copies + count};
}

void pay_beside(contender& one, const options& asked, int round, bool saves) {
    engine& face = one.own->face();
    const bool keeper_saves = saves && face.start_saving_keeper();
    if (!keeper_saves) face.start_keeper();
    crew workers(one.own->plan());
    workers.spawn({.what = task::pay,
                   .how = draw::uniform,
                   .number = static_cast<std::uint32_t>(round),
                   .saves = saves && !keeper_saves ? 1U : 0U});
    workers.await_ready();
    const measurement run = measure(workers, 1, how_long(asked));
    const journal_state journal = face.journal();
    saving_state saved;
    if (keeper_saves) saved = face.saving();
    face.stop_keeper();
    const pace& went = workers.worker(0).went;
    const std::uint64_t refused = workers.worker(0).refused.load(std::memory_order_relaxed);
    if (!saves) {
        one.before.add(run, journal);
        one.stall_before_ns = std::max(one.stall_before_ns, went.worst_stall_ns());
        one.refused_before += refused;
        return;
    }
    if (!keeper_saves) saved.copies = copies_beside(workers.worker(0));
    const auto copies = within(saved.copies, run);
    if (copies.empty()) throw engine_failure(one.engine + ": no copy has ended");
    one.during.add(run, journal);
    one.stall_during_ns = std::max(one.stall_during_ns, went.worst_stall_ns());
    one.refused_during += refused;
    one.copies.insert(one.copies.end(), copies.begin(), copies.end());
    for (const saved_copy& each : copies) {
        if (keeper_saves) one.cuts.add(each.gate_ns);
    }
    one.worst.aborts += saved.aborts;
    one.worst.shadows_max = std::max(one.worst.shadows_max, saved.shadows_max);
    one.worst.gate_wait_ns_max = std::max(one.worst.gate_wait_ns_max, saved.gate_wait_ns_max);
    if (!one.has_timeline) print_timeline(asked, one.engine, went, saved.copies);
    one.has_timeline = true;
}

/// The median of what a function says of the copies.
template <class Function>
double median_of(const std::vector<saved_copy>& copies, Function&& figure) {
    std::vector<double> values;
    for (const saved_copy& each : copies) values.push_back(figure(each));
    return median(std::move(values));
}

void print(contender& one, const options& asked) {
    if (one.copies.empty()) return;
    const auto seconds = [](const saved_copy& each) {
        return static_cast<double>(each.ended_ns - each.begun_ns) / 1e9;
    };
    series& line = one.during;
    one.before.note("stall_ns", static_cast<double>(one.stall_before_ns));
    line.note("stall_ns", static_cast<double>(one.stall_during_ns));
    one.before.note("refused", static_cast<double>(one.refused_before));
    line.note("refused", static_cast<double>(one.refused_during));
    line.note("copies", static_cast<double>(one.copies.size()));
    line.note("copy_ms", 1e3 * median_of(one.copies, seconds));
    line.note("capture_ms", median_of(one.copies, [](const saved_copy& each) {
                  return static_cast<double>(each.captured_ns - each.begun_ns) / 1e6;
              }));
    line.note("rows_mb_s", median_of(one.copies, [&](const saved_copy& each) {
                  return static_cast<double>(each.row_bytes) / 1e6 / seconds(each);
              }));
    const saved_copy& last = one.copies.back();
    line.note("rows", static_cast<double>(last.rows));
    line.note("row_bytes", static_cast<double>(last.row_bytes));
    line.note("file_bytes", static_cast<double>(last.file_bytes));
    if (one.cuts.total() > 0) {
        line.note("pages", static_cast<double>(last.pages));
        line.note("aborts", static_cast<double>(one.worst.aborts));
        line.note("shadows_max", static_cast<double>(one.worst.shadows_max));
        line.note("cuts", static_cast<double>(one.cuts.total()));
        line.note("cut_p50_ns", static_cast<double>(one.cuts.quantile(0.50)));
        line.note("cut_p99_ns", static_cast<double>(one.cuts.quantile(0.99)));
        line.note("cut_max_ns", static_cast<double>(one.cuts.max()));
        line.note("gate_wait_max_ns", static_cast<double>(one.worst.gate_wait_ns_max));
    }
    one.before.print(asked.suite);
    line.print(asked.suite);
}

void run(const options& asked) {
    std::deque<contender> all;
    for (const auto& engine :
         asked.engines_among({"perdure", "lmdb", "rocksdb", "sqlite", "redis"})) {
        all.emplace_back(engine);
    }
    const auto round_of = [&](contender& one, int round) {
        if (!one.own) one.make_store(asked);
        const bool is_ours = one.engine == "perdure";
        const bool saves_first = is_ours && round % 2 != 0;
        pay_beside(one, asked, round, saves_first);
        pay_beside(one, asked, round, !saves_first);
        if (!is_ours) one.drop_store();
    };
    for (int round = 0; round < asked.runs(); ++round) {
        for (contender& one : all) round_of(one, round);
    }
    for (contender& one : all) {
        for (int round = asked.runs(); !asked.quick && one.cuts.total() > 0 &&
                                       one.cuts.total() < cuts_wanted && round < rounds_max;
             ++round) {
            round_of(one, round);
        }
        print(one, asked);
        if (one.own) one.drop_store();
    }
}

}  // namespace
}  // namespace perdure::perf

int main(int argc, char** argv) { return perdure::perf::program(argc, argv, perdure::perf::run); }

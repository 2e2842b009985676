// SPDX-License-Identifier: Apache-2.0
//
// From nothing but the files to the first payment, in a process of its own. The store's writer is
// killed, then everything in memory goes: what lies on tmpfs, and the page cache of the files; a
// world meets another boot.
//   cold-recovery        1 M accounts and 1 M payments in the journal, no checkpoint, page cache
//                        warm, up to the first read
//   recover-checkpoint   1 M accounts behind a full checkpoint, nothing after it
//   recover-log          10 M rows, and as many payments behind a full checkpoint as each engine's
//                        log is let grow to (all 10 M for perdure; for peers see payments_of)
// A row is an account for the peers; in a ledger each account has two. LMDB has no log, so it has
// nothing to do; Redis begins with the RDB in its log. The others are told to let their logs grow:
// with the sizes they have by default there would be next to nothing to recover.
#include "options.hpp"
#include "report.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <csignal>
#include <deque>

namespace perdure::perf {
namespace {

struct recovery_work {
    std::string name;
    std::uint64_t rows;
    std::uint64_t payments;
    bool saves;  ///< A full copy between the rows and the payments.
    bool is_cold;
};

void pay_all(store& one, std::uint64_t payments) {
    one.face().start_keeper();
    crew workers(one.plan());
    workers.spawn({.what = task::pay_durably, .batch = 1000});
    workers.await_ready();
    workers.enter(phase::warming);
    while (workers.worker(0).operations.load(std::memory_order_relaxed) < payments) {
        workers.expect_alive();
        rest(std::chrono::microseconds{1'000});
    }
    workers.signal(0, SIGKILL);
    workers.dismiss(0);
    one.face().stop_keeper();
}

/// The file's bytes have to come from the disk again.
void chill(const std::filesystem::path& path) {
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    if (fsync(file) == 0) posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    close(file);
}

void lose_memory(const store_plan& plan, bool is_cold) {
    for (const auto& file : std::filesystem::directory_iterator(plan.memory_directory)) {
        std::filesystem::remove_all(file);
    }
    if (!is_cold) return;
    for (const auto& file : std::filesystem::recursive_directory_iterator(plan.disk_directory)) {
        if (file.is_regular_file()) chill(file.path());
    }
}

class findings {
  public:
    void add(std::uint64_t took_ns, const opening_cost& cost) {
        took_ms_.push_back(static_cast<double>(took_ns) / 1e6);
        load_ms_.push_back(cost.load_ms);
        replay_ms_.push_back(cost.replay_ms);
        index_ms_.push_back(cost.index_ms);
        peak_bytes_ = std::max(peak_bytes_, cost.peak_bytes);
        last_ = cost;
    }

    void tell(series& line, std::uint64_t payments) const {
        line.note("payments", static_cast<double>(payments));
        line.note("took_ms", median(took_ms_));
        line.note("peak_bytes", static_cast<double>(peak_bytes_));
        if (last_.region_bytes == 0) return;
        line.note("region_bytes", static_cast<double>(last_.region_bytes));
        line.note("rows", static_cast<double>(last_.rows));
        line.note("transactions", static_cast<double>(last_.transactions));
        line.note("load_ms", median(load_ms_));
        line.note("replay_ms", median(replay_ms_));
        line.note("index_ms", median(index_ms_));
    }

  private:
    std::vector<double> took_ms_;
    std::vector<double> load_ms_;
    std::vector<double> replay_ms_;
    std::vector<double> index_ms_;
    std::uint64_t peak_bytes_ = 0;
    opening_cost last_{};
};

/// How many payments an engine's log is let grow to; each of them has to be made, and replayed.
std::uint64_t payments_of(const std::string& engine, const recovery_work& work) {
    std::uint64_t most = work.payments;
    if (engine == "sqlite") most = 50'000;    // 8 KiB of log each.
    if (engine == "rocksdb") most = 300'000;  // More than its default memory table takes.
    if (engine == "lmdb" || engine == "redis") most = 100'000;
    return std::min(most, work.payments);
}

void measure_recovery(const recovery_work& work, const std::string& engine, const options& asked) {
    const std::uint64_t accounts = engine == "perdure" && work.saves ? work.rows / 2 : work.rows;
    // Of a world 400 bytes a row are enough, and of LMDB's tree; nobody takes more than it uses.
    const std::uint64_t bytes = std::max(std::uint64_t{1} << 30U, work.rows * 400);
    store one(engine, durability_level::durable, asked,
              {.accounts = accounts, .bytes = bytes, .keeps_log = true});
    if (work.saves && engine == "perdure") (void)one.face().save();
    const std::uint64_t payments = payments_of(engine, work);
    if (payments > 0) pay_all(one, payments);
    series line({work.name, engine, durability_level::durable, 1});
    findings found;
    for (int run = 0; run < asked.runs(); ++run) {
        lose_memory(one.plan(), work.is_cold);
        one.reboot();
        crew workers(one.plan());
        workers.spawn({.what = work.is_cold ? task::recover : task::attach});
        workers.finish();
        const worker_page& worker = workers.worker(0);
        measurement recovery;
        recovery.latency = worker.latency;
        recovery.operations_per_second = 1e9 / static_cast<double>(recovery.latency.sum());
        line.add(recovery);
        found.add(worker.latency.sum(), worker.opened);
    }
    found.tell(line, payments);
    line.print(asked.suite);
    one.expect_conserved();
}

void run(const options& asked) {
    const std::uint64_t many = asked.quick ? 1'000'000 : 10'000'000;
    const recovery_work works[] = {
        {"cold-recovery", 1'000'000, 1'000'000, false, false},
        {"recover-checkpoint", 2'000'000, 0, true, true},
        {"recover-log", many, many, true, true},
    };
    for (const recovery_work& work : works) {
        if (!asked.wants_work(work.name)) continue;
        const auto peers = {"perdure", "lmdb", "rocksdb", "sqlite", "redis"};
        const auto engines = work.is_cold ? asked.engines_among({peers.begin(), peers.end()})
                                          : asked.engines_among({"perdure"});
        for (const std::string& engine : engines) measure_recovery(work, engine, asked);
    }
}

}  // namespace
}  // namespace perdure::perf

int main(int argc, char** argv) { return perdure::perf::program(argc, argv, perdure::perf::run); }

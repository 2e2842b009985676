// SPDX-License-Identifier: Apache-2.0
//
// Payments that are acknowledged when they survive power loss: 16 processes that each wait for
// every payment, and one that waits after each 1,000. Beside them, in the same run and directory,
// what the disk takes to sync 4 KiB: nothing durable can be judged without it.
#include "options.hpp"
#include "report.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <deque>
#include <system_error>

namespace perdure::perf {
namespace {

/// A file written once beforehand, so that no sync has to allocate, and overwritten block by block.
class sync_probe {
  public:
    explicit sync_probe(const std::filesystem::path& directory)
        : path_(directory / ("sync-probe." + std::to_string(getpid()))) {
        file_ = open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (file_ < 0) refuse("open");
        for (std::size_t i = 0; i < blocks; ++i) write_block(i);
        if (fsync(file_) != 0) refuse("fsync");
    }
    sync_probe(const sync_probe&) = delete;
    sync_probe& operator=(const sync_probe&) = delete;
    ~sync_probe() {
        if (file_ >= 0) close(file_);
        unlink(path_.c_str());
    }

    measurement measure(double seconds) {
        measurement found;
        const std::uint64_t started = nanoseconds_now();
        const std::uint64_t end = started + static_cast<std::uint64_t>(seconds * 1e9);
        std::uint64_t before = started;
        while (before < end) {
            if (is_interrupted()) throw interrupted{};
            write_block(next_++ % blocks);
            if (fdatasync(file_) != 0) refuse("fdatasync");
            const std::uint64_t after = nanoseconds_now();
            found.latency.add(after - before);
            before = after;
        }
        found.operations_per_second = static_cast<double>(found.latency.total()) * 1e9 /
                                      static_cast<double>(before - started);
        return found;
    }

  private:
    static constexpr std::size_t blocks = 4096;
    using block = std::array<char, 4096>;

    [[noreturn]] void refuse(const char* what) const {
        throw std::system_error(errno, std::generic_category(), path_.string() + ": " + what);
    }

    void write_block(std::size_t place) {
        block_.fill(static_cast<char>(place + next_));
        const auto at = static_cast<off_t>(place * sizeof(block));
        if (pwrite(file_, block_.data(), block_.size(), at) !=
            static_cast<ssize_t>(sizeof(block))) {
            refuse("pwrite");
        }
    }

    std::filesystem::path path_;
    int file_ = -1;
    std::size_t next_ = 0;
    block block_{};
};

struct durable_work {
    std::string name;
    int processes;
    std::uint32_t batch;
};

void measure_work(std::deque<store>& all, const options& asked, const durable_work& work,
                  sync_probe& disk, series& syncs) {
    std::vector<series> found;
    for (store& one : all) {
        found.push_back(series(
            {work.name, one.engine_name(), durability_level::durable, work.processes, work.batch}));
    }
    for (int run = 0; run < asked.runs(); ++run) {
        syncs.add(disk.measure(asked.quick ? 0.5 : 2.0));
        for (std::size_t i = 0; i < all.size(); ++i) {
            all[i].face().start_keeper();
            crew workers(all[i].plan());
            for (int worker = 0; worker < work.processes; ++worker) {
                const auto number = static_cast<std::uint32_t>(run * work.processes + worker);
                workers.spawn({.what = task::pay_durably, .batch = work.batch, .number = number});
            }
            workers.await_ready();
            const auto counted = static_cast<std::size_t>(work.processes);
            const measurement rate = measure(workers, counted, asked.short_duration());
            const journal_state journal = all[i].face().journal();
            all[i].face().stop_keeper();
            found[i].add(rate, journal);
        }
    }
    for (const series& one : found) one.print(asked.suite);
}

void run(const options& asked) {
    std::deque<store> all;
    for (const std::string& engine : asked.engines_among({"perdure", "lmdb"})) {
        all.emplace_back(engine, durability_level::durable, asked);
    }
    sync_probe disk(asked.scratch);
    series syncs({"sync-latency", "disk", durability_level::durable, 1});
    for (const durable_work& work :
         {durable_work{"durable-16", 16, 1}, durable_work{"durable-stream", 1, 1000}}) {
        if (asked.wants_work(work.name)) measure_work(all, asked, work, disk, syncs);
    }
    syncs.print(asked.suite);
    for (store& one : all) one.expect_conserved();
}

}  // namespace
}  // namespace perdure::perf

int main(int argc, char** argv) { return perdure::perf::program(argc, argv, perdure::perf::run); }

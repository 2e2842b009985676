// SPDX-License-Identifier: Apache-2.0
//
// Worker processes under one clock: spawned by exec of the same program, warmed, started together,
// counted through a page that all of them share.
//
// Promise     The clock starts after every worker has opened its store, touched it and run for a
//             while. Every 61st operation is timed, so that timing does not cost the throughput.
// Death       Workers die with their parent (PR_SET_PDEATHSIG); a worker that dies unasked fails
//             the measurement with its own words.
// Threads     A crew belongs to one thread. The page's words are relaxed counters except `phase`
//             and `ready`, which hand over what was written before them.
#pragma once

#include "engine.hpp"
#include "histogram.hpp"
#include "pace.hpp"

#include <sys/types.h>
#include <atomic>
#include <chrono>
#include <vector>

namespace perdure::perf {

enum class phase : std::uint32_t { waiting = 0, warming = 1, measuring = 2, ended = 3 };

enum class task : std::uint32_t {
    pay = 1,            ///< Payments, one a transaction.
    pay_durably = 2,    ///< Payments, durable after each batch.
    read = 3,           ///< Reads of one row.
    pay_then_hold = 4,  ///< Payments until told to hold a row; then it stays inside.
    hold = 5,           ///< Opens a transaction on account 0 and stays inside.
    take_over = 6,      ///< Kills the holder of account 0, then pays from that account.
    attach = 7,         ///< Opens the store; the time that took is the latency.
    recover = 8,        ///< As attach, and pays once: the latency is that of both.
};

struct worker_order {
    task what;
    draw how = draw::uniform;
    std::uint32_t batch = 1;
    std::uint32_t number = 0;  ///< Seed, and which half of the accounts in a disjoint draw.
    std::uint32_t saves = 0;   ///< 1: beside it a second thread makes copies while it is measured.
};

/// Copies that were made beside a worker, by a thread of its process.
struct copies_page {
    static constexpr std::size_t copies_max = 1'024;

    std::atomic<std::uint64_t> count;  ///< Released behind the copy it counts.
    saved_copy copies[copies_max];
    char failure[256];
};

struct worker_page {
    worker_order order;
    std::atomic<std::uint32_t> ready;    ///< The worker has opened and touched its store.
    std::atomic<std::uint32_t> wanted;   ///< pay_then_hold: now hold.
    std::atomic<std::uint32_t> holding;  ///< The worker is inside a transaction.
    alignas(64) std::atomic<std::uint64_t> operations;
    std::atomic<std::uint64_t> refused;  ///< Operations that had to be tried again.
    alignas(64) histogram latency;       ///< Of the newest measuring phase, as is `went`.
    pace went;                           ///< Where operations are counted in strides.
    opening_cost opened;
    copies_page saved;
    char failure[256];
};

struct control_page {
    static constexpr std::size_t workers_max = 20;

    store_plan plan;
    std::atomic<std::uint32_t> now;    ///< A phase.
    std::atomic<std::uint32_t> round;  ///< take_over: which holder is to be killed.
    std::atomic<std::int32_t> victim;  ///< take_over: its process.
    worker_page workers[workers_max];
};

/// SIGINT or SIGTERM arrived. Thrown from waits, so that every store is removed on the way out.
struct interrupted {};

/// Sleeps, and throws `interrupted` when asked to stop.
void rest(std::chrono::microseconds duration);

[[nodiscard]] std::uint64_t nanoseconds_now() noexcept;

/// The worker processes of one measurement.
class crew {
  public:
    explicit crew(const store_plan& plan);
    crew(const crew&) = delete;
    crew& operator=(const crew&) = delete;
    ~crew();

    /// Starts a worker; answers its place in the page. At most control_page::workers_max live.
    std::size_t spawn(const worker_order& order);
    /// Waits until every living worker is ready. Throws engine_failure if one dies.
    void await_ready();
    /// Throws engine_failure if a worker died that was not dismissed.
    void expect_alive();
    void enter(phase next) noexcept;
    /// Ends the measurement and reaps everybody; throws if one failed.
    void finish();
    /// Sends a signal to a worker.
    void signal(std::size_t worker, int number) noexcept;
    /// Forgets a worker that is dead or about to die by a signal, and waits for its end.
    void dismiss(std::size_t worker) noexcept;

    [[nodiscard]] control_page& page() noexcept { return *page_; }
    [[nodiscard]] worker_page& worker(std::size_t place) noexcept { return page_->workers[place]; }
    [[nodiscard]] pid_t process(std::size_t place) const noexcept { return processes_[place]; }

  private:
    [[noreturn]] void fail(std::size_t worker, int status);

    int file_ = -1;
    control_page* page_ = nullptr;
    std::vector<pid_t> processes_;
};

struct measurement {
    double operations_per_second = 0;
    histogram latency;
    std::uint64_t begun_ns = 0;  ///< Of the monotonic clock, as is the end.
    std::uint64_t ended_ns = 0;
};

struct duration_plan {
    double warm_seconds;
    double seconds;
};

/// Warms and measures a crew that is ready; the figures are those of its first `counted` workers.
[[nodiscard]] measurement measure(crew& all, std::size_t counted, const duration_plan& how_long);

/// A process's memory at its highest, as the kernel counts it.
[[nodiscard]] std::uint64_t peak_bytes(pid_t process);

/// What a worker process does; the programs call it when their first argument is `worker`.
int worker_main(int argc, char** argv);

}  // namespace perdure::perf

// SPDX-License-Identifier: Apache-2.0
//
// One store under measurement: what the parent makes and a worker process opens.
//
// Promise     Every engine keeps the same rows and does the same payment: read two rows by their
//             16-byte keys, write both, append a 64-byte event, all or nothing for other processes.
// Threads     One object, one thread. Parent and workers each hold an object of their own.
#pragma once

#include "workload.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace perdure::perf {

/// What an acknowledged payment survives: nothing (a killed process may leave the store dead),
/// the death of any process, or power loss.
enum class durability_level : std::uint32_t { none = 1, applied = 2, durable = 3 };

constexpr std::string_view name(durability_level level) noexcept {
    switch (level) {
        case durability_level::none: return "none";
        case durability_level::applied: return "applied";
        case durability_level::durable: return "durable";
    }
    return "unknown";
}

/// Where a store lives and how large it is. Plain bytes: it travels to workers in a shared page.
struct store_plan {
    char engine[32];
    char memory_directory[192];  ///< On tmpfs, ours alone.
    char disk_directory[192];    ///< On a disk, ours alone.
    std::uint64_t accounts;
    std::uint64_t store_bytes;  ///< Address space and memory an engine with a fixed size takes.
    durability_level level;     ///< The strongest level that the work asks for.
    std::uint32_t boot;         ///< Which boot a world is opened in; 0 = the machine's.
    std::uint32_t keeps_log;    ///< 1: nothing shortens the log by itself, so that it grows long.
    std::uint32_t reserved;
};

/// What an engine with a journal knows about it.
struct journal_state {
    std::uint64_t ring_wraps = 0;
    std::uint64_t lag_bytes = 0;
};

/// One full copy of a store on the disk, made beside its writers. Plain bytes: it travels in a
/// shared page. Times are of the monotonic clock.
struct saved_copy {
    std::uint64_t begun_ns;
    std::uint64_t captured_ns;  ///< Writers feel it no more, where the engine knows; else the end.
    std::uint64_t ended_ns;     ///< It is durable.
    std::uint64_t rows;
    std::uint64_t row_bytes;
    std::uint64_t file_bytes;
    std::uint64_t pages;    ///< Copied, where the engine knows.
    std::uint64_t gate_ns;  ///< Writers were kept out, where the engine knows.
    std::uint64_t shadows;  ///< Pages that writers had to copy, where the engine knows.
};

/// What a keeper that takes copies one after the other knows about them.
struct saving_state {
    std::vector<saved_copy> copies;
    std::uint64_t aborts = 0;       ///< Given up, and begun anew.
    std::uint64_t shadows_max = 0;  ///< The most pages that writers had to copy in one.
    std::uint64_t gate_wait_ns_max = 0;
};

/// What a store had to do when it was opened, where the engine knows.
struct opening_cost {
    std::uint64_t rows;
    std::uint64_t transactions;
    double load_ms;
    double replay_ms;
    double index_ms;
    std::uint64_t region_bytes;
    /// Memory at its highest, shared memory included: of the process and of a server it started.
    std::uint64_t peak_bytes;
};

class engine_failure : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

class engine {
  public:
    engine() = default;
    engine(const engine&) = delete;
    engine& operator=(const engine&) = delete;
    virtual ~engine() = default;

    /// What this engine's payments survive when the plan asks for `applied`.
    [[nodiscard]] virtual durability_level applied_level() const noexcept = 0;

    /// Makes the store and its accounts. The parent does this once; it leaves the store closed.
    virtual void create(const store_plan& plan) = 0;
    /// Removes every trace of the store. Idempotent; called by the parent only.
    virtual void destroy() noexcept = 0;
    /// Starts and stops what must run beside the workers; the parent calls it around each run.
    virtual void start_keeper() {}
    virtual void stop_keeper() {}
    [[nodiscard]] virtual journal_state journal() { return {}; }
    /// As start_keeper(), of a keeper that takes full copies one after the other until it is
    /// stopped. False: it has none of that kind; a worker's second thread calls save() instead.
    virtual bool start_saving_keeper() { return false; }
    /// What that keeper has done since it was started. Requires: it still is.
    [[nodiscard]] virtual saving_state saving() { return {}; }
    /// Makes one full copy on the disk in the place of the last one, durably. Requires: open(). By
    /// any one thread, beside the one that pays.
    virtual saved_copy save() { throw engine_failure("this engine copies nothing"); }

    /// Opens an existing store in this process.
    virtual void open(const store_plan& plan) = 0;
    [[nodiscard]] virtual opening_cost opened() { return {}; }
    /// Touches all memory, so that no page fault falls into the measurement.
    virtual void warm() = 0;

    /// A payment that will come a few payments later, as a server with a queue knows it. A hint.
    virtual void expect(const payment&) {}

    /// False: given up, because somebody held what it needs; nothing has changed.
    virtual bool pay(const payment& what) = 0;
    /// Returns when all of them survive power loss. Only where the plan's level is durable.
    virtual void pay_durably(std::span<const payment> what) = 0;
    [[nodiscard]] virtual account_row read(std::uint64_t account) = 0;
    /// Changes the account's row in a transaction and calls back while it is still open.
    virtual void hold(std::uint64_t account, const std::function<void()>& while_held) = 0;
    /// Sum of all balances; payments must not change it.
    [[nodiscard]] virtual std::int64_t total() = 0;
};

[[nodiscard]] bool is_built_in(std::string_view name) noexcept;

/// Throws engine_failure for a name that is not built in.
[[nodiscard]] std::unique_ptr<engine> make_engine(std::string_view name);

}  // namespace perdure::perf

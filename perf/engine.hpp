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
    std::uint32_t reserved;
};

/// What an engine with a journal knows about it.
struct journal_state {
    std::uint64_t ring_wraps = 0;
    std::uint64_t lag_bytes = 0;
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

    /// Opens an existing store in this process.
    virtual void open(const store_plan& plan) = 0;
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

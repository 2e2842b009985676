// SPDX-License-Identifier: Apache-2.0
//
// The services of perdure_plugin.h, for one plugin: reading from the region, everything else
// through an outlet.
//
// Promise     A service that was not granted is not there. Nothing here stores into the region.
// Threads     The one on which the plugin is called.
#pragma once

#include <perdure/plugins/abi/perdure_plugin.h>

#include <map>
#include <perdure/plugins/host/outlet.hpp>
#include <set>

namespace perdure::plugins {

class services {
  public:
    /// `read`: the names of the tables it may read. Errors: as registry::find.
    static result<std::unique_ptr<services>> make(shm::region& where, account_id plugin,
                                                  std::set<std::string> read, outlet& out);
    services(const services&) = delete;
    services& operator=(const services&) = delete;

    [[nodiscard]] const perdure_host_api& host() const noexcept { return host_; }

    /// The call that begins now: whose batches follow, and what time it is.
    void begin(std::uint64_t generation, std::uint64_t window, std::uint64_t world_ns) noexcept;
    /// What was posted and not committed is forgotten.
    void end() noexcept;

    void log(std::uint32_t level, std::string_view text) { out_->log(level, text); }

  private:
    friend struct service_calls;
    services(shm::region& where, account_id plugin, outlet& out);

    [[nodiscard]] const void* find(std::string_view name) const noexcept;
    result<std::uint32_t> table_named(std::string_view name);
    result<> commit(std::uint64_t position, perdure_receipt& receipt);
    result<> get_row(std::uint32_t table, const shm::row_key& key, std::span<std::byte> out);
    result<std::uint64_t> scan(std::uint32_t table, std::uint64_t& next, std::span<std::byte> out);

    shm::region* where_;
    shm::reader reader_;
    account_id plugin_;
    outlet* out_;
    std::optional<registry> plugins_;
    std::optional<ledger> books_;
    std::set<std::string> read_;
    std::set<std::uint32_t> tables_;  // That were found, and may be read.
    batch_writer batch_;
    batch_origin origin_;
    std::uint64_t world_ns_ = 0;
    bool is_called_ = false;
    bool is_open_ = false;

    perdure_host_api host_{};
    perdure_ledger_1 ledger_{};
    perdure_read_1 rows_{};
    perdure_state_1 state_{};
    perdure_log_1 log_{};
    perdure_clock_1 clock_{};
    perdure_metrics_1 metrics_{};
};

}  // namespace perdure::plugins

// SPDX-License-Identifier: Apache-2.0
//
// The one place where what plugins want becomes so: every batch is judged and committed here,
// whatever process it came from.
//
// Promise     A batch is committed whole or changes nothing. It is committed once, however often
//             its window is run: the plugin's row counts the commits of the window at hand, in the
//             same transaction (U1). An instance that another has replaced commits nothing (U2).
//             Nothing is done that was not granted, and nothing that does not balance.
// Death       Of the plugin's process: what was not committed is as if it had never been wanted. Of
//             the keeper's: the transaction's own (shm/transaction.hpp).
// Threads     One plugin's calls come one at a time; the session is its thread's.
// Invariants  U1 to U3 of registry_format.hpp.
#pragma once

#include <perdure/core/world.hpp>
#include <perdure/plugins/host/grant.hpp>
#include <perdure/plugins/host/registry.hpp>

namespace perdure::plugins {

/// What a plugin was called for.
enum class call_kind : std::uint32_t {
    tick = 1,
    events = 2,
    migrate = 3,  ///< Its state to another schema version.
};

/// The call that a batch belongs to.
struct plugin_call {
    call_kind kind = call_kind::tick;
    std::uint64_t generation = 0;
    std::uint64_t window = 0;   ///< Of ticks, and what minting is counted by.
    std::uint64_t from_ns = 0;  ///< Ticks: [from, to) of world time.
    std::uint64_t to_ns = 0;
    std::uint64_t last_lsn = 0;       ///< Events: the last that was handed over.
    std::uint32_t state_version = 0;  ///< Migration: what the state is afterwards.
};

struct commit_answer {
    static constexpr std::uint64_t none = ~0ULL;

    errc refusal{};  ///< None: it was committed, now or before.
    bool repeated = false;
    std::uint64_t lsn = 0;
    std::uint64_t refused = none;  ///< Which command.
};

class admission {
  public:
    /// Requires: both outlive it.
    admission(const world& in, const registry& plugins, grant what)
        : world_{in.region().geometry().world[0], in.region().geometry().world[1]},
          books_(&in.books()),
          stakes_(&in.stakes()),
          plugins_(&plugins),
          grant_(std::move(what)) {}

    /// Refusals: garbled, foreign (another world's, another plugin's), stale_generation,
    /// out_of_step, unknown_plugin, not_granted, grant_exceeded, bad_command, the ledger's, those
    /// of session::write. The first three say that the sender is not to be trusted any more.
    commit_answer commit(shm::session& by, const plugin_call& call,
                         std::span<const std::byte> batch) const;

    /// The window is finished: the next one begins where it ended. Errors: stale_generation,
    /// out_of_step, unknown_plugin, as session::write.
    result<> finish(shm::session& by, const plugin_call& call) const;
    /// Everything up to the call's last LSN is done.
    result<> pass(shm::session& by, const plugin_call& call) const;

    [[nodiscard]] account_id plugin() const noexcept { return grant_.plugin(); }

  private:
    struct verdict;
    result<plugin_row*> open_row(tx& by, const plugin_call& call) const noexcept;
    result<bool> take_position(tx& by, const plugin_call& call, std::uint64_t position) const;
    result<> apply(tx& by, const plugin_call& call, const command_view& what) const noexcept;
    result<> apply_to_hold(tx& by, const batch_command& c, posting_note note) const noexcept;
    result<> apply_to_stake(tx& by, const batch_command& c) const noexcept;
    result<> apply_supply(tx& by, const plugin_call& call, const batch_command& c,
                          posting_note note) const noexcept;

    shm::transaction_key world_;
    const ledger* books_;
    const stakes* stakes_;
    const registry* plugins_;
    grant grant_;
};

}  // namespace perdure::plugins

// SPDX-License-Identifier: Apache-2.0
//
// What a plugin was granted, in the world's own numbers: what every command is held against.
//
// Promise     What no capability names is refused: kinds of commands, accounts that may be taken
//             from, assets that may be made, events that may be told.
// Threads     A value.
#pragma once

#include <perdure/core/event_catalogue.hpp>
#include <perdure/core/ledger.hpp>
#include <perdure/plugins/host/batch.hpp>
#include <perdure/plugins/host/manifest.hpp>

namespace perdure::plugins {

class grant {
  public:
    /// An asset that may be made and unmade.
    struct minting {
        asset_id asset;
        amount most;  ///< A window.
        faucet_id faucet;
        faucet_id sink;
    };

    /// An event that it may tell.
    struct telling {
        std::uint16_t type;
        std::uint16_t version;
        std::uint16_t bytes;
        friend bool operator==(const telling&, const telling&) = default;
    };

    /// Events that the catalogue does not know are not granted.
    static grant of(account_id plugin, const capabilities& granted, const event_catalogue& known);

    /// Whether the plugin may do that, as far as the command itself says.
    /// Errors: bad_command, bad_amount, not_granted.
    [[nodiscard]] result<> may(const command_view& what) const noexcept;

    /// Requires: may() has said yes to minting or burning it.
    [[nodiscard]] const minting* minting_of(asset_id asset) const noexcept;

    [[nodiscard]] account_id plugin() const noexcept { return plugin_; }

  private:
    grant() = default;
    [[nodiscard]] bool may_take_from(const shm::transaction_key& account) const noexcept;

    account_id plugin_;
    std::uint32_t commands_ = 0;
    std::vector<shm::transaction_key> debit_;
    std::vector<minting> mint_;
    std::vector<telling> emit_;
};

}  // namespace perdure::plugins

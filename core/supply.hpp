// SPDX-License-Identifier: Apache-2.0
//
// Units that come into the world and leave it: the asset's own count of them, and the budget of the
// faucet they pass through.
//
// Threads     The transaction's own.
#pragma once

#include <perdure/core/purse.hpp>

namespace perdure {

class supply {
  public:
    /// What `right` may move that way. Errors: unknown_asset, unknown_faucet, wrong_faucet (of the
    /// other kind, or of another asset), not_authorised.
    static result<supply> open(tx& by, const ledger_tables& tables, const warrant& right,
                               asset_id asset, faucet_kind way) noexcept;

    [[nodiscard]] bool is_unique() const noexcept { return (unit_->flags & unique) != 0; }
    /// Errors: budget_exceeded, overflow.
    [[nodiscard]] result<> may_move(amount value) const noexcept;
    /// Requires: may_move(value).
    void move(amount value) noexcept;

  private:
    supply(faucet_kind way, asset_row* unit) noexcept : way_(way), unit_(unit) {}

    faucet_kind way_;
    asset_row* unit_;
    faucet_row* faucet_ = nullptr;
};

}  // namespace perdure

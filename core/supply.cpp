// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <perdure/core/supply.hpp>

namespace perdure {

result<supply> supply::open(tx& by, const ledger_tables& tables, const warrant& right,
                            asset_id asset, faucet_kind way) noexcept {
    const auto unit = shm::edit_key<asset_row>(by, tables.assets, key_of(asset));
    if (!unit) return unit.error() == errc::not_found ? errc::unknown_asset : unit.error();
    supply made(way, *unit);
    account_words authority = (*unit)->authority;
    if (!(right.faucet == faucet_id{})) {
        const auto opened = shm::edit_key<faucet_row>(by, tables.faucets, key_of(right.faucet));
        if (!opened) {
            return opened.error() == errc::not_found ? errc::unknown_faucet : opened.error();
        }
        made.faucet_ = *opened;
        authority = made.faucet_->authority;
        if (made.faucet_->kind != static_cast<std::uint32_t>(way) ||
            made.faucet_->asset != asset.value) {
            return errc::wrong_faucet;
        }
    }
    if (!(authority == words_of(right.authority))) return errc::not_authorised;
    return made;
}

result<> supply::may_move(amount value) const noexcept {
    if (faucet_ != nullptr) {
        const amount used = PERDURE_TRY(add(faucet_->used, value));
        if (faucet_->budget != 0 && used > faucet_->budget) return errc::budget_exceeded;
    }
    const bool comes = way_ == faucet_kind::faucet;
    PERDURE_TRY(add(comes ? unit_->minted : unit_->burned, value));
    if (comes) PERDURE_TRY(add(unit_->supply, value));
    return {};
}

void supply::move(amount value) noexcept {
    const bool comes = way_ == faucet_kind::faucet;
    (comes ? unit_->minted : unit_->burned) += value;
    unit_->supply += comes ? value : -value;
    if (faucet_ != nullptr) faucet_->used += value;
}

}  // namespace perdure

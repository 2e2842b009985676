// SPDX-License-Identifier: Apache-2.0
//
// An account that nothing may leave for a while. Its own row says until when; a flag in its balance
// rows makes whoever takes from them ask. An out-of-date flag costs one look and is taken away by
// the next payment.
#include <algorithm>
#include <perdure/core/purse.hpp>

namespace perdure {
namespace {

/// The asset of a row of the table of assets, 0 when there is none. Rows of assets never go, and
/// one that is being made now cannot have a balance of the account: its row is locked.
asset_id asset_in_row(tx& by, std::uint32_t table, std::uint64_t row) noexcept {
    const std::uint64_t at = by.locate(table, row);
    if (at == 0) return {};
    const auto* own = by.edited(at);
    const auto& seen =
        own == nullptr ? *by.where().at<asset_row>(at) : *reinterpret_cast<const asset_row*>(own);
    if (shm::peek(seen.header.live) != 1) return {};
    return {shm::peek(seen.asset)};
}

/// Calls `visit` with the edited row of each balance the account has.
/// Requires: the account's row is edited, so that nobody makes it another balance meanwhile.
template <class Visit>
result<> for_each_balance(tx& by, const ledger_tables& tables, account_id account,
                          Visit&& visit) noexcept {
    const std::uint64_t end = shm::load(by.where().descriptor(tables.assets).row_high);
    for (std::uint64_t row = 0; row < end; ++row) {
        const auto asset = asset_in_row(by, tables.assets, row);
        if (asset.value == 0) continue;
        const auto found = shm::edit_key<balance_row>(by, tables.balances, key_of(account, asset));
        if (!found && found.error() == errc::not_found) continue;
        if (!found) return found.error();
        visit(**found);
    }
    return {};
}

result<account_row*> edit_account(tx& by, const ledger_tables& tables,
                                  account_id account) noexcept {
    const auto there = shm::edit_key<account_row>(by, tables.accounts, key_of(account));
    if (!there) return there.error() == errc::not_found ? errc::unknown_account : there.error();
    return *there;
}

void emit_freeze(tx& by, event_type type, const account_row& row, const posting_note& note) {
    const account_words account{row.key.high, row.key.low};
    emit(by, type, 1,
         freeze_set_v1{account, row.frozen_until, note.reason, 0, note.reference,
                       words_of(note.actor)});
}

}  // namespace

result<> ledger::freeze(tx& by, account_id account, std::uint64_t until_wall_ns,
                        posting_note note) const noexcept {
    if (until_wall_ns == 0) return errc::bad_amount;
    auto* row = PERDURE_TRY(edit_account(by, tables_, account));
    PERDURE_TRY(
        for_each_balance(by, tables_, account, [](balance_row& each) { each.flags |= frozen; }));
    row->frozen_until = until_wall_ns;
    row->freeze_reason = note.reason;
    row->frozen_by = words_of(note.actor);
    emit_freeze(by, event_type::account_frozen, *row, note);
    return {};
}

result<> ledger::unfreeze(tx& by, account_id account, posting_note note) const noexcept {
    auto* row = PERDURE_TRY(edit_account(by, tables_, account));
    if (row->frozen_until == 0) return {};
    row->frozen_until = 0;
    row->freeze_reason = 0;
    row->frozen_by = {};
    emit_freeze(by, event_type::account_unfrozen, *row, note);
    return {};
}

}  // namespace perdure

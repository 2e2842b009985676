// SPDX-License-Identifier: Apache-2.0
//
// Value set aside under an id, given back or paid on in parts.
#include <algorithm>
#include <perdure/core/purse.hpp>

namespace perdure {
namespace {

/// What happens to a hold, for its event.
struct hold_step {
    account_words target;
    amount value;
    posting_note note;
};

void emit_hold(tx& by, event_type type, const hold_row& row, const hold_step& what) {
    emit(by, type, 1,
         hold_moved_v1{row.key, row.account, what.target, what.value, row.amount, row.asset,
                       what.note.reason, what.note.reference,
                       actor_of(what.note, id_of(row.account))});
}

/// The hold's row and the part of it that is meant.
struct held_part {
    hold_row* row;
    amount value;
};

result<held_part> part_of(tx& by, const ledger_tables& tables, const shm::row_key& id,
                          std::optional<amount> part) noexcept {
    const auto there = shm::edit_key<hold_row>(by, tables.holds, id);
    if (!there) return there.error() == errc::not_found ? errc::unknown_hold : there.error();
    const amount value = part.value_or((*there)->amount);
    if (value <= 0) return errc::bad_amount;
    if (value > (*there)->amount) return errc::insufficient_funds;
    return held_part{*there, value};
}

/// The row of a hold with nothing left goes. Errors: of the engine alone.
result<> end_if_empty(tx& by, const ledger_tables& tables, const hold_row& row) noexcept {
    if (row.amount != 0) return {};
    const auto key = row.key;  // The row's own is erased with it.
    return shm::erase_key(by, tables.holds, key);
}

}  // namespace

result<> ledger::hold(tx& by, const shm::row_key& id, account_id account, asset_id asset,
                      amount value, posting_note note) const noexcept {
    if (value <= 0) return errc::bad_amount;
    const auto there = shm::find_row(by, tables_.holds, id);
    if (there) return errc::exists;
    if (there.error() != errc::not_found) return there.error();
    auto units = PERDURE_TRY(purse::open(by, tables_, account, asset));
    if (units.is_unique()) return errc::serial_required;
    PERDURE_TRY(units.may_leave());
    PERDURE_TRY(units.has(value));
    const auto taken = PERDURE_TRY(shm::insert_key(by, tables_.holds, id));
    auto* row = reinterpret_cast<hold_row*>(taken.copy);
    row->account = words_of(account);
    row->actor = actor_of(note, account);
    row->amount = value;
    row->asset = asset.value;
    row->reason = note.reason;
    row->reference = note.reference;
    auto* balance = PERDURE_TRY(units.row());
    PERDURE_TRY(units.pay(value));
    balance->held += value;
    emit_hold(by, event_type::held, *row, {row->account, value, note});
    return {};
}

result<> ledger::release(tx& by, const shm::row_key& id, std::optional<amount> part,
                         posting_note note) const noexcept {
    const auto [row, value] = PERDURE_TRY(part_of(by, tables_, id, part));
    auto units = PERDURE_TRY(purse::open(by, tables_, id_of(row->account), asset_id{row->asset}));
    PERDURE_TRY(units.may_take(value));
    auto* balance = PERDURE_TRY(units.row());
    PERDURE_TRY(units.give(value));
    balance->held -= value;
    row->amount -= value;
    emit_hold(by, event_type::released, *row, {row->account, value, note});
    return end_if_empty(by, tables_, *row);
}

result<> ledger::capture(tx& by, const shm::row_key& id, account_id target,
                         std::optional<amount> part, posting_note note) const noexcept {
    const auto [row, value] = PERDURE_TRY(part_of(by, tables_, id, part));
    const auto owner = id_of(row->account);
    if (owner == target) return errc::same_account;
    auto from = PERDURE_TRY(purse::open(by, tables_, owner, asset_id{row->asset}));
    auto to = PERDURE_TRY(purse::open(by, tables_, target, asset_id{row->asset}));
    PERDURE_TRY(to.may_take(value));
    auto* balance = PERDURE_TRY(from.row());
    PERDURE_TRY(to.give(value));
    balance->held -= value;
    row->amount -= value;
    emit_hold(by, event_type::captured, *row, {words_of(target), value, note});
    return end_if_empty(by, tables_, *row);
}

}  // namespace perdure

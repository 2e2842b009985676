// SPDX-License-Identifier: Apache-2.0
//
// Items of unique assets: each has a serial and one owner, whose balance counts it.
#include <algorithm>
#include <perdure/core/supply.hpp>

namespace perdure {
namespace {

constexpr auto owned = static_cast<std::uint32_t>(item_state::owned);

/// The item's row, edited.
result<item_row*> edit_item(tx& by, const ledger_tables& tables, item_id item) noexcept {
    const auto there = shm::edit_key<item_row>(by, tables.items, key_of(item));
    if (!there) return there.error() == errc::not_found ? errc::unknown_item : there.error();
    if ((*there)->state != owned) return errc::unknown_item;
    return *there;
}

}  // namespace

result<> ledger::create_item(tx& by, const warrant& right, item_id item, account_id owner,
                             posting_note note) const noexcept {
    auto source = PERDURE_TRY(supply::open(by, tables_, right, item.asset, faucet_kind::faucet));
    if (!source.is_unique()) return errc::not_unique;
    const auto there = shm::find_row(by, tables_.items, key_of(item));
    if (there) return errc::exists;
    if (there.error() != errc::not_found) return there.error();
    auto target = PERDURE_TRY(purse::open(by, tables_, owner, item.asset));
    PERDURE_TRY(source.may_move(1));
    PERDURE_TRY(target.may_take(1));
    const auto taken = PERDURE_TRY(shm::insert_key(by, tables_.items, key_of(item)));
    PERDURE_TRY(target.give(1));
    source.move(1);
    auto* row = reinterpret_cast<item_row*>(taken.copy);
    row->owner = words_of(owner);
    row->serial = item.serial;
    row->asset = item.asset.value;
    row->state = owned;
    row->reason = note.reason;
    emit(by, event_type::item_created, 1,
         item_moved_v1{row->owner, row->owner, item.serial, row->asset, note.reason, note.reference,
                       actor_of(note, right.authority), key_of(right.faucet)});
    return {};
}

result<> ledger::move_item(tx& by, account_id source, account_id target, item_id item,
                           posting_note note) const noexcept {
    if (source == target) return errc::same_account;
    auto* row = PERDURE_TRY(edit_item(by, tables_, item));
    if (!(row->owner == words_of(source))) return errc::not_owner;
    auto from = PERDURE_TRY(purse::open(by, tables_, source, item.asset));
    auto to = PERDURE_TRY(purse::open(by, tables_, target, item.asset));
    PERDURE_TRY(from.may_leave());
    PERDURE_TRY(from.has(1));
    PERDURE_TRY(to.may_take(1));
    PERDURE_TRY(to.give(1));
    PERDURE_TRY(from.pay(1));
    row->owner = words_of(target);
    row->reason = note.reason;
    emit(by, event_type::item_moved, 1,
         item_moved_v1{words_of(source),
                       row->owner,
                       item.serial,
                       row->asset,
                       note.reason,
                       note.reference,
                       actor_of(note, source),
                       {}});
    return {};
}

result<> ledger::destroy_item(tx& by, const warrant& right, item_id item,
                              posting_note note) const noexcept {
    auto target = PERDURE_TRY(supply::open(by, tables_, right, item.asset, faucet_kind::sink));
    if (!target.is_unique()) return errc::not_unique;
    auto* row = PERDURE_TRY(edit_item(by, tables_, item));
    auto from = PERDURE_TRY(purse::open(by, tables_, id_of(row->owner), item.asset));
    PERDURE_TRY(from.may_leave());
    PERDURE_TRY(from.has(1));
    PERDURE_TRY(target.may_move(1));
    PERDURE_TRY(from.pay(1));
    target.move(1);
    row->state = static_cast<std::uint32_t>(item_state::destroyed);
    row->reason = note.reason;
    emit(by, event_type::item_destroyed, 1,
         item_moved_v1{row->owner, row->owner, item.serial, row->asset, note.reason, note.reference,
                       actor_of(note, right.authority), key_of(right.faucet)});
    return {};
}

}  // namespace perdure

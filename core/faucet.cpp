// SPDX-License-Identifier: Apache-2.0
//
// Minting and burning, by an asset's authority or through the named faucets and sinks it opened.
#include <algorithm>
#include <perdure/core/supply.hpp>

namespace perdure {
namespace {

/// Value on its way in or out.
struct supply_movement {
    warrant right;
    asset_id asset;
    account_id account;
    amount value;
    posting_note note;
};

void emit_movement(tx& by, event_type type, const supply_movement& what) {
    emit(by, type, 2,
         supply_moved_v2{words_of(what.account), what.value, what.asset.value, what.note.reason,
                         what.note.reference, actor_of(what.note, what.right.authority),
                         key_of(what.right.faucet)});
}

result<> move_in(tx& by, const ledger_tables& tables, const supply_movement& what) noexcept {
    if (what.value <= 0) return errc::bad_amount;
    auto source =
        PERDURE_TRY(supply::open(by, tables, what.right, what.asset, faucet_kind::faucet));
    auto target = PERDURE_TRY(purse::open(by, tables, what.account, what.asset));
    if (source.is_unique()) return errc::serial_required;
    PERDURE_TRY(source.may_move(what.value));
    PERDURE_TRY(target.may_take(what.value));
    PERDURE_TRY(target.give(what.value));
    source.move(what.value);
    emit_movement(by, event_type::minted, what);
    return {};
}

result<> move_out(tx& by, const ledger_tables& tables, const supply_movement& what) noexcept {
    if (what.value <= 0) return errc::bad_amount;
    auto target = PERDURE_TRY(supply::open(by, tables, what.right, what.asset, faucet_kind::sink));
    auto source = PERDURE_TRY(purse::open(by, tables, what.account, what.asset));
    if (target.is_unique()) return errc::serial_required;
    PERDURE_TRY(source.may_leave());
    PERDURE_TRY(source.has(what.value));
    PERDURE_TRY(target.may_move(what.value));
    PERDURE_TRY(source.pay(what.value));
    target.move(what.value);
    emit_movement(by, event_type::burned, what);
    return {};
}

/// The faucet's asset, which names the units that pass.
result<asset_id> asset_of(tx& by, const ledger& books, faucet_id faucet) noexcept {
    return asset_id{PERDURE_TRY(books.faucet(by, faucet)).asset};
}

void emit_faucet(tx& by, event_type type, const faucet_row& row, account_id issuer) {
    emit(by, type, 1,
         faucet_set_v1{row.key, row.name, row.asset, row.kind, row.authority, row.budget,
                       words_of(issuer)});
}

}  // namespace

result<> ledger::mint(tx& by, account_id authority, account_id to, asset_id asset, amount value,
                      std::uint32_t reason) const noexcept {
    return move_in(by, tables_, {authority, asset, to, value, {.reason = reason}});
}

result<> ledger::burn(tx& by, account_id authority, account_id from, asset_id asset, amount value,
                      std::uint32_t reason) const noexcept {
    return move_out(by, tables_, {authority, asset, from, value, {.reason = reason}});
}

result<> ledger::mint(tx& by, faucet_id faucet, account_id authority, account_id to, amount value,
                      posting_note note) const noexcept {
    const auto asset = PERDURE_TRY(asset_of(by, *this, faucet));
    return move_in(by, tables_, {{authority, faucet}, asset, to, value, note});
}

result<> ledger::burn(tx& by, faucet_id sink, account_id authority, account_id from, amount value,
                      posting_note note) const noexcept {
    const auto asset = PERDURE_TRY(asset_of(by, *this, sink));
    return move_out(by, tables_, {{authority, sink}, asset, from, value, note});
}

result<faucet_id> ledger::open_faucet(tx& by, account_id issuer, std::string_view name,
                                      const faucet_terms& terms) const noexcept {
    if (name.empty() || name.size() > sizeof(faucet_row::name)) return errc::unknown_faucet;
    if (terms.budget < 0) return errc::bad_amount;
    const auto unit = PERDURE_TRY(asset(by, terms.asset));
    if (!(unit.authority == words_of(issuer))) return errc::not_authorised;
    const auto id = faucet_id::of(name);
    const auto taken = PERDURE_TRY(shm::insert_key(by, tables_.faucets, key_of(id)));
    auto* row = reinterpret_cast<faucet_row*>(taken.copy);
    row->name = text_of<sizeof(faucet_row::name)>(name);
    row->asset = terms.asset.value;
    row->kind = static_cast<std::uint32_t>(terms.kind);
    row->authority = words_of(terms.authority);
    row->budget = terms.budget;
    emit_faucet(by, event_type::faucet_opened, *row, issuer);
    return id;
}

result<> ledger::set_budget(tx& by, account_id issuer, faucet_id faucet,
                            amount budget) const noexcept {
    if (budget < 0) return errc::bad_amount;
    const auto there = shm::edit_key<faucet_row>(by, tables_.faucets, key_of(faucet));
    if (!there) return there.error() == errc::not_found ? errc::unknown_faucet : there.error();
    const auto unit = PERDURE_TRY(asset(by, asset_id{(*there)->asset}));
    if (!(unit.authority == words_of(issuer))) return errc::not_authorised;
    (*there)->budget = budget;
    emit_faucet(by, event_type::budget_set, **there, issuer);
    return {};
}

}  // namespace perdure

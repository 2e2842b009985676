// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <perdure/core/purse.hpp>
#include <perdure/shm/described.hpp>

namespace perdure {
namespace {

constexpr std::uint32_t scale_max = 18;

/// A table, and where its number is kept.
struct laid_table {
    std::uint32_t ledger_tables::*number;
    shm::schema shape;
};

/// Every table of the ledger, in the order in which they are made.
std::array<laid_table, 8> layout() {
    using t = ledger_tables;
    return {{
        {&t::assets,
         shm::schema_of<asset_row>("assets", {.subtracts = {"supply"}, .group = "asset"})},
        {&t::accounts, shm::schema_of<account_row>("accounts")},
        {&t::balances, shm::schema_of<balance_row>(
                           "balances", {.adds = {"available", "held"}, .group = "asset"})},
        {&t::keys, shm::schema_of<key_row>("idempotency", {.flags = shm::transient})},
        {&t::shards,
         shm::schema_of<shard_row>(
             "shards", {.flags = shm::pooled, .adds = {"available"}, .group = "asset"})},
        {&t::faucets, shm::schema_of<faucet_row>("faucets")},
        {&t::holds, shm::schema_of<hold_row>("holds")},
        {&t::items, shm::schema_of<item_row>("items")},
    }};
}

}  // namespace

result<ledger> ledger::open(shm::session& by) {
    tables numbers;
    for (const auto& each : layout()) {
        numbers.*each.number = PERDURE_TRY(shm::open_table(by, each.shape));
    }
    return ledger(numbers);
}

std::vector<shm::schema> ledger::schemas() {
    std::vector<shm::schema> out;
    for (auto& each : layout()) out.push_back(std::move(each.shape));
    return out;
}

result<ledger> ledger::find(shm::region& where) {
    tables numbers;
    for (const auto& each : layout()) {
        numbers.*each.number = PERDURE_TRY(shm::find_table(where, each.shape));
    }
    return ledger(numbers);
}

result<asset_id> ledger::create_asset(tx& by, std::string_view code, std::uint32_t scale,
                                      account_id authority, std::uint32_t flags) const noexcept {
    if (code.empty() || code.size() > sizeof(asset_row::code)) return errc::unknown_asset;
    if (scale > ((flags & unique) != 0 ? 0 : scale_max)) return errc::bad_amount;
    const asset_id id = asset_id::of(code);
    const auto taken = PERDURE_TRY(shm::insert_key(by, tables_.assets, key_of(id)));
    auto* row = reinterpret_cast<asset_row*>(taken.copy);
    row->code = text_of<sizeof(asset_row::code)>(code);
    row->asset = id.value;
    row->scale = scale;
    row->authority = words_of(authority);
    row->flags = flags & unique;
    emit(by, event_type::asset_created, 2,
         asset_created_v2{row->code, id.value, scale, row->authority, row->flags, 0});
    return id;
}

result<account_id> ledger::open_account(tx& by, std::string_view name,
                                        account_kind kind) const noexcept {
    if (name.empty()) return errc::unknown_account;
    const auto id = PERDURE_TRY(open_account(by, account_id::of(name), kind));
    auto* row = PERDURE_TRY(shm::edit_key<account_row>(by, tables_.accounts, key_of(id)));
    row->name = text_of<sizeof(account_row::name)>(name);
    return id;
}

result<account_id> ledger::open_account(tx& by, account_id number,
                                        account_kind kind) const noexcept {
    const auto taken = PERDURE_TRY(shm::insert_key(by, tables_.accounts, key_of(number)));
    auto* row = reinterpret_cast<account_row*>(taken.copy);
    row->kind = static_cast<std::uint32_t>(kind);
    emit(by, event_type::account_opened, 1, account_opened_v1{words_of(number), row->kind, 0});
    return number;
}

result<std::optional<shm::receipt>> ledger::once(tx& by, const shm::transaction_key& key,
                                                 key_life life) const noexcept {
    const auto before = shm::get_key<key_row>(by, tables_.keys, key);
    if (before) {
        return std::optional(shm::receipt{before->header.lsn, by.where().geometry().incarnation});
    }
    if (before.error() != errc::not_found) return before.error();
    const auto taken = PERDURE_TRY(shm::insert_key(by, tables_.keys, key));
    auto* row = reinterpret_cast<key_row*>(taken.copy);
    row->retained = life == key_life::retained ? 1 : 0;
    by.key(key);
    return std::optional<shm::receipt>();
}

namespace {

/// A copy of the row, or `otherwise` when there is none.
template <shm::mapped Row, shm::row_source Source>
result<Row> row_or(Source& in, std::uint32_t table, const shm::row_key& key, errc otherwise) {
    auto there = shm::get_key<Row>(in, table, key);
    if (!there && there.error() == errc::not_found) return otherwise;
    return there;
}

}  // namespace

template <shm::row_source Source>
result<position> ledger::holding(Source& in, account_id account, asset_id asset) const noexcept {
    const auto there = shm::get_key<balance_row>(in, tables_.balances, key_of(account, asset));
    if (!there) {
        if (there.error() != errc::not_found) return there.error();
        PERDURE_TRY(this->account(in, account));
        PERDURE_TRY(this->asset(in, asset));
        return position{};
    }
    position sum{there->available, there->held};
    if ((there->flags & sharded) == 0) return sum;
    for (std::uint32_t i = 0; i < there->shards; ++i) {
        sum.available += PERDURE_TRY(row_or<shard_row>(in, tables_.shards,
                                                       shard_key(account, asset, i), errc::garbled))
                             .available;
    }
    return sum;
}

template <shm::row_source Source>
result<asset_row> ledger::asset(Source& in, asset_id asset) const noexcept {
    return row_or<asset_row>(in, tables_.assets, key_of(asset), errc::unknown_asset);
}

template <shm::row_source Source>
result<account_row> ledger::account(Source& in, account_id account) const noexcept {
    return row_or<account_row>(in, tables_.accounts, key_of(account), errc::unknown_account);
}

template <shm::row_source Source>
result<faucet_row> ledger::faucet(Source& in, faucet_id faucet) const noexcept {
    return row_or<faucet_row>(in, tables_.faucets, key_of(faucet), errc::unknown_faucet);
}

template <shm::row_source Source>
result<hold_row> ledger::held(Source& in, const shm::row_key& hold) const noexcept {
    return row_or<hold_row>(in, tables_.holds, hold, errc::unknown_hold);
}

template <shm::row_source Source>
result<item_row> ledger::item(Source& in, item_id item) const noexcept {
    auto row = row_or<item_row>(in, tables_.items, key_of(item), errc::unknown_item);
    if (row && row->state != static_cast<std::uint32_t>(item_state::owned)) {
        return errc::unknown_item;
    }
    return row;
}

template result<position> ledger::holding(tx&, account_id, asset_id) const noexcept;
template result<position> ledger::holding(shm::view&, account_id, asset_id) const noexcept;
template result<asset_row> ledger::asset(tx&, asset_id) const noexcept;
template result<asset_row> ledger::asset(shm::view&, asset_id) const noexcept;
template result<account_row> ledger::account(tx&, account_id) const noexcept;
template result<account_row> ledger::account(shm::view&, account_id) const noexcept;
template result<faucet_row> ledger::faucet(tx&, faucet_id) const noexcept;
template result<faucet_row> ledger::faucet(shm::view&, faucet_id) const noexcept;
template result<hold_row> ledger::held(tx&, const shm::row_key&) const noexcept;
template result<hold_row> ledger::held(shm::view&, const shm::row_key&) const noexcept;
template result<item_row> ledger::item(tx&, item_id) const noexcept;
template result<item_row> ledger::item(shm::view&, item_id) const noexcept;

}  // namespace perdure

// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <perdure/core/ledger.hpp>

namespace perdure {
namespace {

using shm::field_type;

constexpr std::uint32_t scale_max = 18;

shm::schema asset_schema() {
    shm::schema made;
    made.name = "assets";
    made.row_bytes = sizeof(asset_row);
    made.key_at = offsetof(asset_row, key);
    made.fields = {
        {"key", field_type::bytes, offsetof(asset_row, key), 16, 0, 0},
        {"code", field_type::text, offsetof(asset_row, code), 16, 0, 0},
        {"asset", field_type::u32, offsetof(asset_row, asset), 4, 0, 0},
        {"scale", field_type::u32, offsetof(asset_row, scale), 4, 0, 0},
        {"supply", field_type::i64, offsetof(asset_row, supply), 8, shm::subtracts,
         offsetof(asset_row, asset)},
        {"minted", field_type::i64, offsetof(asset_row, minted), 8, 0, 0},
        {"burned", field_type::i64, offsetof(asset_row, burned), 8, 0, 0},
        {"authority", field_type::bytes, offsetof(asset_row, authority), 16, 0, 0},
    };
    return made;
}

shm::schema account_schema() {
    shm::schema made;
    made.name = "accounts";
    made.row_bytes = sizeof(account_row);
    made.key_at = offsetof(account_row, key);
    made.fields = {
        {"key", field_type::bytes, offsetof(account_row, key), 16, 0, 0},
        {"kind", field_type::u32, offsetof(account_row, kind), 4, 0, 0},
        {"name", field_type::text, offsetof(account_row, name), 40, 0, 0},
    };
    return made;
}

shm::schema balance_schema() {
    shm::schema made;
    made.name = "balances";
    made.row_bytes = sizeof(balance_row);
    made.key_at = offsetof(balance_row, key);
    constexpr auto group = offsetof(balance_row, asset);
    made.fields = {
        {"key", field_type::bytes, offsetof(balance_row, key), 16, 0, 0},
        {"asset", field_type::u32, offsetof(balance_row, asset), 4, 0, 0},
        {"available", field_type::i64, offsetof(balance_row, available), 8, shm::adds, group},
        {"held", field_type::i64, offsetof(balance_row, held), 8, shm::adds, group},
    };
    return made;
}

shm::schema key_schema() {
    shm::schema made;
    made.name = "idempotency";
    made.row_bytes = sizeof(key_row);
    made.key_at = offsetof(key_row, key);
    made.flags = shm::transient;
    made.fields = {
        {"key", field_type::bytes, offsetof(key_row, key), 16, 0, 0},
        {"retained", field_type::u64, offsetof(key_row, retained), 8, 0, 0},
    };
    return made;
}

result<std::uint32_t> find_table(shm::region& where, const shm::schema& wanted) {
    const auto there = PERDURE_TRY(shm::find_table(where, wanted.name));
    const auto found = PERDURE_TRY(shm::read_schema(where, there));
    if (found != wanted) return errc::schema_mismatch;
    return there;
}

result<std::uint32_t> open_table(shm::session& by, const shm::schema& wanted) {
    const auto there = find_table(by.where(), wanted);
    if (there || there.error() != errc::unknown_table) return there;
    std::uint32_t number = 0;
    PERDURE_TRY(by.write([&](tx& in) -> result<> {
        number = PERDURE_TRY(shm::create_table(in, wanted));
        return {};
    }));
    return number;
}

constexpr account_words words_of(account_id account) noexcept {
    return {account.high, account.low};
}

template <class Event>
void emit(tx& by, event_type type, const Event& event) {
    by.event(static_cast<std::uint16_t>(type), 1, std::as_bytes(std::span(&event, 1)));
}

template <std::size_t Size>
std::array<char, Size> text_of(std::string_view text) noexcept {
    std::array<char, Size> out{};
    std::memcpy(out.data(), text.data(), std::min(text.size(), Size));
    return out;
}

}  // namespace

result<ledger> ledger::open(shm::session& by) {
    tables numbers;
    numbers.assets = PERDURE_TRY(open_table(by, asset_schema()));
    numbers.accounts = PERDURE_TRY(open_table(by, account_schema()));
    numbers.balances = PERDURE_TRY(open_table(by, balance_schema()));
    numbers.keys = PERDURE_TRY(open_table(by, key_schema()));
    return ledger(numbers);
}

result<ledger> ledger::find(shm::region& where) {
    tables numbers;
    numbers.assets = PERDURE_TRY(find_table(where, asset_schema()));
    numbers.accounts = PERDURE_TRY(find_table(where, account_schema()));
    numbers.balances = PERDURE_TRY(find_table(where, balance_schema()));
    numbers.keys = PERDURE_TRY(find_table(where, key_schema()));
    return ledger(numbers);
}

result<asset_id> ledger::create_asset(tx& by, std::string_view code, std::uint32_t scale,
                                      account_id authority) const noexcept {
    if (code.empty() || code.size() > sizeof(asset_row::code)) return errc::unknown_asset;
    if (scale > scale_max) return errc::bad_amount;
    const asset_id id = asset_id::of(code);
    const auto taken = PERDURE_TRY(shm::insert_key(by, tables_.assets, key_of(id)));
    auto* row = reinterpret_cast<asset_row*>(taken.copy);
    row->code = text_of<sizeof(asset_row::code)>(code);
    row->asset = id.value;
    row->scale = scale;
    row->authority = words_of(authority);
    emit(by, event_type::asset_created,
         asset_created_v1{row->code, id.value, scale, row->authority});
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
    emit(by, event_type::account_opened, account_opened_v1{words_of(number), row->kind, 0});
    return number;
}

/// The account's row for the asset, made if account and asset exist and it has none yet.
result<balance_row*> ledger::edit_balance(tx& by, account_id account,
                                          asset_id asset) const noexcept {
    const auto key = key_of(account, asset);
    const auto there = shm::edit_key<balance_row>(by, tables_.balances, key);
    if (there || there.error() != errc::not_found) return there;
    const auto known = shm::find_row(by, tables_.accounts, key_of(account));
    if (!known) return known.error() == errc::not_found ? errc::unknown_account : known.error();
    const auto unit = shm::find_row(by, tables_.assets, key_of(asset));
    if (!unit) return unit.error() == errc::not_found ? errc::unknown_asset : unit.error();
    const auto taken = PERDURE_TRY(shm::insert_key(by, tables_.balances, key));
    auto* row = reinterpret_cast<balance_row*>(taken.copy);
    row->asset = asset.value;
    return row;
}

result<> ledger::transfer(tx& by, account_id source, account_id target, asset_id asset,
                          amount value, transfer_note note) const noexcept {
    if (value <= 0) return errc::bad_amount;
    if (source == target) return errc::same_account;
    const std::array keys{key_of(source, asset), key_of(target, asset)};
    std::array<std::byte*, 2> copies{};
    const auto both = shm::edit_keys(by, tables_.balances, keys, copies);
    if (!both && both.error() != errc::not_found) return both.error();
    balance_row* from = reinterpret_cast<balance_row*>(copies[0]);
    balance_row* to = reinterpret_cast<balance_row*>(copies[1]);
    if (!both) {
        from = PERDURE_TRY(edit_balance(by, source, asset));
        to = PERDURE_TRY(edit_balance(by, target, asset));
    }
    if (from->available < value) return errc::insufficient_funds;
    const amount sum = PERDURE_TRY(add(to->available, value));
    from->available -= value;
    to->available = sum;
    emit(by, event_type::transferred,
         transferred_v1{words_of(source), words_of(target), value, asset.value, note.reason,
                        note.reference});
    return {};
}

/// The asset's row, if `authority` may mint and burn it.
result<asset_row*> ledger::edit_supply(tx& by, account_id authority,
                                       asset_id asset) const noexcept {
    const auto unit = shm::edit_key<asset_row>(by, tables_.assets, key_of(asset));
    if (!unit) return unit.error() == errc::not_found ? errc::unknown_asset : unit.error();
    if ((*unit)->authority.high != authority.high || (*unit)->authority.low != authority.low) {
        return errc::not_authorised;
    }
    return *unit;
}

result<> ledger::mint(tx& by, account_id authority, account_id to, asset_id asset, amount value,
                      std::uint32_t reason) const noexcept {
    if (value <= 0) return errc::bad_amount;
    auto* row = PERDURE_TRY(edit_supply(by, authority, asset));
    auto* balance = PERDURE_TRY(edit_balance(by, to, asset));
    const amount minted = PERDURE_TRY(add(row->minted, value));
    const amount supply = PERDURE_TRY(add(row->supply, value));
    balance->available = PERDURE_TRY(add(balance->available, value));
    row->minted = minted;
    row->supply = supply;
    emit(by, event_type::minted, supply_moved_v1{words_of(to), value, asset.value, reason});
    return {};
}

result<> ledger::burn(tx& by, account_id authority, account_id from, asset_id asset, amount value,
                      std::uint32_t reason) const noexcept {
    if (value <= 0) return errc::bad_amount;
    auto* row = PERDURE_TRY(edit_supply(by, authority, asset));
    auto* balance = PERDURE_TRY(edit_balance(by, from, asset));
    if (balance->available < value) return errc::insufficient_funds;
    const amount burned = PERDURE_TRY(add(row->burned, value));
    balance->available -= value;
    row->burned = burned;
    row->supply -= value;
    emit(by, event_type::burned, supply_moved_v1{words_of(from), value, asset.value, reason});
    return {};
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

template <shm::row_source Source>
result<amount> ledger::balance(Source& in, account_id account, asset_id asset) const noexcept {
    const auto there = shm::get_key<balance_row>(in, tables_.balances, key_of(account, asset));
    if (there) return there->available;
    if (there.error() != errc::not_found) return there.error();
    const auto known = shm::find_row(in, tables_.accounts, key_of(account));
    if (!known) return known.error() == errc::not_found ? errc::unknown_account : known.error();
    const auto unit = shm::find_row(in, tables_.assets, key_of(asset));
    if (!unit) return unit.error() == errc::not_found ? errc::unknown_asset : unit.error();
    return amount{0};
}

template <shm::row_source Source>
result<asset_row> ledger::asset(Source& in, asset_id asset) const noexcept {
    const auto there = shm::get_key<asset_row>(in, tables_.assets, key_of(asset));
    if (!there && there.error() == errc::not_found) return errc::unknown_asset;
    return there;
}

template result<amount> ledger::balance(tx&, account_id, asset_id) const noexcept;
template result<amount> ledger::balance(shm::view&, account_id, asset_id) const noexcept;
template result<asset_row> ledger::asset(tx&, asset_id) const noexcept;
template result<asset_row> ledger::asset(shm::view&, asset_id) const noexcept;

}  // namespace perdure

// SPDX-License-Identifier: Apache-2.0
#include <perdure/core/purse.hpp>

namespace perdure {

result<purse> purse::open(tx& by, const ledger_tables& tables, account_id account,
                          asset_id asset) noexcept {
    purse made(by, tables, account, asset);
    PERDURE_TRY(made.look());
    return made;
}

void purse::see(const balance_row& row) noexcept {
    flags_ = row.flags;
    shards_ = (row.flags & sharded) != 0 ? row.shards : 0;
}

/// A plain row is edited at once; a sharded one is only read, for everybody needs it.
result<> purse::look() noexcept {
    const auto key = key_of(account_, asset_);
    std::byte* copy = nullptr;
    const auto found = shm::edit_keys(*by_, tables_->balances, {&key, 1}, {&copy, 1},
                                      {offsetof(balance_row, flags), sharded});
    if (!found) return found.error() == errc::not_found ? look_up_owner() : found;
    if (copy == nullptr) {
        const auto seen = shm::get_key<balance_row>(*by_, tables_->balances, key);
        if (!seen) return seen.error() == errc::not_found ? look_up_owner() : seen.error();
        see(*seen);
        if (shards_ != 0) return {};
        row_ = PERDURE_TRY(shm::edit_key<balance_row>(*by_, tables_->balances, key));
    } else {
        row_ = reinterpret_cast<balance_row*>(copy);
    }
    see(*row_);
    if (shards_ != 0) row_ = nullptr;  // Sharded by this transaction, or since the hint.
    return {};
}

/// There is no row yet: what its flags would be.
result<> purse::look_up_owner() noexcept {
    const auto owner = shm::get_key<account_row>(*by_, tables_->accounts, key_of(account_));
    if (!owner) {
        return owner.error() == errc::not_found ? errc::unknown_account : owner.error();
    }
    const auto unit = shm::get_key<asset_row>(*by_, tables_->assets, key_of(asset_));
    if (!unit) return unit.error() == errc::not_found ? errc::unknown_asset : unit.error();
    flags_ =
        (owner->frozen_until != 0 ? frozen : 0U) | ((unit->flags & unique) != 0 ? has_serials : 0U);
    return {};
}

result<> purse::may_leave() noexcept {
    if ((flags_ & frozen) == 0 || thawed_) return {};
    const auto owner =
        PERDURE_TRY(shm::get_key<account_row>(*by_, tables_->accounts, key_of(account_)));
    if (owner.frozen_until == forever || owner.frozen_until > by_->where().waits().wall_ns()) {
        return errc::account_frozen;
    }
    thawed_ = true;
    return {};
}

/// The participant's own shard first, then the others.
result<shard_row*> purse::shard(std::uint32_t turn) noexcept {
    const std::uint32_t index = (by_->self().slot() + turn) & (shards_ - 1);
    const auto found =
        shm::edit_key<shard_row>(*by_, tables_->shards, shard_key(account_, asset_, index));
    if (!found) return found.error() == errc::not_found ? errc::garbled : found.error();
    return found;
}

result<> purse::has(amount value) noexcept {
    if (shards_ == 0) {
        const amount there = row_ == nullptr ? 0 : row_->available;
        return there < value ? result<>(errc::insufficient_funds) : result<>();
    }
    amount there = 0;  // Never above the asset's supply.
    for (std::uint32_t turn = 0; turn < shards_; ++turn) {
        there += PERDURE_TRY(shard(turn))->available;
        if (there >= value) return {};
    }
    return errc::insufficient_funds;
}

result<> purse::may_take(amount value) noexcept {
    amount there = 0;
    if (shards_ != 0) {
        there = PERDURE_TRY(shard(0))->available;
    } else if (row_ != nullptr) {
        there = row_->available;
    }
    PERDURE_TRY(add(there, value));
    return {};
}

result<> purse::pay(amount value) noexcept {
    if (thawed_) {
        PERDURE_TRY(row())->flags &= ~static_cast<std::uint32_t>(frozen);
        thawed_ = false;
    }
    if (shards_ == 0) {
        row_->available -= value;
        return {};
    }
    for (std::uint32_t turn = 0; value > 0 && turn < shards_; ++turn) {
        auto* part = PERDURE_TRY(shard(turn));
        const amount taken = std::min(part->available, value);
        part->available -= taken;
        value -= taken;
    }
    return {};
}

result<> purse::give(amount value) noexcept {
    auto& place = shards_ == 0 ? PERDURE_TRY(row())->available : PERDURE_TRY(shard(0))->available;
    place += value;
    return {};
}

result<balance_row*> purse::row() noexcept {
    if (row_ != nullptr) return row_;
    const auto key = key_of(account_, asset_);
    if (shards_ != 0) return shm::edit_key<balance_row>(*by_, tables_->balances, key);
    const auto taken = PERDURE_TRY(shm::insert_key(*by_, tables_->balances, key));
    row_ = reinterpret_cast<balance_row*>(taken.copy);
    row_->asset = asset_.value;
    row_->flags = flags_;
    return row_;
}

}  // namespace perdure

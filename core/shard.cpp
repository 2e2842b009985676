// SPDX-License-Identifier: Apache-2.0
//
// A balance spread over several rows, so that those who only add to it do not queue.
#include <algorithm>
#include <bit>
#include <perdure/core/purse.hpp>

namespace perdure {
namespace {

void emit_shards(tx& by, event_type type, const balance_row& row, account_id account) {
    emit(by, type, 1, shards_set_v1{words_of(account), row.asset, row.shards});
}

}  // namespace

result<> ledger::shard(tx& by, account_id account, asset_id asset,
                       std::uint32_t count) const noexcept {
    if (count < 2 || count > shards_max || !std::has_single_bit(count)) return errc::bad_shards;
    auto units = PERDURE_TRY(purse::open(by, tables_, account, asset));
    if (units.shards() != 0) return errc::exists;
    auto* row = PERDURE_TRY(units.row());
    for (std::uint32_t i = 0; i < count; ++i) {
        const auto taken =
            PERDURE_TRY(shm::insert_key(by, tables_.shards, shard_key(account, asset, i)));
        auto* part = reinterpret_cast<shard_row*>(taken.copy);
        part->account = words_of(account);
        part->asset = asset.value;
        part->shards = count;
        part->available = i == 0 ? row->available : 0;
    }
    row->available = 0;
    row->shards = count;
    row->flags |= sharded;
    emit_shards(by, event_type::balance_sharded, *row, account);
    return {};
}

result<> ledger::unshard(tx& by, account_id account, asset_id asset) const noexcept {
    auto units = PERDURE_TRY(purse::open(by, tables_, account, asset));
    if (units.shards() == 0) return errc::not_found;
    auto* row = PERDURE_TRY(units.row());
    amount sum = 0;
    for (std::uint32_t i = 0; i < units.shards(); ++i) {
        const auto key = shard_key(account, asset, i);
        sum += PERDURE_TRY(shm::edit_key<shard_row>(by, tables_.shards, key))->available;
        PERDURE_TRY(shm::erase_key(by, tables_.shards, key));
    }
    row->available = sum;
    row->shards = 0;
    row->flags &= ~static_cast<std::uint32_t>(sharded);
    emit_shards(by, event_type::balance_unsharded, *row, account);
    return {};
}

}  // namespace perdure

// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <perdure/apps/cli/position_history.hpp>
#include <perdure/core/purse.hpp>

namespace perdure::apps {
namespace {

constexpr std::uint32_t balance_available = offsetof(balance_row, available) / 8;
constexpr std::uint32_t balance_held = offsetof(balance_row, held) / 8;
constexpr std::uint32_t shard_available = offsetof(shard_row, available) / 8;

/// Sums of what wraps around, as the journal's differences do.
amount sum(amount left, amount right) noexcept {
    return static_cast<amount>(static_cast<std::uint64_t>(left) +
                               static_cast<std::uint64_t>(right));
}

}  // namespace

result<position_rows> position_rows::look(shm::view& seen, const ledger& books, account_id account,
                                          asset_id asset) {
    const auto& tables = books.numbers();
    const auto key = key_of(account, asset);
    const auto row = PERDURE_TRY(shm::find_row(seen, tables.balances, key));
    const auto balance = PERDURE_TRY(seen.get<balance_row>(tables.balances, row));
    position_rows made;
    made.places.push_back({tables.balances, row, balance.header.lsn});
    made.now = {balance.available, balance.held};
    const std::uint32_t shards = (balance.flags & sharded) != 0 ? balance.shards : 0;
    for (std::uint32_t i = 0; i < shards; ++i) {
        const auto place =
            PERDURE_TRY(shm::find_row(seen, tables.shards, shard_key(account, asset, i)));
        const auto part = PERDURE_TRY(seen.get<shard_row>(tables.shards, place));
        made.places.push_back({tables.shards, place, part.header.lsn});
        made.now.available = sum(made.now.available, part.available);
    }
    for (const auto& each : made.places) made.lsn = std::max(made.lsn, each.lsn);
    return made;
}

position_history::position_history(io::record_finder& records, const ledger& books,
                                   const position_rows& from) {
    for (const auto& each : from.places) {
        strands_.push_back({io::row_history(records, each.table, each.row, each.lsn),
                            each.table == books.numbers().shards,
                            {}});
    }
}

result<> position_history::advance(strand& of) {
    io::row_change change;
    of.change = {};
    if (!PERDURE_TRY(of.history.next(change))) return {};
    const auto gained = [&](std::uint32_t word) {
        return static_cast<amount>(change.gained[word]);
    };
    of.change.lsn = change.record.lsn();
    of.change.gained = of.is_shard ? position{gained(shard_available), 0}
                                   : position{gained(balance_available), gained(balance_held)};
    return {};
}

result<bool> position_history::next(position_change& change) {
    if (!begun_) {
        for (auto& each : strands_) PERDURE_TRY(advance(each));
        begun_ = true;
    }
    change = {};
    for (const auto& each : strands_) change.lsn = std::max(change.lsn, each.change.lsn);
    if (change.lsn == 0) return false;
    for (auto& each : strands_) {
        if (each.change.lsn != change.lsn) continue;
        change.gained.available = sum(change.gained.available, each.change.gained.available);
        change.gained.held = sum(change.gained.held, each.change.gained.held);
        PERDURE_TRY(advance(each));
    }
    return true;
}

}  // namespace perdure::apps

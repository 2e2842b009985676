// SPDX-License-Identifier: Apache-2.0
//
// Value that moves between accounts: the transfer, and the batch with many legs.
#include <algorithm>
#include <perdure/core/purse.hpp>

namespace perdure {

struct ledger::movement {
    account_id source;
    account_id target;
    asset_id asset;
    amount value;
    posting_note note;
};

namespace {

template <class Movement>
void emit_transfer(tx& by, const Movement& what) {
    emit(by, event_type::transferred, 2,
         transferred_v2{words_of(what.source), words_of(what.target), what.value, what.asset.value,
                        what.note.reason, what.note.reference, actor_of(what.note, what.source)});
}

}  // namespace

result<> ledger::transfer(tx& by, account_id source, account_id target, asset_id asset,
                          amount value, posting_note note) const noexcept {
    if (value <= 0) return errc::bad_amount;
    if (source == target) return errc::same_account;
    const std::array keys{key_of(source, asset), key_of(target, asset)};
    std::array<std::byte*, 2> copies{};
    const auto both =
        shm::edit_keys(by, tables_.balances, keys, copies, {offsetof(balance_row, flags), sharded});
    if (!both && both.error() != errc::not_found) return both.error();
    auto* from = reinterpret_cast<balance_row*>(copies[0]);
    auto* to = reinterpret_cast<balance_row*>(copies[1]);
    const movement what{source, target, asset, value, note};
    // F1: without flags these two rows are all there is to ask.
    if (!both || from == nullptr || to == nullptr || (from->flags | to->flags) != 0) {
        return transfer_slowly(by, what);
    }
    if (from->available < value) return errc::insufficient_funds;
    const amount sum = PERDURE_TRY(add(to->available, value));
    from->available -= value;
    to->available = sum;
    emit_transfer(by, what);
    return {};
}

result<> ledger::transfer_slowly(tx& by, const movement& what) const noexcept {
    auto from = PERDURE_TRY(purse::open(by, tables_, what.source, what.asset));
    auto to = PERDURE_TRY(purse::open(by, tables_, what.target, what.asset));
    if (from.is_unique()) return errc::serial_required;
    PERDURE_TRY(from.may_leave());
    PERDURE_TRY(from.has(what.value));
    PERDURE_TRY(to.may_take(what.value));
    PERDURE_TRY(to.give(what.value));
    PERDURE_TRY(from.pay(what.value));
    emit_transfer(by, what);
    return {};
}

namespace {

using wide = __int128;

/// What the legs do to one account's units of one asset.
struct change {
    account_id account;
    asset_id asset;
    wide net;
    bool leaves;  ///< A leg takes something out, whatever others bring.
    std::optional<purse> units;
};

/// The legs, those of one account and asset together.
struct batch {
    std::array<change, legs_max> changes;
    std::size_t count = 0;

    change& of(const leg& one) noexcept {
        for (std::size_t i = 0; i < count; ++i) {
            if (changes[i].account == one.account && changes[i].asset == one.asset) {
                return changes[i];
            }
        }
        changes[count] = {one.account, one.asset, 0, false, {}};
        return changes[count++];
    }
};

result<> check_legs(std::span<const leg> legs) noexcept {
    if (legs.size() > legs_max) return errc::too_many_legs;
    if (legs.empty()) return errc::bad_amount;
    for (const auto& one : legs) {
        if (one.value == 0) return errc::bad_amount;
    }
    for (const auto& one : legs) {
        wide sum = 0;
        for (const auto& other : legs) sum += other.asset == one.asset ? other.value : 0;
        if (sum != 0) return errc::unbalanced;
    }
    return {};
}

constexpr auto most = std::numeric_limits<amount>::max();

/// What cannot be an amount cannot be there.
result<> check_payer(change& each) noexcept {
    if (each.units->is_unique()) return errc::serial_required;
    if (each.leaves) PERDURE_TRY(each.units->may_leave());
    if (each.net >= 0) return {};
    if (each.net < -wide{most}) return errc::insufficient_funds;
    return each.units->has(static_cast<amount>(-each.net));
}

/// Nor find room.
result<> check_taker(change& each) noexcept {
    if (each.net <= 0) return {};
    if (each.net > most) return errc::overflow;
    return each.units->may_take(static_cast<amount>(each.net));
}

}  // namespace

result<> ledger::post(tx& by, std::span<const leg> legs, posting_note note) const noexcept {
    PERDURE_TRY(check_legs(legs));
    batch all;
    for (const auto& one : legs) {
        auto& its = all.of(one);
        its.net += one.value;
        its.leaves |= one.value < 0;
    }
    const auto changes = std::span(all.changes).first(all.count);
    for (auto& each : changes) {
        each.units = PERDURE_TRY(purse::open(by, tables_, each.account, each.asset));
    }
    // Payers first, as in a transfer: one shard shows less than the whole position, and the answer
    // must not depend on it. What all payers have is within the supply, so it finds room.
    for (auto& each : changes) PERDURE_TRY(check_payer(each));
    for (auto& each : changes) PERDURE_TRY(check_taker(each));
    // New rows first: what the engine may refuse comes before anything has moved.
    for (auto& each : changes) {
        if (each.net > 0) PERDURE_TRY(each.units->give(static_cast<amount>(each.net)));
    }
    for (auto& each : changes) {
        if (each.net < 0) PERDURE_TRY(each.units->pay(static_cast<amount>(-each.net)));
    }
    for (std::uint32_t i = 0; i < legs.size(); ++i) {
        const auto& one = legs[i];
        emit(by, event_type::posted, 1,
             posted_v1{words_of(one.account), one.value, one.asset.value, note.reason,
                       note.reference, actor_of(note, one.account), i,
                       static_cast<std::uint32_t>(legs.size())});
    }
    return {};
}

}  // namespace perdure

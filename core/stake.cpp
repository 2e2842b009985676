// SPDX-License-Identifier: Apache-2.0
//
// Units into a stake and out of it again, and what it is paid meanwhile.
#include <limits>
#include <perdure/core/purse.hpp>
#include <perdure/core/stake.hpp>
#include <perdure/core/stake_event_format.hpp>
#include <perdure/shm/crash_point.hpp>

namespace perdure {

/// A payout that was looked into: what it comes to, and the rows it rests on.
struct stakes::payout {
    stake_row stake;
    programme_row programme;
    std::uint64_t from;
    std::uint64_t to;
    amount value;

    [[nodiscard]] bool is_compound() const noexcept {
        return programme.method == static_cast<std::uint32_t>(yield_method::compound);
    }
    /// What of it stays in the stake.
    [[nodiscard]] amount compounded() const noexcept { return is_compound() ? value : 0; }
    [[nodiscard]] account_id account() const noexcept { return id_of(stake.account); }
    [[nodiscard]] account_id escrow() const noexcept { return id_of(programme.escrow); }
    [[nodiscard]] asset_id asset() const noexcept { return {programme.asset}; }
};

namespace {

yield_terms terms_of(const programme_row& programme) noexcept {
    return {programme.apy_ppb, programme.period_ns, programme.year_ns,
            static_cast<yield_method>(programme.method)};
}

template <shm::mapped Row, shm::row_source Source>
result<Row> row_or(Source& in, std::uint32_t table, const shm::row_key& key, errc otherwise) {
    auto there = shm::get_key<Row>(in, table, key);
    if (!there && there.error() == errc::not_found) return otherwise;
    return there;
}

}  // namespace

std::uint64_t periods_due(const programme_row& programme, const stake_row& stake,
                          std::uint64_t now_ns) noexcept {
    const auto ended = periods_ended(stake.since_ns, programme.period_ns, now_ns);
    if (programme.state == static_cast<std::uint32_t>(programme_state::open)) return ended;
    return std::min(ended, periods_begun(stake.since_ns, programme.period_ns, programme.closed_ns));
}

result<amount> yield_of(const programme_row& programme, const stake_row& stake, std::uint64_t from,
                        std::uint64_t to) noexcept {
    PERDURE_ASSERT(stake.anchor_period <= from && from <= to);
    auto terms = terms_of(programme);
    terms.apy_ppb = stake.apy_ppb;
    if (planted(shm::bug::yield_rounded_apart)) {
        return owed(terms, stake.growth, stake.principal, to - from);
    }
    const auto before =
        PERDURE_TRY(owed(terms, stake.growth, stake.principal, from - stake.anchor_period));
    const auto after =
        PERDURE_TRY(owed(terms, stake.growth, stake.principal, to - stake.anchor_period));
    PERDURE_ASSERT(before <= after);
    return after - before;
}

template <shm::row_source Source>
result<programme_row> stakes::programme(Source& in, programme_id programme) const noexcept {
    return row_or<programme_row>(in, tables_.programmes, key_of(programme),
                                 errc::unknown_programme);
}

template <shm::row_source Source>
result<stake_row> stakes::read(Source& in, stake_id stake) const noexcept {
    return row_or<stake_row>(in, tables_.stakes, key_of(stake), errc::unknown_stake);
}

template <shm::row_source Source>
result<due_yield> stakes::due(Source& in, stake_id stake, std::uint64_t now_ns) const noexcept {
    const auto row = PERDURE_TRY(read(in, stake));
    const auto by =
        PERDURE_TRY(row_or<programme_row>(in, tables_.programmes, row.programme, errc::garbled));
    due_yield out{row.periods_paid, std::max(row.periods_paid, periods_due(by, row, now_ns)), 0};
    out.value = PERDURE_TRY(yield_of(by, row, out.from, out.to));
    return out;
}

template result<programme_row> stakes::programme(tx&, programme_id) const noexcept;
template result<programme_row> stakes::programme(shm::view&, programme_id) const noexcept;
template result<stake_row> stakes::read(tx&, stake_id) const noexcept;
template result<stake_row> stakes::read(shm::view&, stake_id) const noexcept;
template result<due_yield> stakes::due(tx&, stake_id, std::uint64_t) const noexcept;
template result<due_yield> stakes::due(shm::view&, stake_id, std::uint64_t) const noexcept;

result<stake_id> stakes::stake(tx& by, programme_id programme, account_id account,
                               std::uint64_t number, amount value) const noexcept {
    if (value <= 0) return errc::bad_amount;
    const auto in = PERDURE_TRY(this->programme(by, programme));
    if (in.state != static_cast<std::uint32_t>(programme_state::open)) {
        return errc::programme_closed;
    }
    const bool from_treasury = in.funding == static_cast<std::uint32_t>(yield_funding::treasury);
    if (from_treasury && in.source == key_of(account)) return errc::same_account;
    const auto id = stake_id::of(programme, account, number);
    const auto there = shm::find_row(by, tables_.stakes, key_of(id));
    if (there || there.error() != errc::not_found) return there ? errc::exists : there.error();
    const amount staked = PERDURE_TRY(add(in.staked, value));
    const auto now_ns = PERDURE_TRY(time_.read(by)).world_ns;
    PERDURE_TRY(books_.transfer(by, account, id_of(in.escrow), asset_id{in.asset}, value));
    const auto taken = PERDURE_TRY(shm::insert_key(by, tables_.stakes, key_of(id)));
    auto* row = reinterpret_cast<stake_row*>(taken.copy);
    row->programme = key_of(programme);
    row->account = words_of(account);
    row->number = number;
    row->principal = row->staked = value;
    row->since_ns = row->last_payout_ns = now_ns;
    row->apy_ppb = in.apy_ppb;
    row->growth = in.growth;
    auto* whole =
        PERDURE_TRY(shm::edit_key<programme_row>(by, tables_.programmes, key_of(programme)));
    whole->staked = staked;
    whole->stakes += 1;
    emit(by, event_type::staked, 1,
         staked_v1{row->key, row->programme, row->account, number, value, in.asset, 0, now_ns,
                   row->apy_ppb, row->growth});
    return id;
}

/// Errors: unknown_stake, out_of_step, overflow. Nothing is changed.
result<stakes::payout> stakes::prepare(tx& by, stake_id stake, std::uint64_t from,
                                       std::uint64_t to) const noexcept {
    payout out{PERDURE_TRY(read(by, stake)), {}, from, to, 0};
    out.programme = PERDURE_TRY(
        row_or<programme_row>(by, tables_.programmes, out.stake.programme, errc::garbled));
    const auto now_ns = PERDURE_TRY(time_.read(by)).world_ns;
    const bool is_next = from == out.stake.periods_paid || planted(shm::bug::yield_repeated);
    const bool has_ended =
        to <= periods_due(out.programme, out.stake, now_ns) || planted(shm::bug::yield_early);
    if (!is_next || !has_ended || from > to || from < out.stake.anchor_period) {
        return errc::out_of_step;
    }
    out.value = PERDURE_TRY(yield_of(out.programme, out.stake, from, to));
    PERDURE_TRY(add(out.stake.paid, out.value));
    PERDURE_TRY(add(out.programme.distributed, out.value));
    PERDURE_TRY(add(out.programme.staked, out.compounded()));
    return out;
}

/// Units and rows together. A refusal comes from the posting, before any row has changed.
result<> stakes::settle(tx& by, const payout& what) const noexcept {
    const auto& from = what.programme;
    if (what.value > 0) {
        const auto target = what.is_compound() ? what.escrow() : what.account();
        const auto authority = id_of(from.authority);
        const posting_note note{.reference = what.to, .actor = authority};
        PERDURE_TRY(from.funding == static_cast<std::uint32_t>(yield_funding::treasury)
                        ? books_.transfer(by, id_of({from.source.high, from.source.low}), target,
                                          what.asset(), what.value, note)
                        : books_.mint(by, faucet_id{from.source.high, from.source.low}, authority,
                                      target, what.value, note));
    }
    auto* row = PERDURE_TRY(shm::edit_key<stake_row>(by, tables_.stakes, what.stake.key));
    row->periods_paid = what.to;
    row->last_payout_ns = row->since_ns + what.to * from.period_ns;
    row->paid += what.value;
    row->staked += what.compounded();
    auto* whole = PERDURE_TRY(shm::edit_key<programme_row>(by, tables_.programmes, from.key));
    whole->distributed += what.value;
    whole->staked += what.compounded();
    emit(by, event_type::yield_paid, 1,
         yield_paid_v1{row->key, from.key, row->account, what.from, what.to, what.value,
                       what.compounded(), row->last_payout_ns, from.asset, 0});
    return {};
}

result<amount> stakes::pay(tx& by, stake_id stake, std::uint64_t from,
                           std::uint64_t to) const noexcept {
    if (from >= to) return errc::out_of_step;
    const auto what = PERDURE_TRY(prepare(by, stake, from, to));
    PERDURE_TRY(settle(by, what));
    return what.value;
}

result<bool> stakes::refuse(tx& by, stake_id stake, std::uint64_t to, errc why) const noexcept {
    const auto seen = PERDURE_TRY(read(by, stake));
    if (seen.periods_paid >= to) return errc::out_of_step;
    const auto what = PERDURE_TRY(prepare(by, stake, seen.periods_paid, to));
    if (seen.refused_to >= to) return false;
    auto* row = PERDURE_TRY(shm::edit_key<stake_row>(by, tables_.stakes, seen.key));
    row->refused_to = to;
    const auto& in = what.programme;
    PERDURE_TRY(shm::edit_key<programme_row>(by, tables_.programmes, in.key))->refused += 1;
    emit(by, event_type::yield_refused, 1,
         yield_refused_v1{seen.key, in.key, seen.account, what.from, to, what.value, in.asset,
                          static_cast<std::uint32_t>(why)});
    return true;
}

result<> stakes::unstake(tx& by, stake_id stake, const unstake_choice& how) const noexcept {
    const auto row = PERDURE_TRY(read(by, stake));
    auto in =
        PERDURE_TRY(row_or<programme_row>(by, tables_.programmes, row.programme, errc::garbled));
    const auto now_ns = PERDURE_TRY(time_.read(by)).world_ns;
    const auto from = row.periods_paid;
    const auto to = std::max(from, periods_due(in, row, now_ns));
    payout what{row, in, from, to, 0};
    if (how.forfeits) {
        const auto lost = yield_of(in, row, from, to);
        what.value = lost ? *lost : std::numeric_limits<amount>::max();
    } else {
        what = PERDURE_TRY(prepare(by, stake, from, to));
    }
    const amount paid = how.forfeits ? 0 : what.value;
    const amount inward = how.forfeits ? 0 : what.compounded();
    const amount part = how.part.value_or(row.staked + inward);
    if (part <= 0) return errc::bad_amount;
    if (part > row.staked + inward) return errc::insufficient_funds;
    // Asked before anything is paid: what follows the payout must not be refused.
    auto escrow = PERDURE_TRY(purse::open(by, books_.numbers(), what.escrow(), what.asset()));
    auto account = PERDURE_TRY(purse::open(by, books_.numbers(), what.account(), what.asset()));
    PERDURE_TRY(escrow.may_leave());
    PERDURE_TRY(escrow.has(std::max<amount>(part - inward, 0)));
    PERDURE_TRY(account.may_take(PERDURE_TRY(add(part, paid - inward))));
    if (!how.forfeits && from != to) PERDURE_TRY(settle(by, what));
    return take_out(by, what, part, how.forfeits);
}

/// Requires: all that unstake() asks.
result<> stakes::take_out(tx& by, const payout& what, amount part, bool forfeits) const noexcept {
    const auto& in = what.programme;
    PERDURE_TRY(books_.transfer(by, what.escrow(), what.account(), what.asset(), part,
                                {.reference = what.stake.number, .actor = what.account()}));
    auto* row = PERDURE_TRY(shm::edit_key<stake_row>(by, tables_.stakes, what.stake.key));
    const amount left = row->staked - part;
    auto* whole = PERDURE_TRY(shm::edit_key<programme_row>(by, tables_.programmes, in.key));
    whole->staked -= part;
    if (left == 0) {
        PERDURE_TRY(shm::erase_key(by, tables_.stakes, what.stake.key));
        whole->stakes -= 1;
    } else {
        row->principal = row->staked = left;
        row->periods_paid = row->anchor_period = what.to;
        row->last_payout_ns = row->since_ns + what.to * in.period_ns;
    }
    emit(by, event_type::unstaked, 1,
         unstaked_v1{what.stake.key, in.key, what.stake.account, part, left, left == 0 ? 1ULL : 0,
                     forfeits ? what.value : 0, what.to, in.asset, 0});
    return {};
}

}  // namespace perdure

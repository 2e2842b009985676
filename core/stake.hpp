// SPDX-License-Identifier: Apache-2.0
//
// Stakes, and the programmes that pay them: units locked in an escrow account, and interest by
// periods of world time.
//
// Promise     Units move by postings of the ledger alone. A period of a stake is paid once: a
//             payout names the periods it is for, and they must be the next ones (K2). What a stake
//             has been paid in all is owed() of stake_yield.hpp, whatever was killed, repeated or
//             caught up (K3). A refused operation has changed nothing, also where its transaction
//             goes on; after errors of the engine the closure must answer them.
// Death       Each operation is a part of a transaction: whole or not at all.
// Threads     As core/ledger.hpp.
// Invariants  K1 to K5 of stake_format.hpp.
// Format      stake_format.hpp, stake_event_format.hpp, docs/formats/tables.md#stakes
#pragma once

#include <optional>
#include <perdure/core/clock.hpp>
#include <perdure/core/ledger.hpp>
#include <perdure/core/stake_yield.hpp>
#include <variant>

namespace perdure {

/// What a programme is opened with.
struct programme_terms {
    asset_id asset;
    yield_terms yield;
    account_id authority;                      ///< Who may change and close it.
    std::variant<account_id, faucet_id> from;  ///< The treasury, or the faucet of the authority.
};

/// Periods of a stake that have ended and are not paid, and what they come to.
struct due_yield {
    std::uint64_t from = 0;
    std::uint64_t to = 0;  ///< Periods [from, to).
    amount value = 0;
};

/// How units are taken out of a stake.
struct unstake_choice {
    std::optional<amount> part{};  ///< None: all.
    bool forfeits = false;         ///< What is due is given up, e.g. because nobody can pay it.
};

struct stake_tables {
    std::uint32_t programmes = 0;
    std::uint32_t stakes = 0;
};

class stakes {
  public:
    /// Finds the tables and makes those that are missing. Errors: as shm::create_table.
    static result<stakes> open(shm::session& by, const ledger& books, const world_clock& time);
    /// Only finds them. Errors: unknown_table, schema_mismatch.
    static result<stakes> find(shm::region& where, const ledger& books, const world_clock& time);
    static std::vector<shm::schema> schemas();

    /// Opens its escrow account, "escrow/<name>", as well. Errors: unknown_programme (a name of 0
    /// or above 32 bytes), bad_setting (terms that is_allowed() does not allow), unknown_asset,
    /// serial_required, unknown_account, unknown_faucet, wrong_faucet, not_authorised (the faucet
    /// is another's), exists.
    result<programme_id> open_programme(tx& by, std::string_view name,
                                        const programme_terms& terms) const noexcept;
    /// It takes no stakes any more; of those that stand, periods that have begun are paid.
    /// Errors: unknown_programme, not_authorised, programme_closed.
    result<> close_programme(tx& by, account_id authority, programme_id programme) const noexcept;
    /// Of stakes made from now on: one that stands keeps the rate it was made with (K4).
    /// Errors: as close_programme(), bad_setting.
    result<> set_rate(tx& by, account_id authority, programme_id programme,
                      std::uint64_t apy_ppb) const noexcept;

    /// Moves `value` into the programme's escrow; period 0 begins now, in world time.
    /// Errors: unknown_programme, programme_closed, same_account (the treasury's own), exists, as
    /// ledger::transfer.
    result<stake_id> stake(tx& by, programme_id programme, account_id account, std::uint64_t number,
                           amount value) const noexcept;
    /// Pays what is due, or gives it up, then moves units back; the unfinished period earns on what
    /// is left alone. With the last unit the stake ends. Errors: unknown_stake, bad_amount,
    /// insufficient_funds (more than is staked, or the treasury cannot pay), as pay(), as
    /// ledger::transfer.
    result<> unstake(tx& by, stake_id stake, const unstake_choice& how = {}) const noexcept;

    /// What would be due at that world time. Errors: unknown_stake, overflow.
    template <shm::row_source Source>
    result<due_yield> due(Source& in, stake_id stake, std::uint64_t now_ns) const noexcept;
    /// What is due now: the clock's row says what now is.
    template <shm::row_source Source>
    result<due_yield> due(Source& in, stake_id stake) const noexcept {
        return due(in, stake, PERDURE_TRY(time_.read(in)).world_ns);
    }

    /// Pays periods [from, to), the next ones, which have ended; owed() alone says how much, and
    /// that is answered. A payout of 0 moves no units and counts all the same. Errors:
    /// unknown_stake, out_of_step (not the next ones, none, or they have not all ended), overflow;
    /// of a treasury insufficient_funds, account_frozen; of a faucet budget_exceeded.
    result<amount> pay(tx& by, stake_id stake, std::uint64_t from, std::uint64_t to) const noexcept;
    /// Tells that paying what is due up to period `to` was refused. False: nothing is told, for it
    /// was told of these before. Errors: unknown_stake, out_of_step, overflow.
    result<bool> refuse(tx& by, stake_id stake, std::uint64_t to, errc why) const noexcept;

    /// Errors: unknown_programme, unknown_stake.
    template <shm::row_source Source>
    result<programme_row> programme(Source& in, programme_id programme) const noexcept;
    template <shm::row_source Source>
    result<stake_row> read(Source& in, stake_id stake) const noexcept;

    [[nodiscard]] const stake_tables& numbers() const noexcept { return tables_; }

  private:
    struct payout;
    stakes(stake_tables numbers, const ledger& books, const world_clock& time) noexcept
        : tables_(numbers), books_(books), time_(time) {}
    result<payout> prepare(tx& by, stake_id stake, std::uint64_t from,
                           std::uint64_t to) const noexcept;
    result<> settle(tx& by, const payout& what) const noexcept;
    result<> take_out(tx& by, const payout& what, amount part, bool forfeits) const noexcept;
    result<programme_row*> edit_open(tx& by, account_id authority,
                                     programme_id programme) const noexcept;

    stake_tables tables_;
    ledger books_;
    world_clock time_;
};

/// How many periods of the stake have ended by `now_ns` and count.
[[nodiscard]] std::uint64_t periods_due(const programme_row& programme, const stake_row& stake,
                                        std::uint64_t now_ns) noexcept;
/// Interest of periods [from, to). Requires: anchor_period <= from <= to. Errors: overflow.
result<amount> yield_of(const programme_row& programme, const stake_row& stake, std::uint64_t from,
                        std::uint64_t to) noexcept;

}  // namespace perdure

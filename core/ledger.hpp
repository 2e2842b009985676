// SPDX-License-Identifier: Apache-2.0
//
// Assets, accounts, balances, and the postings that move value between them.
//
// Promise     Per asset, the sum of all balances is minted - burned at every commit; the engine
//             checks it from the transaction's own differences (schema fields `adds` and
//             `subtracts`). A refused operation has changed nothing, also where its transaction
//             goes on; after errors of the engine (conflict, transaction_too_large, region_full)
//             the closure must answer them.
// Death       Each operation is a part of a transaction: whole or not at all.
// Threads     A ledger may be shared by threads; each brings its own transaction.
// Invariants  L1 no available or held amount is negative.
//             L2 an idempotency key has one receipt: committing it again changes nothing.
//             L3 a balance's held amount is the sum of its holds.
//             L4 a unique asset's balance is the number of items its account owns.
// Format      ledger_format.hpp, event_format.hpp, docs/formats/tables.md
#pragma once

#include <optional>
#include <perdure/core/amount.hpp>
#include <perdure/core/id.hpp>
#include <perdure/core/ledger_format.hpp>
#include <perdure/shm/session.hpp>

namespace perdure {

using tx = shm::transaction;

enum class key_life {
    retained,  ///< Known for as many commits as the world keeps keys (world_options::keys_kept).
    pinned,    ///< Known for ever.
};

/// Why something is posted, and who made it happen: kept in the event.
struct posting_note {
    std::uint32_t reason = 0;     ///< The game's own code.
    std::uint64_t reference = 0;  ///< The game's own number.
    account_id actor{};           ///< {}: the account that pays, or the authority.
};
using transfer_note = posting_note;

/// One account's part of a batch.
struct leg {
    account_id account;
    asset_id asset;
    amount value = 0;  ///< Above 0 comes in, below 0 goes out.
};
inline constexpr std::size_t legs_max = 32;

/// What is opened under a faucet's name.
struct faucet_terms {
    faucet_kind kind = faucet_kind::faucet;
    asset_id asset;
    account_id authority;  ///< Who may use it.
    amount budget = 0;     ///< What may pass through it in all; 0 = no bound.
};

/// The right to make or unmake units: the asset's own authority's, or a faucet's.
struct warrant {
    account_id authority;
    faucet_id faucet;
    constexpr warrant(account_id who) noexcept : authority(who) {}  // NOLINT: the usual case
    constexpr warrant(account_id who, faucet_id by) noexcept : authority(who), faucet(by) {}
};

/// What an account has of an asset.
struct position {
    amount available = 0;
    amount held = 0;
};

/// Table numbers in one region.
struct ledger_tables {
    std::uint32_t assets = 0;
    std::uint32_t accounts = 0;
    std::uint32_t balances = 0;
    std::uint32_t keys = 0;
    std::uint32_t shards = 0;
    std::uint32_t faucets = 0;
    std::uint32_t holds = 0;
    std::uint32_t items = 0;
};

class ledger {
  public:
    using tables = ledger_tables;

    /// Finds the ledger's tables and makes those that are missing. Errors: as shm::create_table.
    static result<ledger> open(shm::session& by);
    /// Only finds them. Errors: unknown_table, schema_mismatch.
    static result<ledger> find(shm::region& where);
    /// Its tables, as this build wants them: what a restore reads older ones into.
    static std::vector<shm::schema> schemas();

    /// `flags` unique: units are items with serials; its scale is 0. Errors: exists, bad_amount
    /// (scale above 18 or a unique asset's above 0), unknown_asset (a code of 0 or above 16 bytes).
    result<asset_id> create_asset(tx& by, std::string_view code, std::uint32_t scale,
                                  account_id authority, std::uint32_t flags = 0) const noexcept;
    /// Errors: exists.
    result<account_id> open_account(tx& by, std::string_view name,
                                    account_kind kind) const noexcept;
    result<account_id> open_account(tx& by, account_id number, account_kind kind) const noexcept;

    /// Moves `value` from source to target; the target's balance row is made if it has none.
    /// Errors: bad_amount, same_account, unknown_account, unknown_asset, serial_required,
    /// account_frozen, insufficient_funds, overflow.
    result<> transfer(tx& by, account_id source, account_id target, asset_id asset, amount value,
                      posting_note note = {}) const noexcept;

    /// Says that this session will soon make that transfer, about four of them ahead: its memory is
    /// fetched meanwhile. For servers that work off a queue.
    void expect(shm::session& by, account_id source, account_id target,
                asset_id asset) const noexcept {
        by.expect(tables_.balances, key_of(source, asset));
        by.expect(tables_.balances, key_of(target, asset));
    }

    /// All legs or none; per asset they add up to 0. An account that stands in several legs must
    /// afford their sum. Errors: bad_amount (a leg of 0, or no legs), too_many_legs, unbalanced,
    /// as transfer().
    result<> post(tx& by, std::span<const leg> legs, posting_note note = {}) const noexcept;

    /// Value comes into the world, or leaves it. Errors: not_authorised, bad_amount,
    /// unknown_account, unknown_asset, as transfer().
    result<> mint(tx& by, account_id authority, account_id to, asset_id asset, amount value,
                  std::uint32_t reason = 0) const noexcept;
    result<> burn(tx& by, account_id authority, account_id from, asset_id asset, amount value,
                  std::uint32_t reason = 0) const noexcept;
    /// The same through a named faucet or sink. Further errors: unknown_faucet, wrong_faucet,
    /// budget_exceeded.
    result<> mint(tx& by, faucet_id faucet, account_id authority, account_id to, amount value,
                  posting_note note = {}) const noexcept;
    result<> burn(tx& by, faucet_id sink, account_id authority, account_id from, amount value,
                  posting_note note = {}) const noexcept;

    /// `issuer` is the asset's authority. Errors: unknown_faucet (a name of 0 or above 32 bytes),
    /// unknown_asset, not_authorised, bad_amount (budget below 0), exists.
    result<faucet_id> open_faucet(tx& by, account_id issuer, std::string_view name,
                                  const faucet_terms& terms) const noexcept;
    /// What has been used stays used. Errors: unknown_faucet, not_authorised, bad_amount.
    result<> set_budget(tx& by, account_id issuer, faucet_id faucet, amount budget) const noexcept;

    /// Sets `value` aside under the caller's id: no longer available, still the account's.
    /// Errors: exists, as transfer().
    result<> hold(tx& by, const shm::row_key& id, account_id account, asset_id asset, amount value,
                  posting_note note = {}) const noexcept;
    /// Gives a part of what is held back to its account, or all that is left.
    /// Errors: unknown_hold, bad_amount, insufficient_funds (more than is left).
    result<> release(tx& by, const shm::row_key& id, std::optional<amount> part = {},
                     posting_note note = {}) const noexcept;
    /// Pays a part of what is held to `target`, or all that is left. A freeze does not stop it: the
    /// hold was promised before. Errors: as release(), same_account, unknown_account, overflow.
    result<> capture(tx& by, const shm::row_key& id, account_id target,
                     std::optional<amount> part = {}, posting_note note = {}) const noexcept;

    /// One unit of a unique asset comes into the world, moves, leaves it. Errors: unknown_asset,
    /// not_unique, exists (serials are used once, also those of destroyed items), unknown_item,
    /// not_owner, as mint(), transfer(), burn().
    result<> create_item(tx& by, const warrant& right, item_id item, account_id owner,
                         posting_note note = {}) const noexcept;
    result<> move_item(tx& by, account_id source, account_id target, item_id item,
                       posting_note note = {}) const noexcept;
    result<> destroy_item(tx& by, const warrant& right, item_id item,
                          posting_note note = {}) const noexcept;

    /// Spreads a balance that every transaction touches over `count` rows, a power of two from 2 to
    /// shards_max: each participant credits one of its own. Errors: bad_shards, exists (it is
    /// sharded), unknown_account, unknown_asset.
    result<> shard(tx& by, account_id account, asset_id asset, std::uint32_t count) const noexcept;
    /// Gathers it again. Errors: not_found (it is not sharded).
    result<> unshard(tx& by, account_id account, asset_id asset) const noexcept;

    /// Nothing may leave the account until the wall clock passes `until_wall_ns`; it may still be
    /// paid, and its holds released and captured. A later freeze replaces an earlier one.
    /// Errors: unknown_account, bad_amount (until 0).
    result<> freeze(tx& by, account_id account, std::uint64_t until_wall_ns,
                    posting_note note) const noexcept;
    /// Errors: unknown_account; an account that is not frozen stays so.
    result<> unfreeze(tx& by, account_id account, posting_note note) const noexcept;

    /// The commit under this key has been made before: its receipt. Else the key is taken, and its
    /// commit is the transaction's. Use: `if (auto before = ...; *before) return {}`.
    /// Errors: as shm::insert_key.
    result<std::optional<shm::receipt>> once(tx& by, const shm::transaction_key& key,
                                             key_life life = key_life::retained) const noexcept;

    /// Shards summed. Errors: unknown_account, unknown_asset; an account without a row for the
    /// asset has 0.
    template <shm::row_source Source>
    result<position> holding(Source& in, account_id account, asset_id asset) const noexcept;
    /// What is available of it.
    template <shm::row_source Source>
    result<amount> balance(Source& in, account_id account, asset_id asset) const noexcept {
        return PERDURE_TRY(holding(in, account, asset)).available;
    }
    /// Errors: unknown_asset, unknown_account, unknown_faucet, unknown_hold, unknown_item (it is
    /// destroyed, or never was).
    template <shm::row_source Source>
    result<asset_row> asset(Source& in, asset_id asset) const noexcept;
    template <shm::row_source Source>
    result<account_row> account(Source& in, account_id account) const noexcept;
    template <shm::row_source Source>
    result<faucet_row> faucet(Source& in, faucet_id faucet) const noexcept;
    template <shm::row_source Source>
    result<hold_row> held(Source& in, const shm::row_key& hold) const noexcept;
    template <shm::row_source Source>
    result<item_row> item(Source& in, item_id item) const noexcept;

    [[nodiscard]] const tables& numbers() const noexcept { return tables_; }

  private:
    struct movement;
    explicit ledger(tables numbers) noexcept : tables_(numbers) {}
    result<> transfer_slowly(tx& by, const movement& what) const noexcept;

    tables tables_;
};

}  // namespace perdure

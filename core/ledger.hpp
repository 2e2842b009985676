// SPDX-License-Identifier: Apache-2.0
//
// Assets, accounts, balances, and the postings that move value between them.
//
// Promise     Per asset, the sum of all balances is minted - burned at every commit; the engine
//             checks it from the transaction's own differences (schema fields `adds` and
//             `subtracts`).
// Death       Each operation is a part of a transaction: whole or not at all.
// Threads     A ledger may be shared by threads; each brings its own transaction.
// Invariants  L1 no available or held amount is negative.
//             L2 an idempotency key has one receipt: committing it again changes nothing.
// Format      event_format.hpp, docs/formats/tables.md
#pragma once

#include <optional>
#include <perdure/core/amount.hpp>
#include <perdure/core/event_format.hpp>
#include <perdure/core/id.hpp>
#include <perdure/shm/session.hpp>

namespace perdure {

using tx = shm::transaction;

enum class account_kind : std::uint32_t {
    player = 1,
    agent = 2,
    treasury = 3,
    escrow = 4,
    market = 5,
    plugin = 6,
};

struct account_row {
    shm::row_header header;
    shm::row_key key;
    std::uint32_t kind;
    std::uint32_t reserved;
    std::array<char, 40> name;  ///< Empty for accounts opened by number.
};
static_assert(shm::mapped<account_row> && sizeof(account_row) == 80);

struct balance_row {
    shm::row_header header;
    shm::row_key key;
    std::uint32_t asset;  ///< The group of the balanced fields.
    std::uint32_t reserved;
    std::int64_t available;
    std::int64_t held;
    std::uint64_t reserved_back;
};
static_assert(shm::mapped<balance_row> && sizeof(balance_row) == 64);

struct asset_row {
    shm::row_header header;
    shm::row_key key;
    std::array<char, 16> code;
    std::uint32_t asset;
    std::uint32_t scale;
    std::int64_t supply;  ///< minted - burned; the engine balances it against all balances.
    std::int64_t minted;
    std::int64_t burned;
    account_words authority;  ///< Who may mint and burn.
    std::uint64_t reserved;
};
static_assert(shm::mapped<asset_row> && sizeof(asset_row) == 104);

/// An idempotency key and the receipt of its first commit.
struct key_row {
    shm::row_header header;  ///< Its lsn is the commit's.
    shm::row_key key;
    std::uint64_t retained;  ///< 1: dropped when its commit is old (core/key_retention); 0: pinned.
};
static_assert(shm::mapped<key_row> && sizeof(key_row) == 40);

enum class key_life {
    retained,  ///< Known for as many commits as the world keeps keys (world_options::keys_kept).
    pinned,    ///< Known for ever.
};

struct transfer_note {
    std::uint32_t reason = 0;
    std::uint64_t reference = 0;
};

class ledger {
  public:
    /// Finds the ledger's tables, or makes them in a new world. Errors: as shm::create_table.
    static result<ledger> open(shm::session& by);
    /// Only finds them. Errors: unknown_table, schema_mismatch.
    static result<ledger> find(shm::region& where);

    /// Errors: exists, bad_amount (scale above 18), unknown_asset (a code of 0 or above 16 bytes).
    result<asset_id> create_asset(tx& by, std::string_view code, std::uint32_t scale,
                                  account_id authority) const noexcept;
    /// Errors: exists.
    result<account_id> open_account(tx& by, std::string_view name,
                                    account_kind kind) const noexcept;
    result<account_id> open_account(tx& by, account_id number, account_kind kind) const noexcept;

    /// Moves `value` from source to target; the target's balance row is made if it has none.
    /// Errors: bad_amount, same_account, unknown_account, unknown_asset, insufficient_funds,
    /// overflow.
    result<> transfer(tx& by, account_id source, account_id target, asset_id asset, amount value,
                      transfer_note note = {}) const noexcept;

    /// Says that this session will soon make that transfer, about four of them ahead: its memory is
    /// fetched meanwhile. For servers that work off a queue.
    void expect(shm::session& by, account_id source, account_id target,
                asset_id asset) const noexcept {
        by.expect(tables_.balances, key_of(source, asset));
        by.expect(tables_.balances, key_of(target, asset));
    }

    /// Value comes into the world, or leaves it. Errors: not_authorised, bad_amount,
    /// unknown_account, unknown_asset, insufficient_funds, overflow.
    result<> mint(tx& by, account_id authority, account_id to, asset_id asset, amount value,
                  std::uint32_t reason = 0) const noexcept;
    result<> burn(tx& by, account_id authority, account_id from, asset_id asset, amount value,
                  std::uint32_t reason = 0) const noexcept;

    /// The commit under this key has been made before: its receipt. Else the key is taken, and its
    /// commit is the transaction's. Use: `if (auto before = ...; *before) return {}`.
    /// Errors: as shm::insert_key.
    result<std::optional<shm::receipt>> once(tx& by, const shm::transaction_key& key,
                                             key_life life = key_life::retained) const noexcept;

    /// Errors: unknown_account, unknown_asset; an account without a row for the asset has 0.
    template <shm::row_source Source>
    result<amount> balance(Source& in, account_id account, asset_id asset) const noexcept;
    template <shm::row_source Source>
    result<asset_row> asset(Source& in, asset_id asset) const noexcept;

    struct tables {
        std::uint32_t assets = 0;
        std::uint32_t accounts = 0;
        std::uint32_t balances = 0;
        std::uint32_t keys = 0;
    };
    [[nodiscard]] const tables& numbers() const noexcept { return tables_; }

  private:
    explicit ledger(tables numbers) noexcept : tables_(numbers) {}
    result<asset_row*> edit_supply(tx& by, account_id authority, asset_id asset) const noexcept;
    result<balance_row*> edit_balance(tx& by, account_id account, asset_id asset) const noexcept;

    tables tables_;
};

}  // namespace perdure

// SPDX-License-Identifier: Apache-2.0
//
// What an account has of one asset, inside a transaction, wherever it lies: in its balance row, or
// spread over the shards of it. Every operation but the quick transfer goes through it.
//
// Promise     Questions (may_...) change nothing; answers given are still true when the units move,
//             for what they rest on is locked or noted.
// Threads     The transaction's own.
// Invariants  F1, F2 (ledger_format.hpp).
#pragma once

#include <perdure/core/ledger.hpp>

namespace perdure {

constexpr account_words words_of(account_id account) noexcept {
    return {account.high, account.low};
}
constexpr account_id id_of(const account_words& words) noexcept {
    return {words.high, static_cast<std::uint32_t>(words.low)};
}

/// Who is written down as the one who did it.
constexpr account_words actor_of(const posting_note& note, account_id otherwise) noexcept {
    return words_of(note.actor == account_id{} ? otherwise : note.actor);
}

/// Key of a shard. Spreading the index over the words of an account's id meets another account's
/// shard of the same asset as seldom as two names meet in one id; insert_key() refuses it then.
constexpr shm::row_key shard_key(account_id account, asset_id asset, std::uint32_t index) noexcept {
    const auto key = key_of(account, asset);
    return {key.high ^ (index + 1) * 0x9e3779b97f4a7c15ULL, key.low};
}

template <class Event>
void emit(tx& by, event_type type, std::uint16_t version, const Event& event) {
    by.event(static_cast<std::uint16_t>(type), version, std::as_bytes(std::span(&event, 1)));
}

template <std::size_t Size>
std::array<char, Size> text_of(std::string_view text) noexcept {
    std::array<char, Size> out{};
    std::memcpy(out.data(), text.data(), std::min(text.size(), Size));
    return out;
}

class purse {
  public:
    /// Errors: unknown_account, unknown_asset.
    static result<purse> open(tx& by, const ledger_tables& tables, account_id account,
                              asset_id asset) noexcept;

    [[nodiscard]] bool is_unique() const noexcept { return (flags_ & has_serials) != 0; }
    [[nodiscard]] std::uint32_t shards() const noexcept { return shards_; }

    /// Errors: account_frozen.
    result<> may_leave() noexcept;
    /// Errors: insufficient_funds.
    result<> has(amount value) noexcept;
    /// Errors: overflow.
    result<> may_take(amount value) noexcept;

    /// Requires: has(value) and, but for what is held, may_leave().
    result<> pay(amount value) noexcept;
    /// Requires: may_take(value).
    result<> give(amount value) noexcept;
    /// The balance row, edited, made if there was none.
    result<balance_row*> row() noexcept;

  private:
    purse(tx& by, const ledger_tables& tables, account_id account, asset_id asset) noexcept
        : by_(&by), tables_(&tables), account_(account), asset_(asset) {}
    result<> look() noexcept;
    result<> look_up_owner() noexcept;
    void see(const balance_row& row) noexcept;
    result<shard_row*> shard(std::uint32_t turn) noexcept;

    tx* by_;
    const ledger_tables* tables_;
    account_id account_;
    asset_id asset_;
    balance_row* row_ = nullptr;  // Edited; nullptr: sharded, or not there.
    std::uint32_t flags_ = 0;
    std::uint32_t shards_ = 0;
    bool thawed_ = false;  // The frozen flag is out of date.
};

}  // namespace perdure

// SPDX-License-Identifier: Apache-2.0
//
// What of a ledger differs from its model.
#pragma once

#include <perdure/tests/core/ledger_draw.hpp>

namespace perdure::tests::ledger_work {

/// The first thing that is not the model's, "" when there is none.
class comparison {
  public:
    comparison(const ledger& books, view& seen, const economy_model& model)
        : books_(books), seen_(seen), model_(model) {}

    result<std::string> look() {
        for (number who = 0; who < accounts; ++who) PERDURE_TRY(look_at(who));
        for (const auto& [asset, its] : model_.assets) {
            const auto row = PERDURE_TRY(books_.asset(seen_, assets[asset]));
            expect(row.minted == its.minted && row.burned == its.burned &&
                       row.supply == its.minted - its.burned,
                   "the supply of asset", asset);
        }
        for (const auto& [which, its] : model_.faucets) {
            const auto row = PERDURE_TRY(books_.faucet(seen_, faucet_id::of(faucets[which])));
            expect(row.used == its.used && row.budget == its.budget, "faucet", which);
        }
        for (number id = 0; id < 12; ++id) PERDURE_TRY(look_at_hold(id));
        for (const auto& [key, its] : model_.items) PERDURE_TRY(look_at_item(key, its));
        return first_;
    }

  private:
    static account_words words_of(number who) { return {player(who).high, player(who).low}; }
    void expect(bool holds, const char* what, number which) {
        if (!holds && first_.empty()) first_ = what + (" " + std::to_string(which));
    }
    result<> look_at(number who) {
        for (number asset = 0; asset < 3; ++asset) {
            const auto real = PERDURE_TRY(books_.holding(seen_, player(who), assets[asset]));
            const auto found = model_.positions.find({who, asset});
            const auto ours = found == model_.positions.end() ? position{} : found->second;
            expect(real.available == ours.available && real.held == ours.held,
                   "the position of account", who);
        }
        const auto row = PERDURE_TRY(books_.account(seen_, player(who)));
        expect(row.frozen_until == model_.accounts.at(who), "the freeze of account", who);
        return {};
    }
    result<> look_at_hold(number id) {
        const auto row = books_.held(seen_, hold_key(id));
        if (!row && row.error() == errc::conflict) return errc::conflict;
        const auto found = model_.holds.find(id);
        const bool is_there = found != model_.holds.end();
        expect(row.has_value() == is_there, "the existence of hold", id);
        if (row && is_there) {
            expect(row->amount == found->second.left &&
                       row->account == words_of(found->second.account),
                   "hold", id);
        }
        return {};
    }
    result<> look_at_item(const economy_model::owned& key, const economy_model::item& its) {
        const auto row = books_.item(seen_, {assets[key.first], key.second});
        if (!row && row.error() == errc::conflict) return errc::conflict;
        expect(row.has_value() == !its.is_destroyed, "the existence of item", key.second);
        if (row) expect(row->owner == words_of(its.owner), "the owner of item", key.second);
        return {};
    }

    const ledger& books_;
    view& seen_;
    const economy_model& model_;
    std::string first_;
};

}  // namespace perdure::tests::ledger_work

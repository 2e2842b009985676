// SPDX-License-Identifier: Apache-2.0
//
// Random work on a ledger and, beside it, on its model: what is laid first, and what follows.
#pragma once

#include <perdure/tests/core/ledger_draw.hpp>

namespace perdure::tests::ledger_work {

class economy {
  public:
    economy(const ledger& books, tx& by, economy_model& model)
        : books_(&books), by_(&by), model_(model) {}
    /// On the model alone.
    explicit economy(economy_model& model) : model_(model) {}

    answers run(const operation& one) {
        dice any(one.seed);
        switch (one.what) {
            case 0:
            case 1:
            case 2: return mint(any);
            case 3: return burn(any);
            case 4:
            case 5:
            case 6: return hold(any);
            case 7: return release(any);
            case 8: return capture(any);
            case 9:
            case 10: return post(any);
            case 11:
            case 12: return create_item(any);
            case 13:
            case 14: return move_item(any);
            case 15: return destroy_item(any);
            case 16: return shard(any);
            case 17: return unshard(any);
            case 18: return freeze(any);
            case 19: return unfreeze(any);
            case 20: return budget(any);
            default: return transfer(any);
        }
    }

  private:
    answers transfer(dice& any) {
        const auto from = any.account();
        const auto to = any.account();
        const auto asset = any.asset();
        const auto value = any.value();
        return {real([&] {
                    return books_->transfer(*by_, player(from), player(to), assets[asset], value);
                }),
                model_.transfer(from, to, asset, value)};
    }
    answers mint(dice& any) {
        const auto right = any.right();
        const auto to = any.account();
        const auto asset = any.asset();
        const auto value = any.value();
        const auto done = real([&] {
            const auto by = player(right.authority);
            return right.through ? books_->mint(*by_, faucet_id::of(faucets[*right.through]), by,
                                                player(to), value)
                                 : books_->mint(*by_, by, player(to), assets[asset], value);
        });
        return {done, model_.mint(right, to, asset, value)};
    }
    answers burn(dice& any) {
        const auto right = any.right();
        const auto from = any.account();
        const auto asset = any.asset();
        const auto value = any.value();
        const auto done = real([&] {
            const auto by = player(right.authority);
            return right.through ? books_->burn(*by_, faucet_id::of(faucets[*right.through]), by,
                                                player(from), value)
                                 : books_->burn(*by_, by, player(from), assets[asset], value);
        });
        return {done, model_.burn(right, from, asset, value)};
    }
    answers hold(dice& any) {
        const auto id = any.below(12);
        const auto account = any.account();
        const auto asset = any.asset();
        const auto value = any.value();
        return {real([&] {
                    return books_->hold(*by_, hold_key(id), player(account), assets[asset], value);
                }),
                model_.hold(id, account, asset, value)};
    }
    answers release(dice& any) {
        const auto id = any.below(12);
        const auto part = any.part();
        return {real([&] { return books_->release(*by_, hold_key(id), part); }),
                model_.release(id, part)};
    }
    answers capture(dice& any) {
        const auto id = any.below(12);
        const auto target = any.account();
        const auto part = any.part();
        return {real([&] { return books_->capture(*by_, hold_key(id), player(target), part); }),
                model_.capture(id, target, part)};
    }
    answers post(dice& any) {
        std::vector<leg> legs;
        std::vector<economy_model::part> parts;
        const auto put = [&](number account, number asset, amount value) {
            legs.push_back({player(account), assets[asset], value});
            parts.push_back({account, asset, value});
        };
        const auto pairs = any.below(60) == 0 ? 17 : any.below(4);
        for (number i = 0; i < pairs; ++i) {
            const auto asset = any.asset();
            const auto value = any.value();
            put(any.account(), asset, -value);
            put(any.account(), asset, any.below(30) == 0 ? value / 2 : value);
        }
        return {real([&] { return books_->post(*by_, legs); }), model_.post(parts)};
    }
    answers create_item(dice& any) {
        const auto right = any.right();
        const auto asset = any.below(8) == 0 ? any.asset() : sword;
        const auto serial = any.below(40);
        const auto owner = any.account();
        return {real([&] {
                    return books_->create_item(*by_, warrant_of(right), {assets[asset], serial},
                                               player(owner));
                }),
                model_.create_item(right, asset, serial, owner)};
    }
    answers move_item(dice& any) {
        const auto serial = any.below(40);
        const auto asset = any.below(20) == 0 ? any.asset() : sword;
        const auto found = model_.items.find({asset, serial});
        const bool by_owner = found != model_.items.end() && any.below(4) != 0;
        const auto from = by_owner ? found->second.owner : any.account();
        const auto to = any.account();
        return {
            real([&] {
                return books_->move_item(*by_, player(from), player(to), {assets[asset], serial});
            }),
            model_.move_item(from, to, asset, serial)};
    }
    answers destroy_item(dice& any) {
        const auto right = any.right();
        const auto asset = any.below(8) == 0 ? any.asset() : sword;
        const auto serial = any.below(40);
        return {real([&] {
                    return books_->destroy_item(*by_, warrant_of(right), {assets[asset], serial});
                }),
                model_.destroy_item(right, asset, serial)};
    }
    answers shard(dice& any) {
        const auto account = any.account();
        const auto asset = any.asset();
        const auto count = any.below(4) == 0 ? any.below(70) : number{1} << any.below(4);
        const auto shards = static_cast<std::uint32_t>(count);
        return {real([&] { return books_->shard(*by_, player(account), assets[asset], shards); }),
                model_.shard(account, asset, shards)};
    }
    answers unshard(dice& any) {
        const auto account = any.account();
        const auto asset = any.asset();
        return {real([&] { return books_->unshard(*by_, player(account), assets[asset]); }),
                model_.unshard(account, asset)};
    }
    answers freeze(dice& any) {
        const auto account = any.account();
        const auto until = any.below(4) == 0 ? forever : model_.now + any.below(4) - 1;
        return {real([&] { return books_->freeze(*by_, player(account), until, {.reason = 7}); }),
                model_.freeze(account, until)};
    }
    answers unfreeze(dice& any) {
        const auto account = any.account();
        return {real([&] { return books_->unfreeze(*by_, player(account), {}); }),
                model_.unfreeze(account)};
    }
    answers budget(dice& any) {
        const auto by = any.authority();
        const auto name = any.below(faucets.size());
        const auto budget = static_cast<amount>(any.below(300)) - 10;
        return {real([&] {
                    return books_->set_budget(*by_, player(by), faucet_id::of(faucets[name]),
                                              budget);
                }),
                model_.set_budget(by, name, budget)};
    }

    template <class Operation>
    result<> real(Operation&& operation) const {
        return by_ == nullptr ? result<>() : operation();
    }

    const ledger* books_ = nullptr;
    tx* by_ = nullptr;
    economy_model& model_;
};

/// Accounts, assets and faucets in both.
inline result<> lay(const ledger& books, tx& by, economy_model& model) {
    for (number i = 0; i < accounts; ++i) model.open_account(i);
    model.assets = {
        {0, {issuer, false, 0, 0}}, {1, {issuer, false, 0, 0}}, {2, {issuer, true, 0, 0}}};
    model.open_faucet(issuer, 0, {0, false, issuer, 100, 0});
    model.open_faucet(issuer, 1, {1, false, 3, 0, 0});
    model.open_faucet(issuer, 2, {2, false, issuer, 6, 0});
    model.open_faucet(issuer, 3, {0, true, issuer, 0, 0});
    for (number i = 0; i < accounts; ++i) {
        PERDURE_TRY(books.open_account(by, player(i), account_kind::player));
    }
    PERDURE_TRY(books.create_asset(by, "gold", 2, player(issuer)));
    PERDURE_TRY(books.create_asset(by, "ore", 0, player(issuer)));
    PERDURE_TRY(books.create_asset(by, "sword", 0, player(issuer), unique));
    for (const auto& [name, its] : model.faucets) {
        const auto kind = its.is_sink ? faucet_kind::sink : faucet_kind::faucet;
        PERDURE_TRY(
            books.open_faucet(by, player(issuer), faucets[name],
                              {kind, assets[its.asset], player(its.authority), its.budget}));
    }
    return {};
}

/// What all operations of a batch have in common.
struct batch_answer {
    std::map<errc, std::uint64_t> refused;
    std::string difference;  ///< Of the first answer that is not the model's.
};

/// The batch inside the transaction, and on the model. Errors: conflict; garbled where an answer is
/// not the model's.
inline result<> run(const std::vector<operation>& batch, const ledger& books, tx& by,
                    economy_model& model, batch_answer& said) {
    for (const auto& one : batch) {
        const auto both = economy(books, by, model).run(one);
        if (!both.real && both.real.error() == errc::conflict) return errc::conflict;
        const auto real = both.real ? errc{} : both.real.error();
        const auto expected = both.expected.value_or(errc{});
        if (real != expected) {
            said.difference = "operation " + std::to_string(one.what) + ": " +
                              std::string(name(real)) + " instead of " +
                              std::string(name(expected));
            return errc::garbled;
        }
        if (!both.real) ++said.refused[real];
    }
    return {};
}

}  // namespace perdure::tests::ledger_work

// SPDX-License-Identifier: Apache-2.0
#include <perdure/tests/economy_model.hpp>

namespace perdure::tests {

economy_model::answer economy_model::open_account(number who) {
    if (!accounts.try_emplace(who, 0).second) return errc::exists;
    return {};
}

economy_model::answer economy_model::transfer(number from, number to, number asset, amount value) {
    if (value <= 0) return errc::bad_amount;
    if (from == to) return errc::same_account;
    return move({{from, asset, -value}, {to, asset, value}});
}

economy_model::answer economy_model::post(const std::vector<part>& legs) {
    if (legs.size() > legs_max) return errc::too_many_legs;
    if (legs.empty()) return errc::bad_amount;
    std::map<number, __int128> sums;
    for (const auto& one : legs) {
        if (one.value == 0) return errc::bad_amount;
        sums[one.asset] += one.value;
    }
    for (const auto& [asset, sum] : sums) {
        if (sum != 0) return errc::unbalanced;
    }
    return move(legs);
}

economy_model::answer economy_model::mint(const right& by, number to, number asset, amount value) {
    if (auto refused = find_faucet(by, asset)) return refused;
    if (value <= 0) return errc::bad_amount;
    if (auto refused = may_issue(by, asset, false)) return refused;
    if (auto refused = known(to, asset)) return refused;
    if (assets[asset].unique) return errc::serial_required;
    return issue(by, to, asset, value);
}

economy_model::answer economy_model::burn(const right& by, number from, number asset,
                                          amount value) {
    if (auto refused = find_faucet(by, asset)) return refused;
    if (value <= 0) return errc::bad_amount;
    if (auto refused = may_issue(by, asset, true)) return refused;
    if (auto refused = known(from, asset)) return refused;
    if (assets[asset].unique) return errc::serial_required;
    return redeem(by, from, asset, value);
}

economy_model::answer economy_model::open_faucet(number issuer, number name, const faucet& terms) {
    if (terms.budget < 0) return errc::bad_amount;
    if (!assets.contains(terms.asset)) return errc::unknown_asset;
    if (assets[terms.asset].authority != issuer) return errc::not_authorised;
    if (!faucets.try_emplace(name, terms).second) return errc::exists;
    return {};
}

economy_model::answer economy_model::set_budget(number issuer, number name, amount budget) {
    if (budget < 0) return errc::bad_amount;
    if (!faucets.contains(name)) return errc::unknown_faucet;
    if (assets[faucets[name].asset].authority != issuer) return errc::not_authorised;
    faucets[name].budget = budget;
    return {};
}

economy_model::answer economy_model::hold(number id, number account, number asset, amount value) {
    if (value <= 0) return errc::bad_amount;
    if (holds.contains(id)) return errc::exists;
    if (auto refused = may_pay(account, asset, value)) return refused;
    positions[{account, asset}].available -= value;
    positions[{account, asset}].held += value;
    holds[id] = {account, asset, value};
    return {};
}

economy_model::answer economy_model::release(number id, std::optional<amount> wanted) {
    if (auto refused = has_left(id, wanted)) return refused;
    return pay_out(id, holds[id].account, wanted);
}

economy_model::answer economy_model::capture(number id, number target,
                                             std::optional<amount> wanted) {
    if (auto refused = has_left(id, wanted)) return refused;
    if (target == holds[id].account) return errc::same_account;
    if (auto refused = known(target, holds[id].asset)) return refused;
    return pay_out(id, target, wanted);
}

economy_model::answer economy_model::create_item(const right& by, number asset, number serial,
                                                 number owner) {
    if (auto refused = may_issue(by, asset, false)) return refused;
    if (!assets[asset].unique) return errc::not_unique;
    if (items.contains({asset, serial})) return errc::exists;
    if (auto refused = known(owner, asset)) return refused;
    if (auto refused = issue(by, owner, asset, 1)) return refused;
    items[{asset, serial}] = {owner, false};
    return {};
}

economy_model::answer economy_model::move_item(number from, number to, number asset,
                                               number serial) {
    if (from == to) return errc::same_account;
    if (!is_there(asset, serial)) return errc::unknown_item;
    auto& its = items[{asset, serial}];
    if (its.owner != from) return errc::not_owner;
    if (auto refused = known(to, asset)) return refused;
    if (is_frozen(from)) return errc::account_frozen;
    positions[{from, asset}].available -= 1;
    positions[{to, asset}].available += 1;
    its.owner = to;
    return {};
}

economy_model::answer economy_model::destroy_item(const right& by, number asset, number serial) {
    if (auto refused = may_issue(by, asset, true)) return refused;
    if (!assets[asset].unique) return errc::not_unique;
    if (!is_there(asset, serial)) return errc::unknown_item;
    auto& its = items[{asset, serial}];
    if (auto refused = redeem(by, its.owner, asset, 1)) return refused;
    its.is_destroyed = true;
    return {};
}

economy_model::answer economy_model::shard(number account, number asset, std::uint32_t count) {
    if (!std::set<std::uint32_t>{2, 4, 8, 16, 32, 64}.contains(count)) return errc::bad_shards;
    if (auto refused = known(account, asset)) return refused;
    if (!sharded.insert({account, asset}).second) return errc::exists;
    return {};
}

economy_model::answer economy_model::unshard(number account, number asset) {
    if (auto refused = known(account, asset)) return refused;
    if (sharded.erase({account, asset}) == 0) return errc::not_found;
    return {};
}

economy_model::answer economy_model::freeze(number account, std::uint64_t until) {
    if (until == 0) return errc::bad_amount;
    return set_freeze(account, until);
}

economy_model::answer economy_model::unfreeze(number account) { return set_freeze(account, 0); }

economy_model::answer economy_model::known(number account, number asset) const {
    if (!accounts.contains(account)) return errc::unknown_account;
    if (!assets.contains(asset)) return errc::unknown_asset;
    return {};
}

bool economy_model::is_frozen(number account) const { return accounts.at(account) > now; }

bool economy_model::is_there(number asset, number serial) const {
    const auto found = items.find({asset, serial});
    return found != items.end() && !found->second.is_destroyed;
}

economy_model::answer economy_model::set_freeze(number account, std::uint64_t until) {
    if (!accounts.contains(account)) return errc::unknown_account;
    accounts[account] = until;
    return {};
}

economy_model::answer economy_model::may_pay(number account, number asset, amount value) {
    if (auto refused = known(account, asset)) return refused;
    if (assets[asset].unique) return errc::serial_required;
    if (is_frozen(account)) return errc::account_frozen;
    if (positions[{account, asset}].available < value) return errc::insufficient_funds;
    return {};
}

economy_model::answer economy_model::move(const std::vector<part>& legs) {
    std::vector<owned> order;
    std::map<owned, __int128> sums;
    std::set<owned> payers;
    for (const auto& one : legs) {
        const owned at{one.account, one.asset};
        if (!sums.contains(at)) order.push_back(at);
        sums[at] += one.value;
        if (one.value < 0) payers.insert(at);
    }
    for (const auto& at : order) {
        if (auto refused = known(at.first, at.second)) return refused;
    }
    for (const auto& at : order) {
        if (assets[at.second].unique) return errc::serial_required;
        if (payers.contains(at) && is_frozen(at.first)) return errc::account_frozen;
        if (positions[at].available + std::min<__int128>(sums[at], 0) < 0) {
            return errc::insufficient_funds;
        }
    }
    for (const auto& at : order) {
        if (positions[at].available + std::max<__int128>(sums[at], 0) > INT64_MAX) {
            return errc::overflow;
        }
    }
    for (const auto& at : order) positions[at].available += static_cast<amount>(sums[at]);
    return {};
}

economy_model::answer economy_model::has_left(number id, std::optional<amount> wanted) {
    if (!holds.contains(id)) return errc::unknown_hold;
    if (wanted && *wanted <= 0) return errc::bad_amount;
    if (wanted && *wanted > holds[id].left) return errc::insufficient_funds;
    return {};
}

economy_model::answer economy_model::pay_out(number id, number target,
                                             std::optional<amount> wanted) {
    auto& its = holds[id];
    const amount value = wanted.value_or(its.left);
    positions[{its.account, its.asset}].held -= value;
    positions[{target, its.asset}].available += value;
    its.left -= value;
    if (its.left == 0) holds.erase(id);
    return {};
}

economy_model::answer economy_model::find_faucet(const right& by, number& asset) const {
    if (!by.through) return {};
    if (!faucets.contains(*by.through)) return errc::unknown_faucet;
    asset = faucets.at(*by.through).asset;
    return {};
}

economy_model::answer economy_model::may_issue(const right& by, number asset, bool is_sink) {
    if (!assets.contains(asset)) return errc::unknown_asset;
    number authority = assets[asset].authority;
    if (by.through) {
        if (!faucets.contains(*by.through)) return errc::unknown_faucet;
        const auto& its = faucets[*by.through];
        if (its.is_sink != is_sink || its.asset != asset) return errc::wrong_faucet;
        authority = its.authority;
    }
    if (authority != by.authority) return errc::not_authorised;
    return {};
}

economy_model::answer economy_model::count(const right& by, amount value, amount& counter) {
    auto* through = by.through ? &faucets[*by.through] : nullptr;
    if (through != nullptr) {
        const __int128 used = __int128{through->used} + value;
        if (used > INT64_MAX) return errc::overflow;
        if (through->budget != 0 && used > through->budget) return errc::budget_exceeded;
    }
    if (__int128{counter} + value > INT64_MAX) return errc::overflow;
    if (through != nullptr) through->used += value;
    counter += value;
    return {};
}

economy_model::answer economy_model::issue(const right& by, number to, number asset, amount value) {
    if (auto refused = count(by, value, assets[asset].minted)) return refused;
    positions[{to, asset}].available += value;
    return {};
}

economy_model::answer economy_model::redeem(const right& by, number from, number asset,
                                            amount value) {
    if (is_frozen(from)) return errc::account_frozen;
    if (positions[{from, asset}].available < value) return errc::insufficient_funds;
    if (auto refused = count(by, value, assets[asset].burned)) return refused;
    positions[{from, asset}].available -= value;
    return {};
}

}  // namespace perdure::tests

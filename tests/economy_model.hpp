// SPDX-License-Identifier: Apache-2.0
//
// The ledger as a child would write it: maps, every rule in the order in which it is asked, nothing
// clever. What the real one answers and holds is compared with it.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <perdure/core/ledger.hpp>
#include <set>
#include <vector>

namespace perdure::tests {

/// Accounts, assets, faucets are small numbers here.
class economy_model {
  public:
    using answer = std::optional<errc>;  // Nothing: done.
    using number = std::uint64_t;
    using owned = std::pair<number, number>;  // Account and asset.

    struct unit {
        number authority = 0;
        bool unique = false;
        amount minted = 0;
        amount burned = 0;
    };
    struct faucet {
        number asset = 0;
        bool is_sink = false;
        number authority = 0;
        amount budget = 0;
        amount used = 0;
    };
    struct set_aside {
        number account = 0;
        number asset = 0;
        amount left = 0;
    };
    struct item {
        number owner = 0;
        bool is_destroyed = false;
    };
    struct part {
        number account = 0;
        number asset = 0;
        amount value = 0;
    };
    /// Who mints or burns, and through what; no faucet: by the asset's own authority.
    struct right {
        number authority = 0;
        std::optional<number> through;
    };

    std::map<number, std::uint64_t> accounts;  // Frozen until.
    std::map<number, unit> assets;
    std::map<number, faucet> faucets;
    std::map<owned, position> positions;
    std::map<number, set_aside> holds;
    std::map<owned, item> items;  // By asset and serial.
    std::set<owned> sharded;
    std::uint64_t now = 1;

    answer open_account(number who);
    answer transfer(number from, number to, number asset, amount value);
    answer post(const std::vector<part>& legs);
    answer mint(const right& by, number to, number asset, amount value);
    answer burn(const right& by, number from, number asset, amount value);
    answer open_faucet(number issuer, number name, const faucet& terms);
    answer set_budget(number issuer, number name, amount budget);
    answer hold(number id, number account, number asset, amount value);
    answer release(number id, std::optional<amount> wanted);
    answer capture(number id, number target, std::optional<amount> wanted);
    answer create_item(const right& by, number asset, number serial, number owner);
    answer move_item(number from, number to, number asset, number serial);
    answer destroy_item(const right& by, number asset, number serial);
    answer shard(number account, number asset, std::uint32_t count);
    answer unshard(number account, number asset);
    answer freeze(number account, std::uint64_t until);
    answer unfreeze(number account);

  private:
    answer known(number account, number asset) const;
    bool is_frozen(number account) const;
    bool is_there(number asset, number serial) const;
    answer set_freeze(number account, std::uint64_t until);
    answer may_pay(number account, number asset, amount value);
    /// What legs do to each account's units, in the order in which those are first named.
    answer move(const std::vector<part>& legs);
    answer has_left(number id, std::optional<amount> wanted);
    answer pay_out(number id, number target, std::optional<amount> wanted);
    /// A faucet names the asset that passes through it.
    answer find_faucet(const right& by, number& asset) const;
    answer may_issue(const right& by, number asset, bool is_sink);
    /// Counts value in or out.
    answer count(const right& by, amount value, amount& counter);
    answer issue(const right& by, number to, number asset, amount value);
    answer redeem(const right& by, number from, number asset, amount value);
};

}  // namespace perdure::tests

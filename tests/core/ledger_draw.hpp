// SPDX-License-Identifier: Apache-2.0
//
// What random work on a ledger is made of: its accounts, assets and faucets, an operation, and the
// numbers drawn for it.
#pragma once

#include <perdure/tests/core/scene.hpp>
#include <perdure/tests/economy_model.hpp>

namespace perdure::tests::ledger_work {

using number = economy_model::number;

inline constexpr number accounts = 9;  // And two that nobody opens.
inline constexpr number issuer = 0;
inline const std::array<asset_id, 4> assets{asset_id::of("gold"), asset_id::of("ore"),
                                            asset_id::of("sword"), asset_id::of("none")};
inline constexpr std::array<std::string_view, 5> faucets{"quests", "mines", "smithy", "tax",
                                                         "nothing"};
inline constexpr number sword = 2;

/// One operation: what, and dice for everything it needs.
struct operation {
    std::uint32_t what;
    std::uint64_t seed;
};

inline void showValue(const operation& one, std::ostream& out) {  // NOLINT: rapidcheck's name
    out << "{" << one.what << ", " << one.seed << "ULL}";
}

/// Numbers from a seed, each draw the next one.
class dice {
  public:
    explicit dice(std::uint64_t seed) : state_(seed) {}
    number below(number bound) {
        state_ += 0x9e3779b97f4a7c15ULL;
        std::uint64_t z = (state_ ^ (state_ >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return (z ^ (z >> 31)) % bound;
    }
    number account() { return below(25) == 0 ? accounts + below(2) : below(accounts); }
    number asset() { return below(10) < 8 ? below(2) : 2 + below(2); }
    amount value() {
        const auto kind = below(40);
        if (kind == 0) return INT64_MAX - static_cast<amount>(below(3));
        if (kind == 1) return -static_cast<amount>(below(5));
        return static_cast<amount>(below(60));
    }
    std::optional<amount> part() {
        if (below(2) == 0) return {};
        return static_cast<amount>(below(30)) - 1;
    }
    number authority() { return below(10) == 0 ? below(accounts) : issuer; }
    economy_model::right right() {
        economy_model::right made{authority(), {}};
        if (below(2) == 0) made.through = below(faucets.size());
        return made;
    }

  private:
    std::uint64_t state_;
};

inline warrant warrant_of(const economy_model::right& by) {
    if (!by.through) return player(by.authority);
    return {player(by.authority), faucet_id::of(faucets[*by.through])};
}

inline shm::row_key hold_key(number id) { return {id, 99}; }

/// The same operation on both; the real one's answer, and what it should be.
struct answers {
    result<> real;
    economy_model::answer expected;
};

}  // namespace perdure::tests::ledger_work

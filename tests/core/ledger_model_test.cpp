// SPDX-License-Identifier: Apache-2.0
//
// Claims of core/ledger.hpp, all operations together: random batches by three participants, refused
// operations in their midst, against the model of economy_model.hpp. Each answer is the model's;
// after each batch so is every balance, hold, item, faucet and supply (L1, L3, L4); a refused
// operation leaves no trace in a transaction that goes on; conservation by the engine's own audit.
#define BOOST_TEST_MODULE core_ledger_model
#include <rapidcheck.h>
#include <boost/test/unit_test.hpp>
#include <perdure/tests/core/open_ledger.hpp>
#include <perdure/tests/economy_model.hpp>
#include <perdure/tests/torture.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;
using number = economy_model::number;

constexpr number accounts = 9;  // And two that nobody opens.
constexpr number issuer = 0;
const std::array<asset_id, 4> assets{asset_id::of("gold"), asset_id::of("ore"),
                                     asset_id::of("sword"), asset_id::of("none")};
constexpr std::array<std::string_view, 5> faucets{"quests", "mines", "smithy", "tax", "nothing"};
constexpr number sword = 2;

/// One operation: what, and dice for everything it needs.
struct operation {
    std::uint32_t what;
    std::uint64_t seed;
};

void showValue(const operation& one, std::ostream& out) {  // NOLINT: rapidcheck's name
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

warrant warrant_of(const economy_model::right& by) {
    if (!by.through) return player(by.authority);
    return {player(by.authority), faucet_id::of(faucets[*by.through])};
}

shm::row_key hold_key(number id) { return {id, 99}; }

/// The same operation on both; the real one's answer, and what it should be.
struct answers {
    result<> real;
    economy_model::answer expected;
};

class economy {
  public:
    economy(const ledger& books, tx& by, economy_model& model)
        : books_(books), by_(by), model_(model) {}

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
        return {books_.transfer(by_, player(from), player(to), assets[asset], value),
                model_.transfer(from, to, asset, value)};
    }
    answers mint(dice& any) {
        const auto right = any.right();
        const auto to = any.account();
        const auto asset = any.asset();
        const auto value = any.value();
        const auto real = right.through ? books_.mint(by_, faucet_id::of(faucets[*right.through]),
                                                      player(right.authority), player(to), value)
                                        : books_.mint(by_, player(right.authority), player(to),
                                                      assets[asset], value);
        return {real, model_.mint(right, to, asset, value)};
    }
    answers burn(dice& any) {
        const auto right = any.right();
        const auto from = any.account();
        const auto asset = any.asset();
        const auto value = any.value();
        const auto real = right.through ? books_.burn(by_, faucet_id::of(faucets[*right.through]),
                                                      player(right.authority), player(from), value)
                                        : books_.burn(by_, player(right.authority), player(from),
                                                      assets[asset], value);
        return {real, model_.burn(right, from, asset, value)};
    }
    answers hold(dice& any) {
        const auto id = any.below(12);
        const auto account = any.account();
        const auto asset = any.asset();
        const auto value = any.value();
        return {books_.hold(by_, hold_key(id), player(account), assets[asset], value),
                model_.hold(id, account, asset, value)};
    }
    answers release(dice& any) {
        const auto id = any.below(12);
        const auto part = any.part();
        return {books_.release(by_, hold_key(id), part), model_.release(id, part)};
    }
    answers capture(dice& any) {
        const auto id = any.below(12);
        const auto target = any.account();
        const auto part = any.part();
        return {books_.capture(by_, hold_key(id), player(target), part),
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
        return {books_.post(by_, legs), model_.post(parts)};
    }
    answers create_item(dice& any) {
        const auto right = any.right();
        const auto asset = any.below(8) == 0 ? any.asset() : sword;
        const auto serial = any.below(40);
        const auto owner = any.account();
        return {books_.create_item(by_, warrant_of(right), {assets[asset], serial}, player(owner)),
                model_.create_item(right, asset, serial, owner)};
    }
    answers move_item(dice& any) {
        const auto serial = any.below(40);
        const auto asset = any.below(20) == 0 ? any.asset() : sword;
        const auto found = model_.items.find({asset, serial});
        const bool by_owner = found != model_.items.end() && any.below(4) != 0;
        const auto from = by_owner ? found->second.owner : any.account();
        const auto to = any.account();
        return {books_.move_item(by_, player(from), player(to), {assets[asset], serial}),
                model_.move_item(from, to, asset, serial)};
    }
    answers destroy_item(dice& any) {
        const auto right = any.right();
        const auto asset = any.below(8) == 0 ? any.asset() : sword;
        const auto serial = any.below(40);
        return {books_.destroy_item(by_, warrant_of(right), {assets[asset], serial}),
                model_.destroy_item(right, asset, serial)};
    }
    answers shard(dice& any) {
        const auto account = any.account();
        const auto asset = any.asset();
        const auto count = any.below(4) == 0 ? any.below(70) : number{1} << any.below(4);
        const auto shards = static_cast<std::uint32_t>(count);
        return {books_.shard(by_, player(account), assets[asset], shards),
                model_.shard(account, asset, shards)};
    }
    answers unshard(dice& any) {
        const auto account = any.account();
        const auto asset = any.asset();
        return {books_.unshard(by_, player(account), assets[asset]),
                model_.unshard(account, asset)};
    }
    answers freeze(dice& any) {
        const auto account = any.account();
        const auto until = any.below(4) == 0 ? forever : model_.now + any.below(4) - 1;
        return {books_.freeze(by_, player(account), until, {.reason = 7}),
                model_.freeze(account, until)};
    }
    answers unfreeze(dice& any) {
        const auto account = any.account();
        return {books_.unfreeze(by_, player(account), {}), model_.unfreeze(account)};
    }
    answers budget(dice& any) {
        const auto by = any.authority();
        const auto name = any.below(faucets.size());
        const auto budget = static_cast<amount>(any.below(300)) - 10;
        return {books_.set_budget(by_, player(by), faucet_id::of(faucets[name]), budget),
                model_.set_budget(by, name, budget)};
    }

    const ledger& books_;
    tx& by_;
    economy_model& model_;
};

struct compared : open_ledger {
    economy_model model;
    std::map<errc, std::uint64_t> refusals;
    std::uint64_t operations = 0;

    compared() {
        for (number i = 0; i < accounts; ++i) model.open_account(i);
        model.assets = {
            {0, {issuer, false, 0, 0}}, {1, {issuer, false, 0, 0}}, {2, {issuer, true, 0, 0}}};
        model.open_faucet(issuer, 0, {0, false, issuer, 100, 0});
        model.open_faucet(issuer, 1, {1, false, 3, 0, 0});
        model.open_faucet(issuer, 2, {2, false, issuer, 6, 0});
        model.open_faucet(issuer, 3, {0, true, issuer, 0, 0});
        const auto laid = by[0].write([&](tx& now) -> result<> {
            for (number i = 0; i < accounts; ++i) {
                PERDURE_TRY(books.open_account(now, player(i), account_kind::player));
            }
            PERDURE_TRY(books.create_asset(now, "gold", 2, player(issuer)));
            PERDURE_TRY(books.create_asset(now, "ore", 0, player(issuer)));
            PERDURE_TRY(books.create_asset(now, "sword", 0, player(issuer), unique));
            for (const auto& [name, its] : model.faucets) {
                const auto kind = its.is_sink ? faucet_kind::sink : faucet_kind::faucet;
                PERDURE_TRY(books.open_faucet(
                    now, player(issuer), faucets[name],
                    {kind, assets[its.asset], player(its.authority), its.budget}));
            }
            return {};
        });
        RC_ASSERT(laid.has_value());
    }

    /// One transaction, which is given up as a whole if `given_up`.
    void run(const std::vector<operation>& batch, std::size_t who, bool given_up) {
        economy_model after;
        std::map<errc, std::uint64_t> refused;
        std::string difference;
        const auto paid = by[who].write([&](tx& now) -> result<> {
            after = model;
            refused.clear();
            difference.clear();
            for (const auto& one : batch) {
                const auto both = economy(books, now, after).run(one);
                if (!both.real && both.real.error() == errc::conflict) return errc::conflict;
                const auto real = both.real ? errc{} : both.real.error();
                const auto expected = both.expected.value_or(errc{});
                if (real != expected) {
                    difference = "operation " + std::to_string(one.what) + ": " +
                                 std::string(name(real)) + " instead of " +
                                 std::string(name(expected));
                    return errc::garbled;
                }
                if (!both.real) ++refused[real];
            }
            return given_up ? result<>(errc::not_found) : result<>();
        });
        RC_ASSERT(difference == "");
        RC_ASSERT(paid.has_value() == !given_up);
        for (const auto& [code, times] : refused) refusals[code] += times;
        operations += batch.size();
        if (!given_up) model = after;
        compare();
    }

    void compare() {
        const auto same = by[0].read([&](view& seen) -> result<> {
            for (number who = 0; who < accounts; ++who) {
                for (number asset = 0; asset < 3; ++asset) {
                    const auto real = PERDURE_TRY(books.holding(seen, player(who), assets[asset]));
                    const auto found = model.positions.find({who, asset});
                    const auto ours = found == model.positions.end() ? position{} : found->second;
                    RC_ASSERT(real.available == ours.available);
                    RC_ASSERT(real.held == ours.held);
                }
                const auto row = PERDURE_TRY(books.account(seen, player(who)));
                RC_ASSERT(row.frozen_until == model.accounts.at(who));
            }
            for (const auto& [asset, its] : model.assets) {
                const auto row = PERDURE_TRY(books.asset(seen, assets[asset]));
                RC_ASSERT(row.minted == its.minted);
                RC_ASSERT(row.burned == its.burned);
                RC_ASSERT(row.supply == its.minted - its.burned);
            }
            for (const auto& [which, its] : model.faucets) {
                const auto row = PERDURE_TRY(books.faucet(seen, faucet_id::of(faucets[which])));
                RC_ASSERT(row.used == its.used);
                RC_ASSERT(row.budget == its.budget);
            }
            return compare_kept(seen);
        });
        RC_ASSERT(same.has_value());
    }

    /// What stands under a key of its own: holds and items.
    result<> compare_kept(view& seen) {
        for (number id = 0; id < 12; ++id) {
            const auto row = books.held(seen, hold_key(id));
            const auto found = model.holds.find(id);
            if (!row && row.error() == errc::conflict) return errc::conflict;
            RC_ASSERT(row.has_value() == (found != model.holds.end()));
            if (!row) continue;
            RC_ASSERT(row->amount == found->second.left);
            RC_ASSERT(row->account == shm_words(found->second.account));
        }
        for (const auto& [key, its] : model.items) {
            const auto row = books.item(seen, {assets[key.first], key.second});
            if (!row && row.error() == errc::conflict) return errc::conflict;
            RC_ASSERT(row.has_value() == !its.is_destroyed);
            if (row) RC_ASSERT(row->owner == shm_words(its.owner));
        }
        return {};
    }
    static account_words shm_words(number who) { return {player(who).high, player(who).low}; }
};

BOOST_AUTO_TEST_CASE(the_whole_ledger_is_what_a_child_would_write) {
    const int batches = is_torture() ? 5000 : 160;
    std::map<errc, std::uint64_t> refusals;
    std::uint64_t operations = 0;
    const auto one = rc::gen::map(
        rc::gen::pair(rc::gen::inRange<std::uint32_t>(0, 26), rc::gen::arbitrary<std::uint64_t>()),
        [](const auto& drawn) {
            return operation{drawn.first, drawn.second};
        });
    const bool held = rc::check("the ledger against a model", [&] {
        compared here;
        const int turns = *rc::gen::resize(rc::kNominalSize, rc::gen::inRange(1, batches));
        for (int turn = 0; turn < turns; ++turn) {
            const auto count = static_cast<std::size_t>(
                *rc::gen::resize(rc::kNominalSize, rc::gen::inRange(1, 10)));
            const auto batch = *rc::gen::container<std::vector<operation>>(count, one);
            here.run(batch, *rc::gen::inRange<std::size_t>(0, 3), *rc::gen::inRange(0, 8) == 0);
            here.clock.now = here.model.now += *rc::gen::inRange<std::uint64_t>(0, 2);
        }
        RC_ASSERT(here.faults() == "");
        for (const auto& [code, times] : here.refusals) refusals[code] += times;
        operations += here.operations;
    });
    BOOST_TEST(held);
    BOOST_TEST_MESSAGE(operations << " operations");
    for (const auto& [code, times] : refusals) BOOST_TEST_MESSAGE(name(code) << " " << times);
    BOOST_TEST(operations >= (is_torture() ? 1'000'000U : 5'000U));
    // Every refusal of the ledger was met; overflow is of faucets and supplies.
    for (const auto code : {errc::unknown_account, errc::unknown_asset, errc::insufficient_funds,
                            errc::overflow,        errc::bad_amount,    errc::same_account,
                            errc::not_authorised,  errc::unknown_hold,  errc::too_many_legs,
                            errc::unknown_faucet,  errc::wrong_faucet,  errc::budget_exceeded,
                            errc::account_frozen,  errc::unknown_item,  errc::serial_required,
                            errc::not_unique,      errc::not_owner,     errc::bad_shards,
                            errc::unbalanced,      errc::exists,        errc::not_found}) {
        BOOST_TEST(refusals[code] != 0U, name(code));
    }
}

}  // namespace

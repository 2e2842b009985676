// SPDX-License-Identifier: Apache-2.0
//
// Claims of core/ledger.hpp: each operation and each refusal it lists; L1, L2; conservation against
// closures that cheat; 5,000 random operations against a ledger of std::map.
#include <boost/test/unit_test.hpp>
#include <map>
#include <perdure/tests/core/scene.hpp>
#include <random>

namespace {

using namespace perdure;
using namespace perdure::tests;

struct open_scene : scene {
    world in = open();
    session by = in.join();
    const ledger& books = in.books();

    open_scene() { found(in, by, 4, 1000); }

    template <class Closure>
    result<receipt> write(Closure&& closure) {
        return by.write(std::forward<Closure>(closure));
    }
    /// The error of one ledger operation as a transaction of its own; nothing when it committed.
    template <class Closure>
    std::optional<errc> refusal(Closure&& closure) {
        const auto answer = by.write([&](tx& now) -> result<> {
            PERDURE_TRY(closure(now));
            return {};
        });
        if (answer) return std::nullopt;
        return answer.error();
    }
    amount balance(std::uint64_t who) { return balance_of(in, by, player(who)).value(); }
    asset_row unit() {
        return by.read([&](view& seen) { return books.asset(seen, gold); }).value();
    }
};

BOOST_FIXTURE_TEST_CASE(a_transfer_moves_value_and_nothing_else, open_scene) {
    BOOST_TEST(pay(in, by, 0, 1, 300).has_value());
    BOOST_TEST(balance(0) == 700);
    BOOST_TEST(balance(1) == 1300);
    BOOST_TEST(balance(2) == 1000);
    BOOST_TEST(unit().supply == 4000);
}

BOOST_FIXTURE_TEST_CASE(mint_and_burn_move_the_supply, open_scene) {
    BOOST_TEST(
        write([&](tx& now) { return books.mint(now, treasury, player(0), gold, 50); }).has_value());
    BOOST_TEST(
        write([&](tx& now) { return books.burn(now, treasury, player(1), gold, 20); }).has_value());
    const auto row = unit();
    BOOST_TEST(row.minted == 4050);
    BOOST_TEST(row.burned == 20);
    BOOST_TEST(row.supply == 4030);
    BOOST_TEST(balance(0) == 1050);
    BOOST_TEST(balance(1) == 980);
    BOOST_TEST(in.verify(by).sound);
}

BOOST_FIXTURE_TEST_CASE(every_refusal_of_a_transfer_has_its_name_and_changes_nothing, open_scene) {
    const auto before = in.verify(by);
    const auto nobody = account_id::of("nobody");
    const auto refused = [&](account_id from, account_id to, asset_id what, amount value) {
        return refusal([&](tx& now) { return books.transfer(now, from, to, what, value); });
    };
    BOOST_TEST((refused(player(0), player(1), gold, 0) == errc::bad_amount));
    BOOST_TEST((refused(player(0), player(1), gold, -5) == errc::bad_amount));
    BOOST_TEST((refused(player(0), player(0), gold, 5) == errc::same_account));
    BOOST_TEST((refused(nobody, player(0), gold, 5) == errc::unknown_account));
    BOOST_TEST((refused(player(0), nobody, gold, 5) == errc::unknown_account));
    BOOST_TEST((refused(player(0), player(1), asset_id::of("iron"), 5) == errc::unknown_asset));
    BOOST_TEST((refused(player(0), player(1), asset_id{}, 5) == errc::unknown_asset));
    BOOST_TEST((refused(player(0), player(1), gold, 1001) == errc::insufficient_funds));
    BOOST_TEST((refused(treasury, player(1), gold, 1) == errc::insufficient_funds));
    const auto after = in.verify(by);
    BOOST_TEST(before.image_hash == after.image_hash);
    BOOST_TEST(before.last_lsn == after.last_lsn);
}

BOOST_FIXTURE_TEST_CASE(every_refusal_of_the_rest_has_its_name_and_changes_nothing, open_scene) {
    const auto before = in.verify(by);
    const auto nobody = account_id::of("nobody");
    const auto minted = [&](account_id who, account_id to, asset_id what, amount value) {
        return refusal([&](tx& now) { return books.mint(now, who, to, what, value); });
    };
    const auto burned = [&](account_id who, account_id from, amount value) {
        return refusal([&](tx& now) { return books.burn(now, who, from, gold, value); });
    };
    BOOST_TEST((minted(player(0), player(0), gold, 1) == errc::not_authorised));
    BOOST_TEST((minted(treasury, player(0), gold, 0) == errc::bad_amount));
    BOOST_TEST((minted(treasury, nobody, gold, 1) == errc::unknown_account));
    BOOST_TEST((minted(treasury, player(0), asset_id::of("iron"), 1) == errc::unknown_asset));
    BOOST_TEST((minted(treasury, player(0), gold, INT64_MAX) == errc::overflow));
    BOOST_TEST((burned(player(0), player(0), 1) == errc::not_authorised));
    BOOST_TEST((burned(treasury, player(0), -1) == errc::bad_amount));
    BOOST_TEST((burned(treasury, nobody, 1) == errc::unknown_account));
    BOOST_TEST((burned(treasury, player(0), 1001) == errc::insufficient_funds));
    const auto asset = [&](std::string_view code, std::uint32_t scale) {
        return refusal([&](tx& now) { return books.create_asset(now, code, scale, treasury); });
    };
    BOOST_TEST((asset("gold", 2) == errc::exists));
    BOOST_TEST((asset("iron", 19) == errc::bad_amount));
    BOOST_TEST((asset("", 2) == errc::unknown_asset));
    BOOST_TEST((asset("seventeen letters", 2) == errc::unknown_asset));
    const auto again =
        refusal([&](tx& now) { return books.open_account(now, player(0), account_kind::player); });
    BOOST_TEST((again == errc::exists));
    BOOST_TEST(balance_of(in, by, nobody).error() == errc::unknown_account);
    const auto iron =
        by.read([&](view& seen) { return books.balance(seen, player(0), asset_id::of("iron")); });
    BOOST_TEST(iron.error() == errc::unknown_asset);
    BOOST_TEST(balance_of(in, by, treasury).value() == 0);
    BOOST_TEST(before.image_hash == in.verify(by).image_hash);
}

BOOST_FIXTURE_TEST_CASE(a_balance_never_leaves_int64, open_scene) {
    const amount most = INT64_MAX - 4000;
    BOOST_TEST(!refusal([&](tx& now) { return books.mint(now, treasury, player(0), gold, most); }));
    BOOST_TEST((refusal([&](tx& now) { return books.mint(now, treasury, player(1), gold, 1); }) ==
                errc::overflow));
    BOOST_TEST(pay(in, by, 0, 1, most).has_value());
    BOOST_TEST(balance(1) == most + 1000);
    BOOST_TEST(in.verify(by).sound);
}

BOOST_FIXTURE_TEST_CASE(value_made_or_lost_by_hand_is_unbalanced, open_scene) {
    const auto before = in.verify(by);
    for (const amount difference : {amount{1}, amount{-1}, amount{1'000'000}}) {
        const auto cheated = refusal([&](tx& now) -> result<> {
            auto* row = PERDURE_TRY(
                shm::edit_key<balance_row>(now, books.numbers().balances, key_of(player(0), gold)));
            row->available += difference;
            return {};
        });
        BOOST_TEST((cheated == errc::unbalanced));
    }
    // Value may not change its kind either, nor vanish with its row.
    const auto recoined = refusal([&](tx& now) -> result<> {
        auto* row = PERDURE_TRY(
            shm::edit_key<balance_row>(now, books.numbers().balances, key_of(player(0), gold)));
        row->asset = asset_id::of("iron").value;
        return {};
    });
    BOOST_TEST((recoined == errc::unbalanced));
    const auto erased = refusal([&](tx& now) {
        return shm::erase_key(now, books.numbers().balances, key_of(player(0), gold));
    });
    BOOST_TEST((erased == errc::unbalanced));
    BOOST_TEST(before.image_hash == in.verify(by).image_hash);
}

BOOST_FIXTURE_TEST_CASE(what_a_transaction_makes_it_can_use_at_once, open_scene) {
    const auto paid = write([&](tx& now) -> result<> {
        const auto bob = PERDURE_TRY(books.open_account(now, "bob", account_kind::agent));
        PERDURE_TRY(books.create_asset(now, "iron", 0, bob));
        const auto iron = asset_id::of("iron");
        PERDURE_TRY(books.mint(now, bob, bob, iron, 10));
        PERDURE_TRY(books.transfer(now, bob, player(3), iron, 4));
        PERDURE_TRY(books.transfer(now, player(3), bob, iron, 1));
        if (PERDURE_TRY(books.balance(now, bob, iron)) != 7) return errc::garbled;
        return {};
    });
    BOOST_TEST_REQUIRE(paid.has_value());
    const auto left =
        by.read([&](view& seen) { return books.balance(seen, player(3), asset_id::of("iron")); });
    BOOST_TEST(left.value() == 3);
    BOOST_TEST(in.verify(by).sound);
}

/// One transfer under a key; the receipt it answers, and whether it was made before.
std::pair<receipt, bool> keyed_pay(world& in, session& by, std::uint64_t key, amount value) {
    std::optional<receipt> before;
    const auto paid = by.write([&](tx& now) -> result<> {
        before = PERDURE_TRY(in.books().once(now, {key, 77}));
        if (before) return {};
        return in.books().transfer(now, player(0), player(1), gold, value);
    });
    return {before ? *before : paid.value(), before.has_value()};
}

BOOST_FIXTURE_TEST_CASE(a_key_is_good_for_one_commit_for_everybody_and_for_ever, open_scene) {
    const auto [first, known] = keyed_pay(in, by, 5, 100);
    BOOST_TEST(!known);
    BOOST_TEST(first.lsn != 0U);
    const auto image = in.verify(by).image_hash;
    const auto [second, known_now] = keyed_pay(in, by, 5, 100);
    BOOST_TEST(known_now);
    BOOST_TEST(second.lsn == first.lsn);
    auto other = in.join();
    BOOST_TEST(keyed_pay(in, other, 5, 7).first.lsn == first.lsn);
    BOOST_TEST(in.verify(by).image_hash == image);
    BOOST_TEST(balance(1) == 1100);
    BOOST_TEST(!keyed_pay(in, by, 6, 1).second);
    BOOST_TEST(in.wait(by, second, durability::durable).has_value());
}

BOOST_FIXTURE_TEST_CASE(a_refused_transaction_leaves_its_key_free, open_scene) {
    BOOST_TEST((refusal([&](tx& now) -> result<> {
                    PERDURE_TRY(books.once(now, {9, 77}));
                    return books.transfer(now, player(0), player(1), gold, 5000);
                }) == errc::insufficient_funds));
    BOOST_TEST(!keyed_pay(in, by, 9, 10).second);
    BOOST_TEST(balance(1) == 1010);
}

BOOST_AUTO_TEST_CASE(a_key_outlives_the_region) {
    scene where;
    receipt first;
    {
        auto in = where.open();
        auto by = in.join();
        found(in, by, 2, 1000);
        first = keyed_pay(in, by, 5, 100).first;
        BOOST_TEST(in.wait(by, first, durability::durable).has_value());
    }
    where.delete_region();
    auto in = where.open();
    auto by = in.join();
    BOOST_TEST(in.opened().recovered);
    const auto [again, known] = keyed_pay(in, by, 5, 100);
    BOOST_TEST(known);
    BOOST_TEST(again.lsn == first.lsn);
    BOOST_TEST(in.wait(by, again, durability::durable).has_value());
    BOOST_TEST(balance_of(in, by, player(1)).value() == 1100);
}

/// The ledger as a child would write it.
struct simple_ledger {
    std::map<std::uint64_t, amount> balances;
    amount supply = 0;

    std::optional<errc> transfer(std::uint64_t from, std::uint64_t to, amount value) {
        if (value <= 0) return errc::bad_amount;
        if (from == to) return errc::same_account;
        if (!balances.contains(from) || !balances.contains(to)) return errc::unknown_account;
        if (balances[from] < value) return errc::insufficient_funds;
        balances[from] -= value;
        balances[to] += value;
        return std::nullopt;
    }
    std::optional<errc> move_supply(std::uint64_t who, amount value, bool up) {
        if (value <= 0) return errc::bad_amount;
        if (!balances.contains(who)) return errc::unknown_account;
        if (!up && balances[who] < value) return errc::insufficient_funds;
        balances[who] += up ? value : -value;
        supply += up ? value : -value;
        return std::nullopt;
    }
    std::optional<errc> open(std::uint64_t who) {
        if (!balances.try_emplace(who, 0).second) return errc::exists;
        return std::nullopt;
    }
};

BOOST_FIXTURE_TEST_CASE(five_thousand_random_operations_agree_with_a_map, open_scene) {
    constexpr unsigned seed = 11;
    std::mt19937_64 random(seed);
    simple_ledger model{{{0, 1000}, {1, 1000}, {2, 1000}, {3, 1000}}, 4000};
    std::map<std::optional<errc>, int> answers;
    for (int turn = 0; turn < 5000; ++turn) {
        const auto who = random() % 80;
        const auto other = random() % 80;
        const auto value = static_cast<amount>(random() % 400) - 20;
        const auto what = random() % 10;
        std::optional<errc> expected;
        const auto got = refusal([&](tx& now) -> result<> {
            if (what == 0) return books.mint(now, treasury, player(who), gold, value);
            if (what == 1) return books.burn(now, treasury, player(who), gold, value);
            if (what != 2) return books.transfer(now, player(who), player(other), gold, value);
            PERDURE_TRY(books.open_account(now, player(who), account_kind::player));
            return {};
        });
        if (what < 2) {
            expected = model.move_supply(who, value, what == 0);
        } else {
            expected = what == 2 ? model.open(who) : model.transfer(who, other, value);
        }
        BOOST_TEST_REQUIRE((got == expected), "seed " << seed << ", operation " << turn);
        ++answers[got];
    }
    for (const auto& [who, value] : model.balances) BOOST_TEST(balance(who) == value);
    BOOST_TEST(unit().supply == model.supply);
    BOOST_TEST(in.verify(by).sound);
    BOOST_TEST(answers.size() == 6U);  // Committed, and the five refusals a model has.
    for (const auto& [answer, times] : answers) BOOST_TEST(times >= 20);
}

}  // namespace

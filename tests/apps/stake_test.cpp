// SPDX-License-Identifier: Apache-2.0
//
// Claims of apps/cli/stake_pay.cpp: what is due is paid once however often it is asked for, more
// stakes than one transaction takes among them; what cannot be paid is listed, told once and paid
// when there are funds; it ends with 1 while something is refused.
#include <boost/test/unit_test.hpp>
#include <perdure/apps/cli/stake.hpp>
#include <perdure/tests/core/scene.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;

constexpr std::uint64_t one_day = 86'400'000'000'000;
constexpr std::uint64_t holders = 300;  // More than two transactions.
const auto vault = programme_id::of("vault");
const auto bank = account_id::of("bank");

struct staked_world : scene {
    staked_world() {
        auto in = open();
        auto by = in.join();
        found(in, by, 0, 0);
        const auto& books = in.books();
        const auto laid = by.write([&](tx& now) -> result<> {
            PERDURE_TRY(books.open_account(now, "bank", account_kind::treasury));
            PERDURE_TRY(books.mint(now, treasury, bank, gold, 1'000));
            PERDURE_TRY(in.stakes().open_programme(
                now, "vault",
                {gold,
                 {50'000'000, one_day, year_ns_standard, yield_method::simple},
                 treasury,
                 bank}));
            return in.clock().set(now, {3'600'000'000'000, missed_policy::exact, 0});
        });
        BOOST_TEST_REQUIRE(laid.has_value());
        for (std::uint64_t i = 0; i < holders; ++i) {
            const auto made = by.write([&](tx& now) -> result<> {
                PERDURE_TRY(books.open_account(now, player(i), account_kind::player));
                PERDURE_TRY(books.mint(now, treasury, player(i), gold, 100'000));
                PERDURE_TRY(in.stakes().stake(now, vault, player(i), 1, 100'000));
                return {};
            });
            BOOST_TEST_REQUIRE(made.has_value());
        }
        order.where.directory = directory();
        order.where.assignments = {"region.directory=" + memory(), "region.capacity=64MiB",
                                   "region.ring=256KiB", "region.undo=32KiB", "region.slots=8"};
        order.where.json = true;
    }

    void pass_days(std::uint64_t days) {
        auto in = open();
        auto by = in.join();
        const auto passed =
            by.write([&](tx& now) { return in.clock().advance(now, {.ticks = 24 * days}); });
        BOOST_TEST_REQUIRE(passed.has_value());
    }
    programme_row row() {
        auto in = open();
        auto by = in.join();
        return by.read([&](view& seen) { return in.stakes().programme(seen, vault); }).value();
    }
    amount in_bank() {
        auto in = open();
        auto by = in.join();
        return balance_of(in, by, bank).value();
    }

    apps::stake_order order;
};

BOOST_FIXTURE_TEST_CASE(what_is_due_is_paid_once_and_what_cannot_be_is_paid_later, staked_world) {
    BOOST_TEST(apps::stake_pay(order) == apps::exit_done);  // Nothing is due.
    BOOST_TEST(row().distributed == 0);
    pass_days(1);
    // 300 times 0.13, of which the bank has 10.00.
    BOOST_TEST(apps::stake_pay(order) == apps::exit_refused);
    BOOST_TEST(row().distributed == 76 * 13);
    BOOST_TEST(in_bank() == 1'000 - 76 * 13);
    BOOST_TEST(row().refused == holders - 76);
    BOOST_TEST(apps::stake_pay(order) == apps::exit_refused);
    BOOST_TEST(row().refused == holders - 76);  // Told once.
    {
        auto in = open();
        auto by = in.join();
        const auto more = by.write(
            [&](tx& now) { return in.books().mint(now, treasury, bank, gold, 100'000'000); });
        BOOST_TEST_REQUIRE(more.has_value());
    }
    pass_days(364);
    BOOST_TEST(apps::stake_pay(order) == apps::exit_done);
    BOOST_TEST(row().distributed == holders * 5'000);
    BOOST_TEST(apps::stake_pay(order) == apps::exit_done);
    BOOST_TEST(row().distributed == holders * 5'000);
    auto in = open();
    auto by = in.join();
    for (std::uint64_t i = 0; i < holders; ++i) {
        BOOST_TEST(balance_of(in, by, player(i)).value() == 5'000);
    }
    BOOST_TEST(in.verify(by).sound);
}

}  // namespace

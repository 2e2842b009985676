// SPDX-License-Identifier: Apache-2.0
//
// Claims of shm/stripe and shm/reads: an owned word lets nothing validate, every release raises the
// version, only the owner releases, and an owner that cannot be is not followed.
#include <boost/test/unit_test.hpp>
#include <perdure/tests/shm/open_bank.hpp>
#include <set>
#include <thread>

namespace {

using namespace perdure;
using namespace perdure::shm;
using namespace perdure::tests;

BOOST_AUTO_TEST_CASE(a_taken_stripe_is_not_taken_again) {
    open_bank bank;
    BOOST_TEST(take_stripe(bank.where, 9, 1));
    BOOST_TEST(!take_stripe(bank.where, 9, 2));
    BOOST_TEST(!take_stripe(bank.where, 9, 1));
    BOOST_TEST(owner_of(bank.where.stripe(9)) == 1U);
    release_stripe(bank.where, 9, 1);
    BOOST_TEST(take_stripe(bank.where, 9, 2));
    release_stripe(bank.where, 9, 2);
}

BOOST_AUTO_TEST_CASE(every_release_raises_the_version_and_clears_the_mark) {
    open_bank bank;
    auto& stripe = bank.where.stripe(9);
    for (std::uint64_t turn = 0; turn < 3; ++turn) {
        const auto before = version_of(stripe);
        BOOST_REQUIRE(take_stripe(bank.where, 9, 1));
        BOOST_TEST(version_of(stripe) == before);
        stripe |= stripe_waiters;
        release_stripe(bank.where, 9, 1);
        BOOST_TEST(version_of(stripe) == before + 1);
        BOOST_TEST((stripe & stripe_waiters) == 0U);
    }
}

BOOST_AUTO_TEST_CASE(only_the_owner_releases) {
    open_bank bank;
    BOOST_REQUIRE(take_stripe(bank.where, 9, 2));
    const auto before = bank.where.stripe(9);
    release_stripe(bank.where, 9, 1);
    BOOST_TEST(bank.where.stripe(9) == before);
    release_stripe(bank.where, 9, 2);
    const auto after = bank.where.stripe(9);
    release_stripe(bank.where, 9, 2);
    BOOST_TEST(bank.where.stripe(9) == after);
}

BOOST_AUTO_TEST_CASE(neighbours_lie_apart) {
    std::set<std::uint32_t> pages;
    for (std::uint64_t row = 0; row < 64; ++row) pages.insert(stripe_of(5, row) / 8);
    BOOST_TEST(pages.size() > 60U);
    BOOST_TEST(stripe_of(5, 1) != stripe_of(6, 1));
}

BOOST_AUTO_TEST_CASE(a_wait_for_a_stripe_ends_when_it_is_released) {
    open_bank bank;
    BOOST_REQUIRE(take_stripe(bank.where, 9, 1));
    std::thread waiter([&] {
        while (owner_of(load(bank.where.stripe(9))) == 1) wait_stripe(bank.where, 9, 1);
    });
    release_stripe(bank.where, 9, 1);
    waiter.join();
    BOOST_TEST(owner_of(bank.where.stripe(9)) == 0U);
}

BOOST_AUTO_TEST_CASE(a_copy_made_under_a_changed_version_does_not_validate) {
    open_bank bank(2);
    const auto row = bank.row_of(0).value();
    const auto stripe = stripe_of(bank.in.accounts, row);
    const auto at = locate(bank.where, bank.in.accounts, row);
    reads noted(bank.where, 0);
    account_row copy;
    BOOST_REQUIRE(noted.copy(at, sizeof copy, stripe, &copy).has_value());
    BOOST_TEST(noted.validate());
    // Owned by somebody: nothing validates, though the version is the same.
    BOOST_REQUIRE(take_stripe(bank.where, stripe, 3));
    BOOST_TEST(!noted.validate());
    release_stripe(bank.where, stripe, 3);
    BOOST_TEST(!noted.validate());
}

BOOST_AUTO_TEST_CASE(a_later_copy_is_refused_when_an_earlier_one_is_stale) {
    open_bank bank(2);
    reads noted(bank.where, 0);
    account_row copy;
    std::array<std::uint64_t, 2> rows{bank.row_of(0).value(), bank.row_of(1).value()};
    const auto look = [&](std::uint64_t row) {
        return noted.copy(locate(bank.where, bank.in.accounts, row), sizeof copy,
                          stripe_of(bank.in.accounts, row), &copy);
    };
    BOOST_REQUIRE(look(rows[0]).has_value());
    BOOST_REQUIRE(transfer(bank.self, bank.in, 0, 1, 1).has_value());
    BOOST_CHECK(look(rows[1]).error() == errc::conflict);
}

BOOST_AUTO_TEST_CASE(an_owner_out_of_range_is_garbled_for_readers_and_writers) {
    open_bank bank(2);
    const auto stripe = stripe_of(bank.in.accounts, bank.row_of(0).value());
    bank.where.stripe(stripe) |= 0xfff0;
    const auto until = deadline::in(std::chrono::seconds(1));
    const auto paid =
        bank.self.write([&](transaction& tx) { return move(tx, bank.in, 0, 1, 1); }, until);
    BOOST_CHECK(paid.error() == errc::garbled);
    BOOST_CHECK(bank.look_at(0).error() == errc::garbled);
    bank.where.stripe(stripe) &= ~stripe_owner_mask;
    BOOST_TEST(transfer(bank.self, bank.in, 0, 1, 1).has_value());
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(a_living_owner_stalls_a_writer_at_its_deadline) {
    open_bank bank(2);
    const auto stripe = stripe_of(bank.in.accounts, bank.row_of(0).value());
    auto other = participant::join(bank.where).value();
    BOOST_REQUIRE(take_stripe(bank.where, stripe, other.owner()));
    const auto paid = bank.self.write([&](transaction& tx) { return move(tx, bank.in, 0, 1, 1); },
                                      deadline::in(std::chrono::milliseconds(20)));
    BOOST_CHECK(paid.error() == errc::stalled);
    release_stripe(bank.where, stripe, other.owner());
    BOOST_TEST(transfer(bank.self, bank.in, 0, 1, 1).has_value());
    BOOST_TEST(bank.faults() == "");
}

}  // namespace

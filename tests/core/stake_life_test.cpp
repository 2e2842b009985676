// SPDX-License-Identifier: Apache-2.0
//
// Claims of core/stake.hpp where processes die: two of them pay whatever is due at the same time,
// each is killed again and again, world time goes on, the region is lost and recovered from the
// journal; what every stake was paid is the closed form to the minor unit, and what the treasury
// has lost. A world of an earlier build gets the tables at its next opening.
#include <boost/test/unit_test.hpp>
#include <perdure/core/event_declaration.hpp>
#include <perdure/io/opening.hpp>
#include <perdure/tests/core/scene.hpp>
#include <random>

namespace {

using namespace perdure;
using namespace perdure::tests;

constexpr std::uint64_t hour_ns = 3'600'000'000'000;
constexpr std::uint64_t holders = 12;
const auto vault = programme_id::of("vault");
const auto cellar = programme_id::of("cellar");

yield_terms terms_of(programme_id which) {
    return {90'000'000, hour_ns, year_ns_standard,
            which == vault ? yield_method::simple : yield_method::compound};
}

void lay(world& in, session& by) {
    found(in, by, holders, 1'000'000'000);
    const auto laid = by.write([&](tx& now) -> result<> {
        const auto& books = in.books();
        const auto bank = PERDURE_TRY(books.open_account(now, "bank", account_kind::treasury));
        PERDURE_TRY(books.mint(now, treasury, bank, gold, 1'000'000'000'000));
        PERDURE_TRY(
            in.stakes().open_programme(now, "vault", {gold, terms_of(vault), treasury, bank}));
        PERDURE_TRY(
            in.stakes().open_programme(now, "cellar", {gold, terms_of(cellar), treasury, bank}));
        for (std::uint64_t i = 0; i < holders; ++i) {
            PERDURE_TRY(in.stakes().stake(now, i % 2 == 0 ? vault : cellar, player(i), 7,
                                          static_cast<amount>(12'345'678 + 1'000'003 * i)));
        }
        return in.clock().set(now, {hour_ns, missed_policy::exact, 0});
    });
    BOOST_TEST_REQUIRE(laid.has_value());
}

stake_id holder(std::uint64_t number) {
    return stake_id::of(number % 2 == 0 ? vault : cellar, player(number), 7);
}

/// Pays what is due, one period or all, and lets world time go on; until it is killed.
int pay_for_ever(const scene& where, std::uint64_t seed) {
    auto in = where.open();
    auto by = in.join();
    std::mt19937_64 random(seed);
    for (;;) {
        const auto which = holder(random() % holders);
        const auto done = by.write([&](tx& now) -> result<> {
            if (random() % 4 == 0)
                PERDURE_TRY(in.clock().advance(now, {.ticks = 1 + random() % 5}));
            const auto due = PERDURE_TRY(in.stakes().due(now, which));
            if (due.from == due.to) return {};
            const auto to = random() % 2 == 0 ? due.to : due.from + 1;
            PERDURE_TRY(in.stakes().pay(now, which, due.from, to));
            return {};
        });
        if (!done) return 1;
    }
}

/// "" when every stake was paid exactly what is owed.
std::string faults(world& in, session& by) {
    amount sum = 0;
    for (std::uint64_t i = 0; i < holders; ++i) {
        const auto row =
            by.read([&](view& seen) { return in.stakes().read(seen, holder(i)); }).value();
        const auto terms = terms_of(i % 2 == 0 ? vault : cellar);
        const auto right = owed(terms, growth_of(terms), row.principal, row.periods_paid).value();
        if (row.paid != right) return "stake " + std::to_string(i) + " was paid too much or little";
        sum += row.paid;
        const bool stays = terms.method == yield_method::compound;
        if (row.staked != row.principal + (stays ? row.paid : 0)) return "the stake is another";
        if (balance_of(in, by, player(i)).value() !=
            1'000'000'000 - row.principal + (stays ? 0 : row.paid)) {
            return "the account has something else";
        }
    }
    if (balance_of(in, by, account_id::of("bank")).value() != 1'000'000'000'000 - sum) {
        return "the treasury has paid something else";
    }
    return {};
}

std::uint64_t periods_paid(world& in, session& by) {
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < holders; ++i) {
        sum += by.read([&](view& seen) { return in.stakes().read(seen, holder(i)); })
                   .value()
                   .periods_paid;
    }
    return sum;
}

BOOST_AUTO_TEST_CASE(nobody_is_paid_twice_whoever_is_killed) {
    scene where;
    {
        auto in = where.open();
        auto by = in.join();
        lay(in, by);
    }
    std::uint64_t before = 0;
    for (std::uint64_t turn = 0; turn < 12; ++turn) {
        {
            child one([&] { return pay_for_ever(where, 2 * turn); });
            child other([&] { return pay_for_ever(where, 2 * turn + 1); });
            ::usleep(static_cast<useconds_t>(40'000 + turn * 7'000));
            BOOST_TEST(one.kill() == 128 + SIGKILL);
            ::usleep(10'000);
            BOOST_TEST(other.kill() == 128 + SIGKILL);
        }
        auto in = where.open();
        auto by = in.join();
        BOOST_TEST_REQUIRE(faults(in, by) == "");
        const auto seen = in.verify(by);
        BOOST_TEST(seen.sound);
        BOOST_TEST(seen.conserved);
        const auto paid = periods_paid(in, by);
        BOOST_TEST(paid >= before);
        before = paid;
        if (turn % 4 == 3) {
            const auto last = by.write([&](tx& now) { return in.clock().advance(now, {}); });
            BOOST_TEST_REQUIRE(in.wait(by, last.value(), durability::durable).has_value());
            const auto rows = in.verify(by).state_hash;
            where.delete_region();
            auto again = where.open();
            auto with = again.join();
            BOOST_TEST(again.opened().recovered);
            BOOST_TEST(again.verify(with).state_hash == rows);
            BOOST_TEST(faults(again, with) == "");
        }
    }
    BOOST_TEST(before > 1'000U);
    BOOST_TEST_MESSAGE(before << " periods were paid");
}

/// The same payout sent again by somebody who did not hear the answer.
BOOST_AUTO_TEST_CASE(a_payout_that_is_sent_again_pays_nothing) {
    scene where;
    auto in = where.open();
    auto by = in.join();
    lay(in, by);
    const auto send = [&](world& to, session& with) {
        return with.write([&](tx& now) -> result<> {
            PERDURE_TRY(to.stakes().pay(now, holder(0), 0, 10));
            return {};
        });
    };
    BOOST_TEST(
        by.write([&](tx& now) { return in.clock().advance(now, {.ticks = 24}); }).has_value());
    const auto first = send(in, by);
    BOOST_TEST_REQUIRE(first.has_value());
    BOOST_TEST((send(in, by).error() == errc::out_of_step));
    BOOST_TEST_REQUIRE(in.wait(by, first.value(), durability::durable).has_value());
    where.delete_region();
    auto again = where.open();
    auto with = again.join();
    BOOST_TEST((send(again, with).error() == errc::out_of_step));
    BOOST_TEST(faults(again, with) == "");
}

/// What a build without stakes laid.
void lay_without_stakes(shm::region& fresh) {
    auto by = session::join(fresh, nullptr).value();
    static_cast<void>(ledger::open(by).value());
    static_cast<void>(documents::open(by).value());
    auto known = economy_events();
    std::erase_if(known, [](const auto& each) { return each.type >= 30 && each.type <= 36; });
    static_cast<void>(event_catalogue::open(by, known).value());
    static_cast<void>(open_cursors(by).value());
    static_cast<void>(world_clock::open(by).value());
}

BOOST_AUTO_TEST_CASE(a_world_of_an_earlier_build_gets_the_tables) {
    scene where;
    const auto sizes = where.options();
    {
        io::kernel_calls calls;
        io::file_system files(calls);
        io::opening_options how;
        how.region_directory = sizes.region_directory;
        how.region.capacity_bytes = sizes.capacity_bytes;
        how.region.ring_bytes = sizes.ring_bytes;
        how.region.undo_bytes = sizes.undo_bytes;
        how.region.slot_count = sizes.slot_count;
        io::opening_report report;
        const auto old = io::open_world(files, where.directory(), how, report, lay_without_stakes);
        BOOST_TEST_REQUIRE(!shm::find_table(*old, std::string("stakes")).has_value());
    }
    auto in = where.open();
    auto by = in.join();
    lay(in, by);
    BOOST_TEST(faults(in, by) == "");
    BOOST_TEST((in.events().has(stake_events())));
    BOOST_TEST(in.verify(by).sound);
    const auto lsn = in.status().last_lsn;
    const auto again = where.open();
    BOOST_TEST(again.status().last_lsn == lsn);  // Opened again, it gains nothing.
}

}  // namespace

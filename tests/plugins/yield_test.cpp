// SPDX-License-Identifier: Apache-2.0
//
// Claims of plugins/yield: every period of every stake is paid once, whoever is killed, upgraded
// or away, and what was paid in all is the closed form of core/stake_yield.hpp, to the minor unit;
// what a treasury cannot pay is told, and paid once when it can.
#include <perdure/core/stake_yield.hpp>
#include <perdure/tests/plugins/kept_stage.hpp>
#include <random>

namespace {

using namespace perdure;
using namespace perdure::tests;

constexpr auto* yield_id = "org.perdure.yield";
constexpr std::uint64_t second = 1'000'000'000;
const account_id purse = account_id::of("purse");

struct earning : kept_stage {
    std::vector<stake_id> all;
    programme_id simple;
    programme_id compound;
    amount funded = 0;

    explicit earning(amount in_purse = 50'000'000) : funded(in_purse) {
        write([&](tx& now) -> result<> {
            const auto& books = in.books();
            PERDURE_TRY(books.open_account(now, "purse", account_kind::treasury));
            PERDURE_TRY(books.mint(now, treasury, purse, gold, in_purse));
            simple = PERDURE_TRY(open(now, "simple", yield_method::simple, 2));
            compound = PERDURE_TRY(open(now, "compound", yield_method::compound, 3));
            return {};
        });
        for (std::uint64_t i = 0; i < 40; ++i) {
            write([&](tx& now) -> result<> {
                PERDURE_TRY(in.books().open_account(now, player(100 + i), account_kind::player));
                const auto much = static_cast<amount>(10'000 + 997 * i);
                PERDURE_TRY(in.books().mint(now, treasury, player(100 + i), gold, much));
                all.push_back(PERDURE_TRY(in.stakes().stake(now, i % 2 == 0 ? simple : compound,
                                                            player(100 + i), 0, much)));
                return {};
            });
        }
    }
    result<programme_id> open(tx& now, std::string_view name, yield_method method,
                              std::uint64_t seconds) {
        return in.stakes().open_programme(now, name,
                                          {.asset = gold,
                                           .yield = {.apy_ppb = 500'000'000,
                                                     .period_ns = seconds * second,
                                                     .year_ns = 1000 * second,
                                                     .method = method},
                                           .authority = treasury,
                                           .from = purse});
    }
    template <class Work>
    void write(Work&& work) {
        const auto done = by.write(work);
        BOOST_TEST_REQUIRE(done.has_value(), name(done.error()));
    }
    /// World time passes at once.
    void pass(std::uint64_t seconds) {
        write([&](tx& now) -> result<> {
            const auto row = PERDURE_TRY(in.clock().read(now));
            return in.clock().advance(now, {.ticks = seconds * second / row.tick_ns});
        });
    }
    void load_yield() {
        plugins::load_plugin(in, by,
                             {.path = build_file("lib/perdure/plugins/yield.so"), .who = 7});
    }
    stake_row stake(std::size_t which) {
        return by.read([&](view& seen) { return in.stakes().read(seen, all[which]); }).value();
    }
    /// Nothing is left to be paid at the moment it was asked.
    bool is_all_paid() {
        const auto due = by.read([&](view& seen) -> result<std::uint64_t> {
            std::uint64_t periods = 0;
            for (const auto each : all) {
                const auto left = PERDURE_TRY(in.stakes().due(seen, each));
                periods += left.to - left.from;
            }
            return periods;
        });
        return due && *due == 0;
    }
    void stop_yield() {
        if (row(yield_id)) plugins::set_enabled(in, by, yield_id, false, 7);
        BOOST_TEST_REQUIRE(eventually([&] { return process_of_host() == 0; }));
    }
    /// To the minor unit, stake by stake and in all.
    void expect_closed_form() {
        amount total = 0;
        std::uint64_t periods = 0;
        for (std::size_t i = 0; i < all.size(); ++i) {
            const auto at = stake(i);
            const yield_terms terms{
                .apy_ppb = 500'000'000,
                .period_ns = (i % 2 == 0 ? 2 : 3) * second,
                .year_ns = 1000 * second,
                .method = i % 2 == 0 ? yield_method::simple : yield_method::compound};
            const auto much = static_cast<amount>(10'000 + 997 * i);
            const auto expected = owed(terms, growth_of(terms), much, at.periods_paid).value();
            BOOST_TEST(at.paid == expected);
            total += expected;
            periods += at.periods_paid;
        }
        BOOST_TEST(periods > 0U);
        BOOST_TEST(balance_of(in, by, purse).value() == funded - total);
        const auto told = by.read([&](view& seen) -> result<amount> {
            return PERDURE_TRY(in.stakes().programme(seen, simple)).distributed +
                   PERDURE_TRY(in.stakes().programme(seen, compound)).distributed;
        });
        BOOST_TEST(told.value() == total);
        expect_working();
    }
    std::uint64_t refusals() {
        return by
            .read([&](view& seen) -> result<std::uint64_t> {
                return PERDURE_TRY(in.stakes().programme(seen, simple)).refused +
                       PERDURE_TRY(in.stakes().programme(seen, compound)).refused;
            })
            .value();
    }
};

BOOST_FIXTURE_TEST_CASE(every_period_is_paid_once_whoever_dies, earning) {
    load_yield();
    std::mt19937_64 chance(11);
    for (int turns = 0; turns < 3; ++turns) {
        BOOST_TEST_REQUIRE(eventually([&] { return process_of_host() != 0; }));
        pass(1 + chance() % 50);
        ::usleep(static_cast<useconds_t>(chance() % 60'000));
        if (const auto pid = process_of_host(); pid > 0) ::kill(pid, SIGKILL);
        if (turns == 1) {
            end();
            pass(30);  // Nobody keeps the world meanwhile.
            begin();
        }
    }
    BOOST_TEST(eventually([&] { return is_all_paid(); }));
    stop_yield();
    expect_closed_form();
}

struct short_of_gold : earning {
    short_of_gold() : earning(300) {}
};

BOOST_FIXTURE_TEST_CASE(what_the_treasury_cannot_pay_is_told_and_paid_later_once, short_of_gold) {
    load_yield();
    pass(40);
    BOOST_TEST(eventually([&] { return refusals() > 0; }));
    BOOST_TEST(balance_of(in, by, purse).value() >= 0);
    pass(40);
    // Told once for the same periods, however often it is tried.
    BOOST_TEST(eventually([&] { return windows(yield_id) >= 2; }));
    write([&](tx& now) { return in.books().mint(now, treasury, purse, gold, 50'000'000); });
    funded += 50'000'000;
    BOOST_TEST(eventually([&] { return is_all_paid(); }));
    stop_yield();
    expect_closed_form();
    BOOST_TEST(row(yield_id)->crashes == 0U);
}

BOOST_FIXTURE_TEST_CASE(loaded_twice_or_unloaded_and_loaded_it_pays_once, earning) {
    load_yield();
    BOOST_CHECK_THROW(load_yield(), failure);
    pass(20);
    BOOST_TEST(eventually([&] { return is_all_paid(); }));
    plugins::unload_plugin(in, by, yield_id, 7);
    pass(20);
    BOOST_TEST(eventually([&] { return process_of_host() == 0; }));
    load_yield();
    BOOST_TEST(eventually([&] { return is_all_paid(); }));
    stop_yield();
    expect_closed_form();
}

BOOST_FIXTURE_TEST_CASE(an_upgrade_in_mid_period_pays_no_period_twice_or_never, earning) {
    load_yield();
    pass(7);
    plugins::upgrade_plugin(in, by,
                            {.id = yield_id, .path = sample("yield_again"), .shadow = 2, .who = 7});
    std::uint64_t differing = 0;
    BOOST_TEST(eventually([&] {
        const auto now = plugins::find_upgrade(in, yield_id);
        if (now) differing = now->row.differing;
        pass(3);
        return !now || plugins::text_in(row(yield_id)->version) == "1.0.1";
    }));
    BOOST_TEST(differing == 0U);  // Both want the same stakes paid.
    BOOST_TEST(plugins::text_in(row(yield_id)->version) == "1.0.1");
    pass(11);
    BOOST_TEST(eventually([&] { return is_all_paid(); }));
    stop_yield();
    expect_closed_form();
}

BOOST_FIXTURE_TEST_CASE(a_world_that_comes_back_from_its_files_pays_on, earning) {
    load_yield();
    pass(20);
    BOOST_TEST(eventually([&] { return is_all_paid(); }));
    // Everything is durable, a checkpoint lies in between, and then the machine crashes.
    BOOST_TEST(open_ticking().checkpoint(true));
    pass(10);
    BOOST_TEST(eventually([&] { return is_all_paid(); }));
    const auto last = in.status();
    BOOST_TEST(in.wait(by, {last.last_lsn, last.incarnation}, durability::durable).has_value());
    end();
    delete_region();
    { const auto gone = std::move(by); }
    in = open_ticking();
    by = in.join();
    expect_closed_form();
    begin();
    pass(25);
    BOOST_TEST(eventually([&] { return is_all_paid(); }));
    stop_yield();
    expect_closed_form();
}

}  // namespace

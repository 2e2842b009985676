// SPDX-License-Identifier: Apache-2.0
//
// Claims of core/stake_yield.hpp: amounts known by hand; payouts in any grouping come to what one
// payout comes to; interest never falls, at the smallest rate, too; what does not fit is refused;
// and tests/independent/stake_yield.py, which counts with fractions of any length, finds every
// amount right (E1, E2).
#include <rapidcheck.h>

#include <unistd.h>
#include <bit>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <perdure/core/stake_yield.hpp>
#include <perdure/tests/print_errc.hpp>
#include <random>

namespace {

using namespace perdure;

constexpr std::uint64_t second = 1'000'000'000;
constexpr std::uint64_t day = 86'400 * second;
constexpr std::uint64_t percent = 10'000'000;  // Parts per billion.
constexpr amount most = std::numeric_limits<amount>::max();

result<amount> earned(const yield_terms& terms, amount principal, std::uint64_t periods) {
    return owed(terms, growth_of(terms), principal, periods);
}

constexpr yield_terms daily(yield_method how, std::uint64_t apy_ppb = 5 * percent) {
    return {apy_ppb, day, year_ns_standard, how};
}

BOOST_AUTO_TEST_CASE(amounts_known_by_hand) {
    const auto simple = daily(yield_method::simple);
    const auto compound = daily(yield_method::compound);
    // 1000.00 at 5 %: 13.69 a day simply; 1.05^(1/365) - 1 is 0.000133680617.
    BOOST_TEST(earned(simple, 100'000, 1).value() == 13);
    BOOST_TEST(earned(simple, 100'000, 2).value() == 27);
    BOOST_TEST(earned(compound, 1'000'000'000'000, 1).value() == 133'680'617);
    for (const auto& terms : {simple, compound}) {
        BOOST_TEST(earned(terms, 100'000, 0).value() == 0);
        BOOST_TEST(earned(terms, 100'000, 365).value() == 5'000);
        BOOST_TEST(earned(terms, 1, 365).value() == 0);
        BOOST_TEST(earned(terms, 20, 365).value() == 1);  // A whole unit stays one.
    }
    BOOST_TEST(earned(simple, 100'000, 730).value() == 10'000);
    BOOST_TEST(earned(compound, 100'000, 730).value() == 10'250);
    // 21 % in a year are 10 % in half of one, and again.
    const yield_terms half{21 * percent, year_ns_standard / 2, year_ns_standard,
                           yield_method::compound};
    BOOST_TEST(earned(half, 1'000, 1).value() == 100);
    BOOST_TEST(earned(half, 1'000, 2).value() == 210);
    BOOST_TEST(earned(half, 1'000, 3).value() == 331);
    BOOST_TEST(earned(daily(yield_method::compound, 0), 1'000, 1'000'000).value() == 0);
    BOOST_TEST((growth_of(simple) == growth_words{1ULL << 57, 0}));
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_refused) {
    const auto simple = daily(yield_method::simple, apy_ppb_most);
    const auto compound = daily(yield_method::compound, apy_ppb_most);
    BOOST_TEST(earned(simple, most / 100, 365).value() == most / 100 * 100);
    BOOST_TEST(earned(simple, most / 100, 369).error() == errc::overflow);
    BOOST_TEST(earned(compound, most, 1).error() == errc::overflow);
    BOOST_TEST(earned(compound, 1, 365 * 9).value() == 1'093'685'272'684'360'900);  // 101^9 - 1.
    BOOST_TEST(earned(compound, 1, 365 * 10).error() == errc::overflow);
    BOOST_TEST(earned(compound, 1, periods_most).error() == errc::overflow);
    BOOST_TEST(earned(simple, 0, 1).error() == errc::bad_amount);
    BOOST_TEST(earned(simple, -5, 1).error() == errc::bad_amount);
    BOOST_TEST(earned(simple, 1, periods_most + 1).error() == errc::overflow);
    yield_terms terms = daily(yield_method::simple);
    BOOST_TEST(is_allowed(terms));
    for (const auto& [period, year, rate] : {std::array{second - 1, year_ns_standard, percent},
                                             {day + 1, day, percent},
                                             {day, year_ns_most + 1, percent},
                                             {day, year_ns_standard, apy_ppb_most + 1}}) {
        BOOST_TEST(!is_allowed({rate, period, year, yield_method::simple}));
    }
    terms.method = yield_method{};
    BOOST_TEST(!is_allowed(terms));
}

BOOST_AUTO_TEST_CASE(periods_end_and_begin_in_half_open_windows) {
    BOOST_TEST(periods_ended(10, 5, 9) == 0U);
    BOOST_TEST(periods_ended(10, 5, 14) == 0U);
    BOOST_TEST(periods_ended(10, 5, 15) == 1U);
    BOOST_TEST(periods_ended(0, 1, ~0ULL) == ~0ULL);
    BOOST_TEST(periods_begun(10, 5, 10) == 0U);
    BOOST_TEST(periods_begun(10, 5, 11) == 1U);
    BOOST_TEST(periods_begun(10, 5, 15) == 1U);
    BOOST_TEST(periods_begun(10, 5, 16) == 2U);
}

/// Terms, a principal and a number of periods as games have them and as they never should.
class drawn {
  public:
    explicit drawn(std::uint64_t seed) : random_(seed) {}
    yield_terms terms(yield_method how) {
        yield_terms made;
        made.method = how;
        made.year_ns = below(3) != 0 ? year_ns_standard : second * (1 + any(28));
        made.year_ns = std::min(made.year_ns, year_ns_most);
        constexpr std::array usual{second, 60 * second, 3'600 * second, day, 7 * day};
        made.period_ns = below(2) == 0 ? usual[below(usual.size())] : second + any(56);
        made.period_ns = std::min(made.period_ns, made.year_ns);
        made.apy_ppb = std::min(below(2) == 0 ? below(100) * percent : any(37), apy_ppb_most);
        return made;
    }
    amount principal() { return std::max<amount>(1, static_cast<amount>(any(63))); }
    std::uint64_t periods(const yield_terms& of) {
        const std::uint64_t within = ~0ULL / of.period_ns;  // World time is 64 bits of nanoseconds.
        return std::min(std::min(any(33), within), periods_most);
    }
    std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
    /// Of up to so many bits, each number of bits as often.
    std::uint64_t any(std::uint64_t bits) { return random_() >> (63 - below(bits)); }

  private:
    std::mt19937_64 random_;
};

constexpr std::array methods{yield_method::simple, yield_method::compound};

BOOST_AUTO_TEST_CASE(any_grouping_of_payouts_comes_to_the_same) {
    const bool held = rc::check("grouping and monotony", [](std::uint64_t seed) {
        drawn any(seed);
        const auto terms = any.terms(methods[seed % 2]);
        const auto growth = growth_of(terms);
        const auto principal = any.principal();
        const auto last = any.periods(terms);
        const auto whole = owed(terms, growth, principal, last);
        if (!whole) return;
        amount sum = 0;
        amount before = 0;
        std::uint64_t at = 0;
        for (int turn = 0; turn < 200 && at < last; ++turn) {
            at = turn == 199 || any.below(9) == 0 ? last : at + 1 + any.any(32) % (last - at);
            const auto now = owed(terms, growth, principal, at).value();
            RC_ASSERT(now >= before);
            sum += now - before;
            before = now;
        }
        RC_ASSERT(sum == *whole);
    });
    BOOST_TEST(held);
}

BOOST_AUTO_TEST_CASE(interest_never_falls_from_one_period_to_the_next) {
    const yield_terms least{1, second, year_ns_most, yield_method::compound};
    const auto growth = growth_of(least);
    for (const std::uint64_t from :
         {std::uint64_t{0}, std::uint64_t{1} << 31, periods_most - 9'999}) {
        amount before = owed(least, growth, most / 2, from).value();
        for (auto n = from + 1; n < from + 9'999; ++n) {
            const auto now = owed(least, growth, most / 2, n).value();
            BOOST_TEST_REQUIRE(now >= before);
            before = now;
        }
        BOOST_TEST(before > owed(least, growth, most / 2, from).value());
    }
}

BOOST_AUTO_TEST_CASE(fractions_of_any_length_find_every_amount_right) {
    const auto file =
        std::filesystem::temp_directory_path() / ("perdure-yield-" + std::to_string(::getpid()));
    {
        std::ofstream out(file);
        drawn any(2026);
        const auto write = [&](const yield_terms& terms, amount principal, std::uint64_t n) {
            const auto said = earned(terms, principal, n);
            if (!said) BOOST_TEST_REQUIRE(said.error() == errc::overflow);
            out << (terms.method == yield_method::simple ? "simple " : "compound ") << terms.apy_ppb
                << ' ' << terms.period_ns << ' ' << terms.year_ns << ' ' << principal << ' ' << n
                << ' ' << (said ? std::to_string(*said) : std::string("overflow")) << '\n';
        };
        for (int line = 0; line < 6'000; ++line) {
            const auto terms = any.terms(methods[static_cast<std::size_t>(line) % 2]);
            write(terms, any.principal(), any.periods(terms));
        }
        // Whole years, where the amount is a whole number as often as not.
        for (int line = 0; line < 2'000; ++line) {
            const auto terms = daily(yield_method::compound, any.below(40) * percent);
            write(terms, static_cast<amount>((1 + any.below(1'000)) * 10'000), 365 * any.below(6));
        }
    }
    const char* const source = std::getenv("PERDURE_SOURCE");
    BOOST_REQUIRE_MESSAGE(source != nullptr, "run through ctest, which sets PERDURE_SOURCE");
    const std::string command = std::string("python3 '") + source +
                                "/tests/independent/stake_yield.py' '" + file.string() + "'";
    BOOST_TEST(std::system(command.c_str()) == 0);
    std::filesystem::remove(file);
}

}  // namespace

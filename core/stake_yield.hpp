// SPDX-License-Identifier: Apache-2.0
//
// What a stake has earned after so many periods: arithmetic on whole numbers alone.
//
// Promise     owed() is a function of principal, rate and the number of periods; a payout of
//             periods [a, b) is owed(b) - owed(a). So paying one by one, all at once or in any
//             grouping comes to the same total, to the minor unit. It never falls as periods pass.
//             After whole years both methods have paid what the rate says of the principal, or of
//             what it had grown to.
// Threads     Pure functions.
// Invariants  E1 simple: owed(n) = floor(principal * apy * n * period / year), exactly.
//             E2 compound: owed(n) = floor(principal * (growth^n - 1) + 2^-20), growth being
//             (1 + apy)^(period / year) cut to 2^-121: what cutting takes is less than what is
//             added, so that a whole minor unit stays one.
// Format      stake_format.hpp, docs/stakes.md
#pragma once

#include <perdure/core/amount.hpp>
#include <perdure/core/stake_format.hpp>

namespace perdure {

/// What a programme pays, and how it counts.
struct yield_terms {
    std::uint64_t apy_ppb = 0;  ///< Parts per billion of the principal in a year.
    std::uint64_t period_ns = 86'400'000'000'000;
    std::uint64_t year_ns = year_ns_standard;
    yield_method method = yield_method::simple;

    friend bool operator==(const yield_terms&, const yield_terms&) = default;
};

/// Whether stakes may earn by them: a rate up to apy_ppb_most, a period of period_ns_least to a
/// year, a year up to year_ns_most, a method.
[[nodiscard]] bool is_allowed(const yield_terms& terms) noexcept;

/// What compound interest multiplies by in a period, in units of 2^-121; 2^121 for simple interest.
/// Requires: is_allowed().
[[nodiscard]] growth_words growth_of(const yield_terms& terms) noexcept;

/// Interest of the first `periods` periods. Errors: overflow (also of more than periods_most),
/// bad_amount (a principal below 1).
result<amount> owed(const yield_terms& terms, growth_words growth, amount principal,
                    std::uint64_t periods) noexcept;

/// How many periods that began at `since_ns` have ended by `now_ns`.
constexpr std::uint64_t periods_ended(std::uint64_t since_ns, std::uint64_t period_ns,
                                      std::uint64_t now_ns) noexcept {
    return now_ns <= since_ns ? 0 : (now_ns - since_ns) / period_ns;
}

/// How many of them had begun before `now_ns`.
constexpr std::uint64_t periods_begun(std::uint64_t since_ns, std::uint64_t period_ns,
                                      std::uint64_t now_ns) noexcept {
    return now_ns <= since_ns ? 0 : (now_ns - since_ns - 1) / period_ns + 1;
}

}  // namespace perdure

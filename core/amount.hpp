// SPDX-License-Identifier: Apache-2.0
//
// Money: int64 minor units; every sum is checked, no floating point decides anything.
//
// Threads     Pure functions.
#pragma once

#include <cstdint>
#include <perdure/shm/error.hpp>
#include <string>
#include <string_view>

namespace perdure {

using amount = std::int64_t;  ///< Minor units of an asset: its value times 10^scale.

/// Errors: overflow.
constexpr result<amount> add(amount left, amount right) noexcept {
    amount sum = 0;
    if (__builtin_add_overflow(left, right, &sum)) return errc::overflow;
    return sum;
}

/// A decimal number as somebody else wrote it, in units of 10^-scale.
struct decimal {
    __int128 value;
    bool rounded;  ///< Digits that are not zero were cut off.
};
inline constexpr int decimal_scale_max = 24;

/// Reads decimal text whose point stands `shift` digits too far right: "1500" is 1.5 with a shift
/// of 3. Digits beyond the scale are rounded half to even. Errors: bad_amount, overflow (2^120).
result<decimal> read_decimal(std::string_view text, int scale, int shift = 0) noexcept;

/// Reads "12.5", "-3", "1e3"-free decimal text at `scale` digits behind the point. More digits than
/// the scale are rounded half to even. Errors: bad_amount, overflow.
result<amount> parse_amount(std::string_view text, int scale) noexcept;

/// The decimal text, with exactly `scale` digits behind the point.
std::string print_amount(amount value, int scale);

}  // namespace perdure

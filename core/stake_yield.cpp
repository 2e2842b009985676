// SPDX-License-Identifier: Apache-2.0
#include <bit>
#include <limits>
#include <numeric>
#include <perdure/core/stake_yield.hpp>

namespace perdure {
namespace {

using wide = unsigned __int128;

constexpr std::uint64_t billion = 1'000'000'000;
constexpr int growth_bits = 121;  // Behind the point of a growth_words.
constexpr int kept_bits = 20;     // E2: what is added is 2^-20 of a minor unit.
constexpr auto amount_most = static_cast<wide>(std::numeric_limits<amount>::max());

wide join(growth_words words) noexcept { return static_cast<wide>(words.high) << 64 | words.low; }

int width_of(std::uint64_t value) noexcept { return static_cast<int>(std::bit_width(value)); }

int width_of(wide value) noexcept {
    const auto high = static_cast<std::uint64_t>(value >> 64);
    return high != 0 ? 64 + width_of(high) : width_of(static_cast<std::uint64_t>(value));
}

struct product {
    wide high;
    wide low;
};

/// All 256 bits of it.
product multiply(wide left, wide right) noexcept {
    const wide left_low = static_cast<std::uint64_t>(left);
    const wide left_high = left >> 64;
    const wide right_low = static_cast<std::uint64_t>(right);
    const wide right_high = right >> 64;
    const wide low = left_low * right_low;
    const wide one = left_high * right_low + (low >> 64);  // At most (2^64-1)^2 + 2^64-1.
    const wide other = left_low * right_high + static_cast<std::uint64_t>(one);
    return {left_high * right_high + (one >> 64) + (other >> 64),
            other << 64 | static_cast<std::uint64_t>(low)};
}

/// mantissa * 2^(exponent - 127), the mantissa's highest bit set. Products are cut: each loses less
/// than 2^-126 of itself.
struct scaled {
    wide mantissa;
    std::int64_t exponent;

    static scaled of(wide value, int bits_behind_point) noexcept {
        const int width = width_of(value);
        return {value << (128 - width), width - 1 - bits_behind_point};
    }
    friend scaled operator*(const scaled& left, const scaled& right) noexcept {
        const auto all = multiply(left.mantissa, right.mantissa);
        const bool carries = all.high >> 127 != 0;
        const wide mantissa = carries ? all.high : all.high << 1 | all.low >> 127;
        return {mantissa, left.exponent + right.exponent + (carries ? 1 : 0)};
    }
    friend bool operator<=(const scaled& left, const scaled& right) noexcept {
        if (left.exponent != right.exponent) return left.exponent < right.exponent;
        return left.mantissa <= right.mantissa;
    }
};

/// From the highest bit of the power down: 64 steps of at most two products.
scaled raised(const scaled& factor, std::uint64_t power) noexcept {
    scaled out{static_cast<wide>(1) << 127, 0};
    for (int bit = width_of(power); bit-- > 0;) {
        out = out * out;
        if ((power >> bit & 1) != 0) out = out * factor;
    }
    return out;
}

/// floor(left * right / by), exactly. Requires: 0 < by < 2^126. Errors: overflow (2^63).
result<amount> divided(wide left, std::uint64_t right, wide by) noexcept {
    wide quotient = 0;
    if (__builtin_mul_overflow(left / by, static_cast<wide>(right), &quotient)) {
        return errc::overflow;
    }
    // The remainder times `right`, divided as it is multiplied: bit by bit.
    const wide rest = left % by;
    wide part = 0;
    wide left_over = 0;
    for (int bit = width_of(right); bit-- > 0;) {
        part <<= 1;
        left_over <<= 1;
        if (left_over >= by) left_over -= by, ++part;
        if ((right >> bit & 1) == 0) continue;
        left_over += rest;
        if (left_over >= by) left_over -= by, ++part;
    }
    if (quotient > amount_most || part > amount_most - quotient) return errc::overflow;
    return static_cast<amount>(quotient + part);
}

result<amount> owed_simply(const yield_terms& terms, amount principal,
                           std::uint64_t periods) noexcept {
    std::uint64_t span = 0;
    if (__builtin_mul_overflow(periods, terms.period_ns, &span)) return errc::overflow;
    const wide yearly = static_cast<wide>(principal) * terms.apy_ppb;
    return divided(yearly, span, static_cast<wide>(billion) * terms.year_ns);
}

result<amount> owed_compound(growth_words growth, amount principal,
                             std::uint64_t periods) noexcept {
    const auto grown = raised(scaled::of(join(growth), growth_bits), periods);
    if (grown.exponent >= 63) return errc::overflow;
    const int shift = 127 - static_cast<int>(grown.exponent);  // 65 to 127.
    auto all = multiply(grown.mantissa, static_cast<wide>(principal));
    all.low += static_cast<wide>(1) << (shift - kept_bits);
    if (all.low < static_cast<wide>(1) << (shift - kept_bits)) ++all.high;
    const int room = 128 - shift;
    if (width_of(all.high) + room > 63) return errc::overflow;
    const wide total = all.high << room | all.low >> shift;
    if (total > amount_most) return errc::overflow;
    return static_cast<amount>(total) - principal;
}

}  // namespace

bool is_allowed(const yield_terms& terms) noexcept {
    const bool is_named =
        terms.method == yield_method::simple || terms.method == yield_method::compound;
    return is_named && terms.apy_ppb <= apy_ppb_most && terms.year_ns <= year_ns_most &&
           terms.period_ns >= period_ns_least && terms.period_ns <= terms.year_ns;
}

growth_words growth_of(const yield_terms& terms) noexcept {
    PERDURE_ASSERT(is_allowed(terms));
    constexpr wide one = static_cast<wide>(1) << growth_bits;
    wide found = one;
    if (terms.method == yield_method::compound && terms.apy_ppb != 0) {
        const std::uint64_t shared = std::gcd(terms.period_ns, terms.year_ns);
        const std::uint64_t root = terms.year_ns / shared;
        // (10^9 + ppb) / 10^9, cut at the last bit: of 121 behind the point 84 first.
        const wide front = (static_cast<wide>(billion) + terms.apy_ppb) << 84;
        const wide yearly = front / billion << 37 | (front % billion << 37) / billion;
        const auto wanted = raised(scaled::of(yearly, growth_bits), terms.period_ns / shared);
        // The largest whose power is not above it, a bit at a time.
        for (int bit = growth_bits + 6; bit >= 0; --bit) {
            const wide tried = found + (static_cast<wide>(1) << bit);
            if (tried < found) continue;
            if (raised(scaled::of(tried, growth_bits), root) <= wanted) found = tried;
        }
    }
    return {static_cast<std::uint64_t>(found >> 64), static_cast<std::uint64_t>(found)};
}

result<amount> owed(const yield_terms& terms, growth_words growth, amount principal,
                    std::uint64_t periods) noexcept {
    if (principal <= 0) return errc::bad_amount;
    if (periods > periods_most) return errc::overflow;
    return terms.method == yield_method::simple ? owed_simply(terms, principal, periods)
                                                : owed_compound(growth, principal, periods);
}

}  // namespace perdure

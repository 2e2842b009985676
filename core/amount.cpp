// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <perdure/core/amount.hpp>

namespace perdure {
namespace {

constexpr int scale_max = 18;

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// Whether the digits from `kept` on round the magnitude up: half to even.
template <class Digit>
bool rounds_up(const Digit& digit, std::ptrdiff_t kept, std::ptrdiff_t count, bool odd) noexcept {
    if (digit(kept) != '5') return digit(kept) > '5';
    for (auto i = kept + 1; i < count; ++i) {
        if (digit(i) != '0') return true;
    }
    return odd;
}

}  // namespace

result<decimal> read_decimal(std::string_view text, int scale, int shift) noexcept {
    if (scale < 0 || scale > decimal_scale_max || shift < 0 || shift > decimal_scale_max) {
        return errc::bad_amount;
    }
    const bool negative = !text.empty() && text.front() == '-';
    if (negative || (!text.empty() && text.front() == '+')) text.remove_prefix(1);
    const auto point = std::min(text.find('.'), text.size());
    const auto whole = text.substr(0, point);
    const auto digits = point < text.size() ? text.substr(point + 1) : std::string_view();
    const bool all = std::all_of(whole.begin(), whole.end(), is_digit) &&
                     std::all_of(digits.begin(), digits.end(), is_digit);
    if (!all || (whole.empty() && digits.empty())) return errc::bad_amount;
    // Of all digits in a row, the first `kept` count; a negative number of them: zeros were before.
    const auto count = static_cast<std::ptrdiff_t>(whole.size() + digits.size());
    const auto kept = static_cast<std::ptrdiff_t>(whole.size()) - shift + scale;
    const auto digit = [&](std::ptrdiff_t i) {
        const auto at = static_cast<std::size_t>(i);
        return at < whole.size() ? whole[at] : digits[at - whole.size()];
    };
    __int128 value = 0;
    constexpr __int128 bound = static_cast<__int128>(1) << 120;
    for (std::ptrdiff_t i = 0; i < kept; ++i) {
        value = value * 10 + (i < count ? digit(i) - '0' : 0);
        if (value >= bound) return errc::overflow;
    }
    bool rounded = false;
    for (auto i = std::max<std::ptrdiff_t>(kept, 0); i < count && !rounded; ++i) {
        rounded = digit(i) != '0';
    }
    if (kept >= 0 && kept < count && rounds_up(digit, kept, count, value % 2 != 0)) ++value;
    return decimal{negative ? -value : value, rounded};
}

result<amount> parse_amount(std::string_view text, int scale) noexcept {
    if (scale > scale_max) return errc::bad_amount;
    const auto read = PERDURE_TRY(read_decimal(text, scale));
    if (read.value > INT64_MAX || read.value < INT64_MIN) return errc::overflow;
    return static_cast<amount>(read.value);
}

std::string print_amount(amount value, int scale) {
    const bool negative = value < 0;
    const std::uint64_t magnitude =
        negative ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
    std::string text = std::to_string(magnitude);
    if (scale > 0) {
        const auto behind = static_cast<std::size_t>(std::min(scale, scale_max));
        if (text.size() <= behind) text = std::string(behind + 1 - text.size(), '0') + text;
        text = text.substr(0, text.size() - behind) + '.' + text.substr(text.size() - behind);
    }
    return negative ? '-' + text : text;
}

}  // namespace perdure

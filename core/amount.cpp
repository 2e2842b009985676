// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <perdure/core/amount.hpp>

namespace perdure {
namespace {

constexpr int scale_max = 18;

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// Whether the cut-off digits round the magnitude up: half to even.
bool rounds_up(std::string_view cut, bool odd) noexcept {
    if (cut.empty() || cut[0] < '5') return false;
    if (cut[0] > '5') return true;
    const bool more = std::any_of(cut.begin() + 1, cut.end(), [](char c) { return c != '0'; });
    return more || odd;
}

}  // namespace

result<amount> parse_amount(std::string_view text, int scale) noexcept {
    if (scale < 0 || scale > scale_max) return errc::bad_amount;
    const bool negative = !text.empty() && text.front() == '-';
    if (negative || (!text.empty() && text.front() == '+')) text.remove_prefix(1);
    const auto point = std::min(text.find('.'), text.size());
    const auto whole = text.substr(0, point);
    const auto digits = point < text.size() ? text.substr(point + 1) : std::string_view();
    const bool all = std::all_of(whole.begin(), whole.end(), is_digit) &&
                     std::all_of(digits.begin(), digits.end(), is_digit);
    if (!all || (whole.empty() && digits.empty())) return errc::bad_amount;
    __int128 value = 0;
    constexpr __int128 bound = static_cast<__int128>(1) << 64;
    const auto kept = std::min(digits.size(), static_cast<std::size_t>(scale));
    const auto shift_in = [&](char c) {
        value = value * 10 + (c - '0');
        return value < bound;
    };
    for (const char c : whole) {
        if (!shift_in(c)) return errc::overflow;
    }
    for (const char c : digits.substr(0, kept)) {
        if (!shift_in(c)) return errc::overflow;
    }
    for (auto i = kept; i < static_cast<std::size_t>(scale); ++i) {
        if (!shift_in('0')) return errc::overflow;
    }
    if (rounds_up(digits.substr(kept), value % 2 != 0)) ++value;
    if (negative) value = -value;
    if (value > INT64_MAX || value < INT64_MIN) return errc::overflow;
    return static_cast<amount>(value);
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

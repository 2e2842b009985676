// SPDX-License-Identifier: Apache-2.0
//
// Bytes and times as people write them.
#include <array>
#include <charconv>
#include <perdure/io/config.hpp>

namespace perdure::io {
namespace {

struct unit {
    std::string_view name;
    std::uint64_t factor;
};

// The largest first; the last one is what a bare number means.
constexpr std::array byte_units{unit{"TiB", 1ULL << 40}, unit{"GiB", 1ULL << 30},
                                unit{"MiB", 1ULL << 20}, unit{"KiB", 1ULL << 10}, unit{"B", 1}};
constexpr std::array time_units{unit{"d", 86'400}, unit{"h", 3'600}, unit{"min", 60}, unit{"s", 1}};
constexpr std::array span_units{unit{"d", 86'400'000}, unit{"h", 3'600'000}, unit{"min", 60'000},
                                unit{"s", 1'000}, unit{"ms", 1}};

result<std::uint64_t> parse(std::string_view text, std::span<const unit> units) noexcept {
    std::uint64_t number = 0;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number);
    if (error == std::errc::result_out_of_range) return errc::overflow;
    if (error != std::errc()) return errc::bad_setting;
    std::string_view name(rest, static_cast<std::size_t>(end - rest));
    while (!name.empty() && name.front() == ' ') name.remove_prefix(1);
    if (name.empty()) return number;
    for (const auto& each : units) {
        if (name != each.name) continue;
        std::uint64_t product = 0;
        if (__builtin_mul_overflow(number, each.factor, &product)) return errc::overflow;
        return product;
    }
    return errc::bad_setting;
}

std::string print(std::uint64_t number, std::span<const unit> units) {
    for (const auto& each : units) {
        if (number != 0 && number % each.factor == 0) {
            return std::to_string(number / each.factor) + std::string(each.name);
        }
    }
    return std::to_string(number) + std::string(units.back().name);
}

}  // namespace

result<std::uint64_t> parse_bytes(std::string_view text) noexcept {
    return parse(text, byte_units);
}

std::string print_bytes(std::uint64_t bytes) { return print(bytes, byte_units); }

result<std::uint64_t> parse_seconds(std::string_view text) noexcept {
    return parse(text, time_units);
}

std::string print_seconds(std::uint64_t seconds) { return print(seconds, time_units); }

result<std::uint64_t> parse_milliseconds(std::string_view text) noexcept {
    return parse(text, span_units);
}

std::string print_milliseconds(std::uint64_t milliseconds) {
    return print(milliseconds, span_units);
}

}  // namespace perdure::io

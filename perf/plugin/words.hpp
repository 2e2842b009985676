// SPDX-License-Identifier: Apache-2.0
//
// What the plugins that are measured and the program that reads their logs have in common.
//
// Promise     A histogram that was told in lines and read from them again differs by less than its
//             buckets are wide.
#pragma once

#include "../histogram.hpp"

#include <charconv>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace perdure::perf {

inline constexpr std::uint64_t plugin_accounts = 100'000;

inline std::uint64_t monotonic_ns() noexcept {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::nanoseconds(now).count());
}

/// Takes a number off the front of a text, and what stands before it; 0 where there is none.
inline std::uint64_t take_number(std::string_view& from) noexcept {
    const std::size_t at = std::min(from.find_first_of("0123456789"), from.size());
    from.remove_prefix(at);
    std::uint64_t out = 0;
    const char* const end = from.data() + from.size();
    const auto read = std::from_chars(from.data(), end, out);
    from.remove_prefix(static_cast<std::size_t>(read.ptr - from.data()));
    return out;
}

/// Of the key in a flat JSON object.
inline std::uint64_t number_in(std::string_view json, std::string_view key) {
    const std::size_t at = json.find('"' + std::string(key) + "\":");
    if (at == std::string_view::npos) return 0;
    json.remove_prefix(at + key.size() + 3);
    return take_number(json);
}

/// "times 1200:3 1250:17 ...", in as many lines as it takes.
template <class Log>
void tell_times(const Log& log, const histogram& of) {
    constexpr std::size_t line_bytes = 3000;
    constexpr std::string_view front = "times";
    std::string line(front);
    of.visit([&](std::uint64_t value, std::uint64_t count) {
        line += ' ' + std::to_string(value) + ':' + std::to_string(count);
        if (line.size() < line_bytes) return;
        log.note(line);
        line = front;
    });
    if (line != front) log.note(line);
}

/// A line of them; false when it is none.
inline bool read_times(std::string_view line, histogram& into) noexcept {
    if (!line.starts_with("times ")) return false;
    while (!line.empty()) {
        const std::uint64_t value = take_number(line);
        if (line.empty()) break;
        into.add(value, take_number(line));
    }
    return true;
}

}  // namespace perdure::perf

// SPDX-License-Identifier: Apache-2.0
//
// How the command speaks to people and to programs: figures, failures, one JSON object.
//
// Promise     With --json standard output carries exactly one object and nothing else.
// Threads     The main thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/json/fwd.hpp>
#include <perdure/shm/error.hpp>

namespace perdure::apps {

[[nodiscard]] bool is_terminal(int descriptor) noexcept;

/// One line to standard output or standard error, with one call.
void print(std::string_view line);
void tell(std::string_view line);
void print(const boost::json::object& object);

/// Thing, cause and remedy to standard error; with `json` an object to standard output too.
void report(const failure& why, bool json);

/// True when what was refused is a world whose files or region are not what they must be.
[[nodiscard]] bool is_damage(const failure& why, const std::string& directory);

/// 1234567 as "1,234,567".
[[nodiscard]] std::string grouped(std::uint64_t number);
/// Bytes in the largest unit that leaves three digits: "1.21 GiB".
[[nodiscard]] std::string rounded_bytes(std::uint64_t bytes);
/// "8.2 µs", "3.1 ms", "1.4 s".
[[nodiscard]] std::string rounded_time(double nanoseconds);

}  // namespace perdure::apps

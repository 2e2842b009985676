// SPDX-License-Identifier: Apache-2.0
//
// A plugin's file, looked at without loading it.
//
// Promise     None of the plugin's code runs. What is answered is true of the bytes that were
//             hashed: they are read once.
// Threads     Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <perdure/plugins/host/manifest.hpp>
#include <span>
#include <string>
#include <vector>

namespace perdure::plugins {

inline constexpr std::uint64_t plugin_bytes_max = 256ULL << 20;

struct plugin_file {
    manifest what;
    std::string hash;  ///< BLAKE2b-256 of the file, as 64 hexadecimal digits.
    std::uint64_t bytes = 0;
    std::vector<std::string> needs;  ///< Libraries, all of which the host has.
};

/// Throws failure: bad_plugin, wrong_abi, io_error.
[[nodiscard]] plugin_file inspect(const std::string& path);
/// The same of bytes that were read before.
[[nodiscard]] plugin_file inspect(std::span<const std::byte> content, const std::string& origin);

/// The whole file. Throws failure: bad_plugin for what no plugin can be, io_error.
[[nodiscard]] std::vector<std::byte> read_plugin(const std::string& path);

[[nodiscard]] std::string hash_of(std::span<const std::byte> content);

}  // namespace perdure::plugins

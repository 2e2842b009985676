// SPDX-License-Identifier: Apache-2.0
//
// BLAKE2b-256 and random identifiers, by libsodium; its header stays in one source file.
//
// Threads     Pure functions; random_uuid may be called from any thread.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include <perdure/io/journal_format.hpp>

namespace perdure::io {

/// Hash of the concatenation of both parts.
[[nodiscard]] block_hash blake2b(std::span<const std::byte> front,
                                 std::span<const std::byte> back = {}) noexcept;

/// A version 4 identifier.
[[nodiscard]] uuid random_uuid() noexcept;

/// "0123abcd-…", the bytes in the order in which they are stored.
[[nodiscard]] std::string to_string(const uuid& id);

/// Nanoseconds since 1970, coarse: for the log and the time range, never for a decision.
[[nodiscard]] std::uint64_t wall_clock_ns() noexcept;

#if defined(PERDURE_RIG)
/// A rig's own clock and chance in place of the machine's.
struct surroundings {
    std::uint64_t (*wall_ns)();
    std::uint64_t (*chance)();
};
/// From now on, until nullptr gives the machine's own back.
void surround(const surroundings* by) noexcept;
#endif

}  // namespace perdure::io

// SPDX-License-Identifier: Apache-2.0
//
// CRC32C (Castagnoli) by the processor's own instruction, and the checksum of a ring record.
//
// Promise     Every error burst of up to 32 bits is noticed; crc32c("123456789") is 0xe3069283.
// Threads     Pure functions.
// Format      docs/formats/record.md#checksum
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace perdure::shm {

/// CRC32C of `bytes`; `before` is the value of what precedes them, 0 at the start.
[[nodiscard]] std::uint32_t crc32c(std::span<const std::byte> bytes,
                                   std::uint32_t before = 0) noexcept;

/// The value that belongs into transaction_header::crc: over the LSN, the length and all bytes
/// behind the crc field. Requires: a whole record of at least 48 bytes, aligned to 8 bytes.
[[nodiscard]] std::uint32_t record_crc(std::span<const std::byte> record) noexcept;

/// record_crc of four records of one length at once: the instruction waits three cycles for its
/// predecessor, so four chains side by side cost what one costs.
void record_crc_4(const std::byte* const* records, std::uint32_t bytes,
                  std::uint32_t* crcs) noexcept;

}  // namespace perdure::shm

// SPDX-License-Identifier: Apache-2.0
//
// FORMAT a packed segment: the bytes of a sealed one, frame by frame.
//
//   packed = packed_header, packed_frame for each frame, zstd frame...
//
// Invariants  Z1 the frames hold the segment's bytes up to used_bytes, each frame_bytes of them,
//                the last one what is left.  Z2 what lies behind used_bytes is zero in the segment.
//             Z3 a frame decodes without any other.
//             Z4 the bytes that come out are the segment's own: the MANIFEST's promise, the hash
//                chain and the checksums of segment and blocks hold of them as they did before.
// Format      docs/formats/journal.md#packed-segments
#pragma once

#include <perdure/io/journal_format.hpp>

namespace perdure::io {

inline constexpr std::uint64_t packed_magic = 0x4b41504c4e4a4450;  // "PDJNLPAK"
inline constexpr std::uint16_t packed_format_version = 1;
inline constexpr std::uint32_t packed_frame_bytes = 1U << 20;
inline constexpr std::uint32_t packed_frame_bytes_max = 1U << 24;

struct packed_header {
    std::uint64_t magic;
    std::uint16_t format;
    std::uint16_t reserved;
    std::uint32_t header_bytes;
    std::uint64_t segment_bytes;  ///< Length of the segment.
    std::uint64_t used_bytes;     ///< Up to the end of its last block.
    std::uint32_t frame_bytes;    ///< Of the segment, in each frame but the last.
    std::uint32_t frames;
    std::array<std::uint64_t, 2> reserved_back;
    std::uint32_t index_crc;  ///< CRC32C of all packed_frame.
    std::uint32_t crc;        ///< CRC32C of the header's bytes before this field.
};
static_assert(shm::mapped<packed_header> && sizeof(packed_header) == 64);
static_assert(offsetof(packed_header, segment_bytes) == 16);
static_assert(offsetof(packed_header, used_bytes) == 24);
static_assert(offsetof(packed_header, frame_bytes) == 32 && offsetof(packed_header, frames) == 36);
static_assert(offsetof(packed_header, index_crc) == 56 && offsetof(packed_header, crc) == 60);

struct packed_frame {
    std::uint32_t stored_bytes;
    std::uint32_t crc;  ///< CRC32C of the stored bytes.
};
static_assert(shm::mapped<packed_frame> && sizeof(packed_frame) == 8);

}  // namespace perdure::io

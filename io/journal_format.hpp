// SPDX-License-Identifier: Apache-2.0
//
// FORMAT the journal's files: a segment is a header page, then blocks, each on a 4 KiB boundary.
//
//   segment = segment_header, zero fill to 4096, blocks, zeros
//   block   = block_header, payload (stored_bytes), zero fill to 4096
//
// Invariants  J1 block numbers are dense from 1 over all segments, LSNs from 1 over all blocks.
//             J2 previous_hash is BLAKE2b-256 of the block before, header and payload, also across
//                segments; zeros before block 1.  J3 a block never spans segments.
//             J4 blocks up to synced_seq were synced before this block was written.
//             J5 0 is invalid in every field that names a kind, so zeroed sectors never parse.
// Format      docs/formats/journal.md
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <perdure/shm/record_format.hpp>

namespace perdure::io {

using uuid = std::array<std::uint64_t, 2>;
using block_hash = std::array<std::uint8_t, 32>;

inline constexpr std::uint64_t segment_magic = 0x4745534c4e4a4450;  // "PDJNLSEG"
inline constexpr std::uint64_t block_magic = 0x4b4c424c4e4a4450;    // "PDJNLBLK"
inline constexpr std::uint16_t journal_format_version = 1;
inline constexpr std::uint32_t block_alignment = 4096;
inline constexpr std::uint32_t block_raw_bytes = 1U << 20;  ///< More only for one record alone.
inline constexpr std::uint32_t block_raw_bytes_max = 1U << 28;

struct segment_header {
    std::uint64_t magic;
    std::uint16_t format;
    std::uint16_t reserved;
    std::uint32_t header_bytes;
    uuid world;
    uuid segment;
    std::uint64_t generation;  ///< Raised each time a file is used again.
    std::uint64_t first_lsn;
    std::uint64_t first_seq;
    std::uint64_t segment_bytes;  ///< Blocks end before this byte; a file may be longer.
    std::uint64_t created_ns;
    block_hash previous_hash;  ///< Of the last block of the segment before.
    std::uint32_t reserved_back;
    std::uint32_t crc;  ///< CRC32C of the bytes before this field.
};
static_assert(shm::mapped<segment_header> && sizeof(segment_header) == 128);
static_assert(offsetof(segment_header, world) == 16 && offsetof(segment_header, segment) == 32);
static_assert(offsetof(segment_header, generation) == 48);
static_assert(offsetof(segment_header, first_lsn) == 56);
static_assert(offsetof(segment_header, first_seq) == 64);
static_assert(offsetof(segment_header, segment_bytes) == 72);
static_assert(offsetof(segment_header, previous_hash) == 88);
static_assert(offsetof(segment_header, crc) == 124);

struct block_header {
    std::uint64_t magic;
    std::uint16_t format;
    std::uint16_t codec;  ///< codec_id
    std::uint32_t header_bytes;
    uuid world;
    uuid segment;
    std::uint64_t generation;
    std::uint64_t seq;
    std::uint64_t synced_seq;
    std::uint64_t first_lsn;
    std::uint64_t last_lsn;
    std::uint64_t wall_ns_first;  ///< Earliest and latest wall clock among its transactions,
    std::uint64_t wall_ns_last;   ///< 0 if there is none.
    std::uint64_t epoch;          ///< Fencing epoch of the keeper that wrote it.
    std::uint32_t raw_bytes;
    std::uint32_t stored_bytes;
    block_hash previous_hash;
    std::array<std::uint8_t, 12> reserved;
    std::uint32_t payload_crc;  ///< CRC32C of the stored payload.
    std::uint32_t reserved_back;
    std::uint32_t crc;  ///< CRC32C of the header's bytes before this field.
};
static_assert(shm::mapped<block_header> && sizeof(block_header) == 176);
static_assert(offsetof(block_header, codec) == 10 && offsetof(block_header, header_bytes) == 12);
static_assert(offsetof(block_header, world) == 16 && offsetof(block_header, segment) == 32);
static_assert(offsetof(block_header, generation) == 48 && offsetof(block_header, seq) == 56);
static_assert(offsetof(block_header, synced_seq) == 64);
static_assert(offsetof(block_header, first_lsn) == 72 && offsetof(block_header, last_lsn) == 80);
static_assert(offsetof(block_header, wall_ns_first) == 88 && offsetof(block_header, epoch) == 104);
static_assert(offsetof(block_header, raw_bytes) == 112);
static_assert(offsetof(block_header, stored_bytes) == 116);
static_assert(offsetof(block_header, previous_hash) == 120);
static_assert(offsetof(block_header, payload_crc) == 164 && offsetof(block_header, crc) == 172);

/// Where the next block begins after a block at `offset` with that payload.
[[nodiscard]] constexpr std::uint64_t block_end(std::uint64_t offset,
                                                std::uint64_t stored_bytes) noexcept {
    const std::uint64_t end = offset + sizeof(block_header) + stored_bytes;
    return (end + block_alignment - 1) / block_alignment * block_alignment;
}

}  // namespace perdure::io

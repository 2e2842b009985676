// SPDX-License-Identifier: Apache-2.0
//
// FORMAT the MANIFEST: records of one sector each, only ever appended.
//
//   MANIFEST = world record, any number of others
//
// Invariants  M1 record n stands at offset 512 × (n - 1), so no append touches a sector that holds
//                an older record.  M2 sequence numbers are dense from 1.  M3 previous_hash is
//                BLAKE2b-256 of the record before, zeros in the first.
//             M4 a segment is opened here before its first block is written, and sealed here before
//                the next one is opened.  M5 0 is no kind.
//             M6 a checkpoint's parent is published before it and retired after it.
// Format      docs/formats/manifest.md
#pragma once

#include <perdure/io/journal_format.hpp>

namespace perdure::io {

inline constexpr std::uint64_t manifest_magic = 0x5453464e414d4450;  // "PDMANFST"
inline constexpr std::uint16_t manifest_format_version = 1;
inline constexpr std::uint32_t manifest_record_bytes = 512;

enum class manifest_kind : std::uint16_t {
    world = 1,            ///< The first record, and only that.
    segment_opened = 2,   ///< first_lsn, first_seq, hash = that of the block before.
    segment_sealed = 3,   ///< last_lsn, last_seq, hash = that of its last block.
    segment_retired = 4,  ///< No longer needed; its file may be gone.
    incarnation = 5,      ///< The world was recovered: receipts of older incarnations end here.
    checkpoint_published = 16,  ///< A file of that name is there, whole and verified.
    checkpoint_retired = 17,    ///< No longer needed; its file may be gone.
};

/// Fields a kind does not name are zero. Of a checkpoint `segment` is the identifier, `generation`
/// its checkpoint_kind, `hash` its link.
struct manifest_record {
    std::uint64_t magic;
    std::uint16_t format;
    std::uint16_t kind;  ///< manifest_kind
    std::uint32_t record_bytes;
    std::uint64_t seq;
    std::uint64_t written_ns;
    uuid world;
    std::uint64_t incarnation;
    uuid segment;
    std::uint64_t generation;
    std::uint64_t first_lsn;
    std::uint64_t last_lsn;
    std::uint64_t first_seq;
    std::uint64_t last_seq;
    block_hash hash;
    block_hash previous_hash;
    uuid parent;               ///< Of an incremental checkpoint.
    std::uint64_t cut_ns;      ///< Wall clock at a checkpoint's cut.
    std::uint64_t file_bytes;  ///< Length of a checkpoint's file.
    std::array<std::uint8_t, 296> reserved;
    std::uint32_t reserved_back;
    std::uint32_t crc;  ///< CRC32C of the bytes before this field.
};
static_assert(shm::mapped<manifest_record> && sizeof(manifest_record) == manifest_record_bytes);
static_assert(offsetof(manifest_record, kind) == 10 && offsetof(manifest_record, seq) == 16);
static_assert(offsetof(manifest_record, world) == 32);
static_assert(offsetof(manifest_record, incarnation) == 48);
static_assert(offsetof(manifest_record, segment) == 56);
static_assert(offsetof(manifest_record, generation) == 72);
static_assert(offsetof(manifest_record, first_lsn) == 80);
static_assert(offsetof(manifest_record, last_lsn) == 88);
static_assert(offsetof(manifest_record, first_seq) == 96);
static_assert(offsetof(manifest_record, last_seq) == 104);
static_assert(offsetof(manifest_record, hash) == 112);
static_assert(offsetof(manifest_record, previous_hash) == 144);
static_assert(offsetof(manifest_record, parent) == 176);
static_assert(offsetof(manifest_record, cut_ns) == 192);
static_assert(offsetof(manifest_record, crc) == 508);

}  // namespace perdure::io

// SPDX-License-Identifier: Apache-2.0
//
// FORMAT a checkpoint's file: what the tables held at one LSN, or what of it has changed since the
// parent's.
//
//   checkpoint = checkpoint_header, sections, index, checkpoint_footer
//   section    = section_header, payload (stored_bytes): a zstd frame of a Cereal portable archive
//   index      = an index_entry for each section, in file order
//
// Section 0 holds the schemas, every other one rows of one table.
//
// Invariants  P1 the footer is the file's last 160 bytes and says where all the rest is.
//             P2 root is the root of the hash tree over header and sections; link, by which the
//                MANIFEST and children name this checkpoint, is BLAKE2b-256 of the footer.
//             P3 a full one has no parent, an incremental one names its parent and the parent's
//                link. P4 lsn <= last_lsn; they differ only when parts were copied behind the gate,
//                each at its own LSN.
//             P5 0 is no kind.
// Format      docs/formats/checkpoint.md
#pragma once

#include <perdure/io/journal_format.hpp>

namespace perdure::io {

inline constexpr std::uint64_t checkpoint_magic = 0x544e504b48434450;  // "PDCHKPNT"
inline constexpr std::uint64_t section_magic = 0x544345534b434450;     // "PDCKSECT"
inline constexpr std::uint64_t footer_magic = 0x444e454b48434450;      // "PDCHKEND"
inline constexpr std::uint16_t checkpoint_format_version = 1;
inline constexpr std::uint32_t section_raw_bytes_max = 1U << 26;

enum class checkpoint_kind : std::uint16_t {
    full = 1,
    incremental = 2,  ///< The rows of the pages that were stored to since the parent's cut.
};

enum class section_kind : std::uint16_t { schemas = 1, rows = 2 };

struct checkpoint_header {
    std::uint64_t magic;
    std::uint16_t format;
    std::uint16_t kind;  ///< checkpoint_kind
    std::uint32_t header_bytes;
    uuid world;
    uuid id;
    uuid parent;             ///< Zero in a full one.
    block_hash parent_link;  ///< Zero in a full one.
    std::uint64_t incarnation;
    std::uint64_t epoch;       ///< Fencing epoch of the keeper that wrote it.
    std::uint64_t lsn;         ///< Of the last record before the cut.
    std::uint64_t world_time;  ///< At the cut.
    std::uint64_t wall_ns;     ///< Wall clock at the cut, coarse.
    std::array<std::uint8_t, 20> reserved;
    std::uint32_t crc;  ///< CRC32C of the bytes before this field.
};
static_assert(shm::mapped<checkpoint_header> && sizeof(checkpoint_header) == 160);
static_assert(offsetof(checkpoint_header, kind) == 10 && offsetof(checkpoint_header, world) == 16);
static_assert(offsetof(checkpoint_header, id) == 32 && offsetof(checkpoint_header, parent) == 48);
static_assert(offsetof(checkpoint_header, parent_link) == 64);
static_assert(offsetof(checkpoint_header, incarnation) == 96);
static_assert(offsetof(checkpoint_header, lsn) == 112);
static_assert(offsetof(checkpoint_header, wall_ns) == 128);
static_assert(offsetof(checkpoint_header, crc) == 156);

struct section_header {
    std::uint64_t magic;
    std::uint16_t kind;  ///< section_kind
    std::uint16_t reserved;
    std::uint32_t table;      ///< Number; 0 in section 0.
    std::uint64_t rows;       ///< Rows in the payload, or schemas.
    std::uint64_t first_row;  ///< The lowest row number in the payload, and the highest.
    std::uint64_t last_row;
    std::uint64_t as_of;  ///< The rows show the records up to this LSN.
    std::uint32_t raw_bytes;
    std::uint32_t stored_bytes;
    std::uint32_t payload_crc;  ///< CRC32C of the stored payload.
    std::uint32_t crc;          ///< CRC32C of the bytes before this field.
};
static_assert(shm::mapped<section_header> && sizeof(section_header) == 64);
static_assert(offsetof(section_header, table) == 12 && offsetof(section_header, rows) == 16);
static_assert(offsetof(section_header, first_row) == 24 && offsetof(section_header, as_of) == 40);
static_assert(offsetof(section_header, raw_bytes) == 48 && offsetof(section_header, crc) == 60);

struct index_entry {
    std::uint64_t at;  ///< Byte of the section's header in the file.
    block_hash hash;   ///< BLAKE2b-256 of header and payload.
};
static_assert(shm::mapped<index_entry> && sizeof(index_entry) == 40);

struct checkpoint_footer {
    std::uint64_t magic;
    std::uint16_t format;
    std::uint16_t reserved;
    std::uint32_t footer_bytes;
    uuid id;
    std::uint64_t index_at;
    std::uint64_t sections;
    std::uint64_t rows;
    std::uint64_t row_bytes;  ///< What the rows take in the region.
    std::uint64_t last_lsn;   ///< The highest as_of.
    block_hash root;
    std::array<std::uint8_t, 48> reserved_back;
    std::uint32_t index_crc;
    std::uint32_t crc;  ///< CRC32C of the bytes before this field.
};
static_assert(shm::mapped<checkpoint_footer> && sizeof(checkpoint_footer) == 160);
static_assert(offsetof(checkpoint_footer, id) == 16 && offsetof(checkpoint_footer, index_at) == 32);
static_assert(offsetof(checkpoint_footer, rows) == 48);
static_assert(offsetof(checkpoint_footer, last_lsn) == 64);
static_assert(offsetof(checkpoint_footer, root) == 72);
static_assert(offsetof(checkpoint_footer, index_crc) == 152);

}  // namespace perdure::io

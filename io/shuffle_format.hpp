// SPDX-License-Identifier: Apache-2.0
//
// FORMAT the payload of a block with codec 2: records of one shape, column by column.
//
//   payload = shuffle_header, [order stream], [loose stream],
//             for each group: group_header, one column_header a word, the columns' planes
//
// A stream is n bytes as they are, or a u32 length and a zstd frame of that length holding n bytes.
// Every header starts where the thing before it ends; nothing is aligned.
//
// Format      docs/formats/journal.md#codec-2
#pragma once

#include <cstddef>
#include <cstdint>

#include <perdure/shm/record_format.hpp>

namespace perdure::io {

enum class stream_mode : std::uint8_t {
    raw = 1,
    packed = 2,  ///< A u32 length, then one zstd frame.
    absent = 3,
};

struct shuffle_header {
    std::uint32_t records;      ///< All of the block.
    std::uint32_t loose_bytes;  ///< Of the records that are in no group.
    std::uint16_t groups;
    std::uint8_t order;  ///< stream_mode: one byte a record, its group; `groups` means loose.
    std::uint8_t loose;  ///< stream_mode: the loose records, one behind the other.
    std::uint32_t reserved;
};
static_assert(shm::mapped<shuffle_header> && sizeof(shuffle_header) == 16);
static_assert(offsetof(shuffle_header, groups) == 8 && offsetof(shuffle_header, loose) == 11);

/// The crc field of a transaction is the low half of this word of its record.
inline constexpr std::size_t crc_word = 2;
inline constexpr std::uint64_t crc_mask = 0xffff'ffff;
static_assert(sizeof(shm::record_header) + offsetof(shm::transaction_header, crc) == crc_word * 8);

enum class checksum_mode : std::uint8_t {
    kept = 1,
    recomputed = 2,  ///< Each record's crc field was right and is left out.
};

struct group_header {
    std::uint32_t record_bytes;
    std::uint32_t records;
    std::uint8_t checksum;  ///< checksum_mode
    std::uint8_t reserved[7];
};
static_assert(shm::mapped<group_header> && sizeof(group_header) == 16);

/// How word w of record i follows from its residue t, in the order of the records of the group.
enum class column_method : std::uint8_t {
    plain = 1,         ///< w = t
    lsn = 2,           ///< w = the record's LSN; no planes
    same = 3,          ///< w = word `source` of the same record; no planes
    negated = 4,       ///< w = 0 - word `source` of the same record; no planes
    delta = 5,         ///< w = w of the record before + unzigzag(t), `seed` before the first
    lsn_distance = 6,  ///< w = the record's LSN - t
};

/// Byte b of every t stands in a plane if bit b is set in raw_planes or packed_planes, else it is
/// byte b of `constant`.
struct column_header {
    std::uint8_t method;         ///< column_method
    std::uint8_t source;         ///< Only with same and negated, below the column's own number.
    std::uint8_t raw_planes;     ///< Bit b: plane b is a raw stream.
    std::uint8_t packed_planes;  ///< Bit b: plane b is a packed stream.
    std::uint32_t reserved;
    std::uint64_t constant;
    std::uint64_t seed;  ///< Only with delta.
};
static_assert(shm::mapped<column_header> && sizeof(column_header) == 24);
static_assert(offsetof(column_header, constant) == 8 && offsetof(column_header, seed) == 16);

inline constexpr std::uint32_t group_record_bytes_max = 1024;
inline constexpr std::size_t groups_max = 64;

}  // namespace perdure::io

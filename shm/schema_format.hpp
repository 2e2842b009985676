// SPDX-License-Identifier: Apache-2.0
//
// FORMAT a table's schema as a row of table 1 ("schemas"); its row number is the table's number.
//
// Invariants  S1 row_bytes is a multiple of 8, at least 24, at most 4096.  S2 field 0 begins at
//             byte 16 or later, fields ascend and do not overlap.  S3 key_at is 0 or a multiple of
//             8 with 16 bytes in the row.  S4 a balanced field is int64 and has a group field.
//             S5 an ordered index names one to six fields, none of them a blob, and their key takes
//             at most index_key_words words.  S6 a blob field has 16 bytes at a multiple of 8.
// Format      docs/formats/region.md#schemas
#pragma once

#include <perdure/shm/region_format.hpp>

namespace perdure::shm {

inline constexpr std::uint32_t schemas_table = 1;
inline constexpr std::uint32_t first_user_table = 2;
inline constexpr std::uint32_t fields_max = 18;
inline constexpr std::uint32_t schema_name_bytes = 32;
inline constexpr std::uint32_t field_name_bytes = 24;
inline constexpr std::uint32_t indexes_max = 12;
inline constexpr std::uint32_t index_fields_max = 6;
inline constexpr std::uint32_t index_key_words = 5;  ///< Without the row number behind them.

enum class field_type : std::uint16_t {
    u32 = 1,
    u64 = 2,
    i64 = 3,
    bytes = 4,  ///< Opaque, printed as hexadecimal.
    text = 5,   ///< UTF-8, filled with zero bytes.
    blob = 6,   ///< A value of its own length in the blob heap (blob.hpp): a blob_ref.
};

enum field_flag : std::uint16_t {
    adds = 1,  ///< Balanced: per group, the sum of adds minus the sum of subtracts never moves.
    subtracts = 2,  ///< Balanced with the opposite sign, e.g. a supply.
};

struct schema_field {
    std::array<char, field_name_bytes> name;
    std::uint16_t type;  ///< field_type
    std::uint16_t offset;
    std::uint16_t bytes;
    std::uint16_t flags;
    std::uint16_t group_offset;  ///< Of the u32 that names the balanced field's group.
    std::array<std::uint16_t, 3> reserved;
};
static_assert(mapped<schema_field> && sizeof(schema_field) == 40);

/// An ordered index: its entries are sorted by these fields, rows of equal ones by their number.
struct schema_index {
    std::uint32_t nodes;        ///< Table number of its nodes (tree_index.hpp).
    std::uint16_t field_count;  ///< 0 = no index.
    std::array<std::uint8_t, index_fields_max> fields;  ///< Numbers, the most significant first.
    std::uint32_t reserved;
};
static_assert(mapped<schema_index> && sizeof(schema_index) == 16);

enum table_flag : std::uint32_t {
    derived = 1,    ///< Rebuilt at recovery from other tables; its changes are not journaled.
    transient = 2,  ///< Not part of state_hash: idempotency keys, cursors.
    heap = 4,       ///< Chunks of blobs: hashed with the rows that refer to them.
    /// Which row of a set an amount is in depends on who wrote: state_hash adds the balanced fields
    /// of all rows up that agree in their other fields, the primary key left out.
    pooled = 8,
};

struct schema_row {
    row_header header;
    std::array<char, schema_name_bytes> name;
    std::uint32_t version;
    std::uint32_t row_bytes;
    std::uint32_t flags;
    std::uint32_t field_count;
    std::uint32_t key_at;
    std::uint32_t index;     ///< Table number of the bucket table, 0 = no hash index.
    std::uint32_t overflow;  ///< Bucket tables only: their overflow table.
    std::uint32_t heap;      ///< Table number of the chunks of its blobs, 0 = no blob field.
    std::array<schema_field, fields_max> fields;
    std::array<schema_index, indexes_max> indexes;
    std::array<std::uint64_t, 4> reserved_back;
};
static_assert(mapped<schema_row> && sizeof(schema_row) == 1024);
static_assert(offsetof(schema_row, fields) == 80 && offsetof(schema_row, indexes) == 800);

/// A chunk of a blob in a table's heap: one link of a chain.
struct blob_chunk {
    row_header header;
    std::uint64_t next;  ///< Row + 1 of the next chunk, 0 = last.
    std::array<std::uint64_t, 125> payload;
};
static_assert(mapped<blob_chunk> && sizeof(blob_chunk) == 1024);
inline constexpr std::uint32_t blob_chunk_payload = sizeof(blob_chunk::payload);

/// What a blob field holds.
struct blob_ref {
    std::uint64_t first;  ///< Row + 1 of the first chunk, 0 = an empty value.
    std::uint64_t bytes;
};
static_assert(mapped<blob_ref> && sizeof(blob_ref) == 16);

}  // namespace perdure::shm

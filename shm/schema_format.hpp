// SPDX-License-Identifier: Apache-2.0
//
// FORMAT a table's schema as a row of table 1 ("schemas"); its row number is the table's number.
//
// Invariants  S1 row_bytes is a multiple of 8, at least 24, at most 4096.  S2 field 0 begins at
//             byte 16 or later, fields ascend and do not overlap.  S3 key_at is 0 or a multiple of
//             8 with 16 bytes in the row.  S4 a balanced field is int64 and has a group field.
// Format      docs/formats/region.md#schemas
#pragma once

#include <perdure/shm/region_format.hpp>

namespace perdure::shm {

inline constexpr std::uint32_t schemas_table = 1;
inline constexpr std::uint32_t first_user_table = 2;
inline constexpr std::uint32_t fields_max = 18;
inline constexpr std::uint32_t schema_name_bytes = 32;
inline constexpr std::uint32_t field_name_bytes = 24;

enum class field_type : std::uint16_t {
    u32 = 1,
    u64 = 2,
    i64 = 3,
    bytes = 4,  ///< Opaque, printed as hexadecimal.
    text = 5,   ///< UTF-8, filled with zero bytes.
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

enum table_flag : std::uint32_t {
    derived = 1,    ///< Rebuilt at recovery from other tables; its changes are not journaled.
    transient = 2,  ///< Not part of state_hash: idempotency keys, cursors.
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
    std::uint32_t reserved;
    std::array<schema_field, fields_max> fields;
    std::array<std::uint64_t, 28> reserved_back;
};
static_assert(mapped<schema_row> && sizeof(schema_row) == 1024);
static_assert(offsetof(schema_row, fields) == 80);

}  // namespace perdure::shm

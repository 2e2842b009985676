// SPDX-License-Identifier: Apache-2.0
//
// What a table's rows look like, as data: the engine reads nothing else to store, journal, balance,
// print or hash them.
//
// Promise     A schema that validate() accepts satisfies S1 to S6 of schema_format.hpp.
// Threads     Values; no shared state.
// Format      schema_format.hpp
#pragma once

#include <perdure/shm/error.hpp>
#include <perdure/shm/schema_format.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace perdure::shm {

struct field {
    std::string name;
    field_type type = field_type::u64;
    std::uint16_t offset = 0;
    std::uint16_t bytes = 8;
    std::uint16_t flags = 0;         ///< field_flag
    std::uint16_t group_offset = 0;  ///< Balanced fields: where the row says which group.

    friend bool operator==(const field&, const field&) = default;
};

/// Field numbers, the most significant first.
using ordered_index = std::vector<std::uint8_t>;

struct schema {
    std::string name;
    std::uint32_t version = 1;
    std::uint32_t row_bytes = 0;
    std::uint32_t flags = 0;   ///< table_flag
    std::uint32_t key_at = 0;  ///< Offset of the 16-byte primary key; 0 = rows have no key.
    std::vector<field> fields;
    std::vector<ordered_index> indexes;

    friend bool operator==(const schema&, const schema&) = default;

    /// Errors: bad_schema.
    [[nodiscard]] result<> validate() const noexcept;
    [[nodiscard]] bool is_balanced() const noexcept;
    [[nodiscard]] bool has_blobs() const noexcept;
    /// Number of the field of that name. Errors: not_found.
    [[nodiscard]] result<std::uint8_t> field_named(std::string_view wanted) const noexcept;
};

/// The stored form; header, index numbers and reserved bytes stay zero. Requires: validate().
schema_row to_row(const schema& from) noexcept;

/// Errors: bad_schema when the row breaks a rule: what a garbled region answers.
result<schema> from_row(const schema_row& row);

/// The first balanced field that counts as `sign` (+1 adds, -1 subtracts) in group order.
struct balance_rule {
    std::uint16_t offset;
    std::uint16_t group_offset;
    std::int32_t sign;
};

/// A part of an index's key: a field, encoded so that words compare as the values do.
struct key_part {
    std::uint16_t offset;
    std::uint16_t bytes;
    field_type type;
};

/// What a transaction must know of an ordered index.
struct index_shape {
    std::uint32_t nodes = 0;
    std::uint32_t words = 0;  ///< Of a key, the row number behind it included.
    std::vector<key_part> parts;
};

/// What a transaction must know of a table, prepared once a process.
struct table_shape {
    std::uint32_t row_bytes = 0;  ///< 0 = unknown table.
    std::uint32_t flags = 0;
    std::uint32_t key_at = 0;
    std::uint32_t index = 0;
    std::uint32_t heap = 0;
    std::uint32_t rule_words = 0;  ///< Bit i: a rule looks at word i; ~0 where one lies behind.
    std::vector<balance_rule> rules;
    std::vector<index_shape> indexes;
    std::vector<std::uint32_t> blobs;  ///< Offsets of the blob fields.
};

table_shape shape_of(const schema_row& row);

}  // namespace perdure::shm

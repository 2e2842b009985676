// SPDX-License-Identifier: Apache-2.0
//
// A field of a row as a value: read by its schema, compared, printed.
//
// Promise     Integers of 64 bits are exact wherever they are printed. What is printed for people
//             or as JSON is valid UTF-8 without control characters, whatever the region holds.
// Threads     Values; no shared state.
#pragma once

#include <cstdint>
#include <optional>
#include <perdure/shm/schema.hpp>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace perdure::apps {

/// Bytes that mean nothing to us; printed as hexadecimal digits.
struct opaque {
    std::string bytes;
    auto operator<=>(const opaque&) const = default;
};

/// What a blob field holds is shown as its length, a number.
/// Values of one column always hold the same alternative, so that they compare as it does.
using value = std::variant<std::uint64_t, std::int64_t, std::string, opaque>;

enum class column_source {
    field,  ///< A field of the schema.
    row,    ///< The row's number.
    lsn,    ///< The LSN of its last change.
};

struct column {
    std::string name;
    column_source source = column_source::field;
    shm::field field;  ///< Where `source` is field.

    /// True for fields that are printed as digits.
    [[nodiscard]] bool is_number() const noexcept {
        return source != column_source::field ||
               (field.type != shm::field_type::bytes && field.type != shm::field_type::text);
    }
};

/// A whole row as it was at one moment.
struct stored_row {
    std::uint64_t row = 0;
    std::vector<std::byte> bytes;
};

/// Every field, in the schema's order.
[[nodiscard]] std::vector<column> columns_of(const shm::schema& shape);

/// A field, or "row" or "lsn" where no field bears that name. Throws failure: bad_query, with the
/// names there are.
[[nodiscard]] column column_named(const shm::schema& shape, std::string_view name);

[[nodiscard]] value read_value(const column& from, const stored_row& row);

/// Digits, hexadecimal digits, or the text as it is stored.
[[nodiscard]] std::string print_plain(const value& what);

/// The same with control characters and broken UTF-8 replaced by '?', for a terminal.
[[nodiscard]] std::string print_shown(const value& what);

/// A JSON number or string.
void append_json(std::string& to, const value& what);

/// A JSON string. Broken UTF-8 becomes U+FFFD.
void append_json(std::string& to, std::string_view text);

/// A field of RFC 4180: quoted where it must be.
void append_csv(std::string& to, std::string_view text);

}  // namespace perdure::apps

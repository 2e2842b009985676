// SPDX-License-Identifier: Apache-2.0
//
// Which rows, in which order, which fields: the words behind --where, --order and --fields.
//
//   where     = term { "and" term }
//   term      = field operator constant
//   operator  = "=" | "!=" | "<" | "<=" | ">" | ">=" | "^="        ("^=": begins with)
//   constant  = number | hexadecimal digits, with 0x or without | word | 'text' | "text"
//
// Promise     A word that cannot be read is refused with its place, and with what was expected
//             there. Constants are of their field's type, or refused.
// Threads     Values; no shared state.
#pragma once

#include <perdure/apps/tables/value.hpp>

namespace perdure::apps {

enum class comparison { equal, unequal, less, at_most, more, at_least, begins };

struct term {
    column what;
    comparison how = comparison::equal;
    value with;
};

struct ordering {
    column by;
    bool descending = false;
};

/// Throws failure: bad_query. An empty text asks for every row.
[[nodiscard]] std::vector<term> parse_where(const shm::schema& shape, std::string_view text);

/// "field", "field:asc" or "field:desc". Throws failure: bad_query.
[[nodiscard]] ordering parse_order(const shm::schema& shape, std::string_view text);

/// "a,b"; empty: every field. Throws failure: bad_query.
[[nodiscard]] std::vector<column> parse_fields(const shm::schema& shape, std::string_view text);

[[nodiscard]] bool holds(const std::vector<term>& all, const stored_row& row);

}  // namespace perdure::apps

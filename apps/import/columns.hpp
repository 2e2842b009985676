// SPDX-License-Identifier: Apache-2.0
//
// What the words of a command say about a file's columns: which stands for what, in which lines.
//
// Promise     Everything is resolved against the header once; a word that means nothing is refused
//             with what would.
// Threads     Values.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <perdure/apps/import/csv.hpp>

namespace perdure::apps {

/// "NAME", a column; or "=TEXT", where {NAME} in the text stands for a column.
class text_pattern {
  public:
    /// Throws failure: bad_setting.
    static text_pattern find(std::string_view wanted, const csv_reader& header);
    /// Requires: the record has as many fields as the header.
    void fill(const csv_reader& record, std::string& into) const;

  private:
    struct piece {
        std::string before;
        std::optional<std::size_t> column;
    };
    std::vector<piece> pieces_;
};

/// "NAME=VALUE|VALUE": true for lines whose column holds one of the values.
class line_condition {
  public:
    line_condition() = default;
    /// Throws failure: bad_setting.
    static line_condition find(std::string_view wanted, const csv_reader& header);
    /// Requires: the record has as many fields as the header.
    [[nodiscard]] bool holds(const csv_reader& record) const noexcept;

  private:
    std::size_t column_ = 0;
    std::vector<std::string> values_;
};

/// The pairs of "role=pattern,role=pattern", in their order. Throws failure: bad_setting when a
/// role is none of `roles` or is named twice; `usage` is the remedy.
[[nodiscard]] std::vector<std::pair<std::string_view, std::string_view>> split_roles(
    std::string_view wanted, const std::vector<std::string_view>& roles, const std::string& usage);

/// Throws failure: bad_setting, with the columns there are.
[[nodiscard]] std::size_t column_named(std::string_view name, const csv_reader& header);

}  // namespace perdure::apps

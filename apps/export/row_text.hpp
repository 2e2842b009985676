// SPDX-License-Identifier: Apache-2.0
//
// Rows as JSON objects and as records of RFC 4180.
//
// Threads     Pure functions.
#pragma once

#include <perdure/apps/tables/value.hpp>

namespace perdure::apps {

/// The columns an export has: row and lsn, then every field; a field of those names stands for
/// itself.
[[nodiscard]] std::vector<column> export_columns(const shm::schema& shape);

/// {"row":1,"lsn":7,"kind":1,...}
void append_json_row(std::string& to, const std::vector<column>& columns, const stored_row& row);

/// The names, with CR LF.
void append_csv_head(std::string& to, const std::vector<column>& columns);
void append_csv_row(std::string& to, const std::vector<column>& columns, const stored_row& row);

}  // namespace perdure::apps

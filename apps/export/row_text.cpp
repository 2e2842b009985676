// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/export/row_text.hpp>

#include <algorithm>

namespace perdure::apps {

std::vector<column> export_columns(const shm::schema& shape) {
    std::vector<column> out;
    for (const auto* name : {"row", "lsn"}) {
        const bool is_field = std::ranges::any_of(
            shape.fields, [&](const shm::field& each) { return each.name == name; });
        if (!is_field) out.push_back(column_named(shape, name));
    }
    for (auto& each : columns_of(shape)) out.push_back(std::move(each));
    return out;
}

void append_json_row(std::string& to, const std::vector<column>& columns, const stored_row& row) {
    char before = '{';
    for (const auto& each : columns) {
        to += std::exchange(before, ',');
        append_json(to, std::string_view(each.name));
        to += ':';
        append_json(to, read_value(each, row));
    }
    to += '}';
}

void append_csv_head(std::string& to, const std::vector<column>& columns) {
    for (const auto& each : columns) {
        if (&each != &columns.front()) to += ',';
        append_csv(to, each.name);
    }
    to += "\r\n";
}

void append_csv_row(std::string& to, const std::vector<column>& columns, const stored_row& row) {
    for (const auto& each : columns) {
        if (&each != &columns.front()) to += ',';
        append_csv(to, print_plain(read_value(each, row)));
    }
    to += "\r\n";
}

}  // namespace perdure::apps

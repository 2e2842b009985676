// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/import/columns.hpp>

#include <algorithm>

namespace perdure::apps {

std::size_t column_named(std::string_view name, const csv_reader& header) {
    const auto fields = header.fields();
    const auto found = std::ranges::find(fields, name);
    if (found != fields.end()) return static_cast<std::size_t>(found - fields.begin());
    std::string there;
    for (const std::string_view each : fields)
        there += (there.empty() ? "" : ", ") + std::string(each);
    throw failure(errc::bad_setting,
                  "--columns: the file has no column \"" + std::string(name) + "\"",
                  "its columns are " + there);
}

text_pattern text_pattern::find(std::string_view wanted, const csv_reader& header) {
    text_pattern made;
    if (!wanted.starts_with('=')) {
        made.pieces_.push_back({"", column_named(wanted, header)});
        return made;
    }
    for (std::string_view rest = wanted.substr(1); !rest.empty();) {
        const std::size_t open = std::min(rest.find('{'), rest.size());
        piece next{std::string(rest.substr(0, open)), {}};
        rest.remove_prefix(open);
        if (!rest.empty()) {
            const std::size_t close = rest.find('}');
            if (close == std::string_view::npos) {
                throw failure(errc::bad_setting,
                              "--columns: \"" + std::string(wanted) + "\" opens a { and leaves it",
                              "write =TEXT with a column as {NAME}");
            }
            next.column = column_named(rest.substr(1, close - 1), header);
            rest.remove_prefix(close + 1);
        }
        made.pieces_.push_back(std::move(next));
    }
    return made;
}

void text_pattern::fill(const csv_reader& record, std::string& into) const {
    into.clear();
    for (const piece& each : pieces_) {
        into += each.before;
        if (each.column) into += record.fields()[*each.column];
    }
}

line_condition line_condition::find(std::string_view wanted, const csv_reader& header) {
    line_condition made;
    const std::size_t equals = wanted.find('=');
    if (equals == std::string_view::npos) {
        throw failure(errc::bad_setting, "\"" + std::string(wanted) + "\" is no condition",
                      "write NAME=VALUE or NAME=VALUE|VALUE");
    }
    made.column_ = column_named(wanted.substr(0, equals), header);
    std::string_view rest = wanted.substr(equals + 1);
    for (;;) {
        const std::size_t end = std::min(rest.find('|'), rest.size());
        made.values_.emplace_back(rest.substr(0, end));
        if (end == rest.size()) return made;
        rest.remove_prefix(end + 1);
    }
}

bool line_condition::holds(const csv_reader& record) const noexcept {
    const std::string_view there = record.fields()[column_];
    return std::ranges::any_of(values_, [&](const std::string& each) { return each == there; });
}

std::vector<std::pair<std::string_view, std::string_view>> split_roles(
    std::string_view wanted, const std::vector<std::string_view>& roles, const std::string& usage) {
    std::vector<std::pair<std::string_view, std::string_view>> made;
    const auto refuse = [&](const std::string& why) {
        throw failure(errc::bad_setting, "--columns " + std::string(wanted) + ": " + why, usage);
    };
    for (std::string_view rest = wanted; !rest.empty();) {
        const std::string_view pair = rest.substr(0, rest.find(','));
        rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
        const std::size_t equals = pair.find('=');
        const std::string_view role = pair.substr(0, equals);
        if (equals == std::string_view::npos || std::ranges::find(roles, role) == roles.end()) {
            refuse("what is " + std::string(pair) + "?");
        }
        const auto same = [&](const auto& each) { return each.first == role; };
        if (std::ranges::any_of(made, same)) refuse(std::string(role) + " is named twice");
        made.emplace_back(role, pair.substr(equals + 1));
    }
    return made;
}

}  // namespace perdure::apps

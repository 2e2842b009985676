// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/cli/reading.hpp>

#include <algorithm>

#include <fmt/format.h>
#include <boost/json.hpp>
#include <perdure/apps/cli/console.hpp>
#include <perdure/apps/export/row_text.hpp>
#include <perdure/apps/export/sink.hpp>
#include <perdure/apps/tables/money.hpp>
#include <perdure/apps/tables/path.hpp>

namespace perdure::apps {
namespace {

constexpr std::size_t rows_measured = 100;  // Widths are those of the first so many rows.

/// Rows in columns that stand below each other.
class text_table {
  public:
    text_table(text_sink& to, std::vector<column> columns, std::vector<std::string> more)
        : to_(to), columns_(std::move(columns)) {
        std::vector<std::string> head;
        for (const auto& each : columns_) head.push_back(each.name);
        head.insert(head.end(), more.begin(), more.end());
        widths_.resize(head.size());
        add(std::move(head));
    }
    void add(std::vector<std::string> cells) {
        for (std::size_t i = 0; i < cells.size(); ++i) {
            widths_[i] = std::max(widths_[i], letters(cells[i]));
        }
        held_.push_back(std::move(cells));
        if (held_.size() > rows_measured) flush();
    }
    void flush() {
        for (const auto& cells : held_) print_row(cells);
        held_.clear();
    }

  private:
    /// Letters, not bytes: what follows a lead byte takes no place.
    static std::size_t letters(std::string_view text) {
        return static_cast<std::size_t>(
            std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
    }
    void print_row(const std::vector<std::string>& cells) {
        std::string line;
        for (std::size_t i = 0; i < cells.size(); ++i) {
            const std::string blanks(widths_[i] - std::min(widths_[i], letters(cells[i])), ' ');
            const bool right = i < columns_.size() && columns_[i].is_number();
            line += right ? blanks + cells[i] : cells[i] + blanks;
            line += "  ";
        }
        line.erase(line.find_last_not_of(' ') + 1);
        to_.add(line + '\n');
    }

    text_sink& to_;
    std::vector<column> columns_;
    std::vector<std::size_t> widths_;
    std::vector<std::vector<std::string>> held_;
};

std::string key_of(const stored_table& table) {
    for (const auto& field : table.shape.fields) {
        if (table.shape.key_at != 0 && field.offset == table.shape.key_at) return field.name;
    }
    return table.shape.key_at == 0 ? "" : "bytes " + std::to_string(table.shape.key_at);
}

std::uint64_t count_rows(world_reader& in, const stored_table& table) {
    table_scan scan(in, table);
    std::uint64_t rows = 0;
    for (stored_row row; scan.next(row);) ++rows;
    return rows;
}

int list_tables(world_reader& in, const query_order& order) {
    boost::json::array all;
    if (!order.where.json) {
        print(fmt::format("{:<6} {:<24} {:>14} {:>6}  {:<12} {}", "number", "table", "rows",
                          "bytes", "key", "fields"));
    }
    for (const auto& each : in.tables()) {
        const auto rows = count_rows(in, each);
        std::string names;
        boost::json::array fields;
        for (const auto& field : each.shape.fields) {
            names += (names.empty() ? "" : ",") + field.name;
            fields.emplace_back(field.name);
        }
        if (order.where.json) {
            all.push_back(boost::json::object{{"table", each.shape.name},
                                              {"number", each.number},
                                              {"version", each.shape.version},
                                              {"rows", rows},
                                              {"row_bytes", each.shape.row_bytes},
                                              {"key", key_of(each)},
                                              {"fields", std::move(fields)}});
        } else {
            print(fmt::format("{:<6} {:<24} {:>14} {:>6}  {:<12} {}", each.number, each.shape.name,
                              grouped(rows), each.shape.row_bytes, key_of(each), names));
        }
    }
    if (order.where.json) {
        print(boost::json::object{{"world", order.where.directory}, {"tables", std::move(all)}});
    }
    return exit_done;
}

selection selection_of(const stored_table& table, const query_order& order) {
    selection wanted;
    wanted.where = parse_where(table.shape, order.condition);
    if (!order.order.empty()) wanted.order = parse_order(table.shape, order.order);
    wanted.limit = order.limit;
    return wanted;
}

/// {"table":…,"rows":[…],…}, written as the rows come.
void print_json(world_reader& in, const stored_table& table, const query_order& order) {
    const auto columns = order.fields.empty() ? export_columns(table.shape)
                                              : parse_fields(table.shape, order.fields);
    const auto wanted = selection_of(table, order);
    money names(in);
    output_sink to;
    std::string text = "{\"table\":";
    append_json(text, std::string_view(table.shape.name));
    to.add(text + ",\"rows\":[");
    const auto from = in.last_lsn();
    bool first = true;
    const auto report = select(in, table, wanted, [&](const stored_row& row) {
        text = first ? "" : ",";
        first = false;
        append_json_row(text, columns, row);
        std::string shown;
        const auto show = [&](std::string_view name, const std::optional<std::string>& what) {
            if (!what) return;
            shown += shown.empty() ? '{' : ',';
            append_json(shown, name);
            shown += ':';
            append_json(shown, std::string_view(*what));
        };
        show("account", names.account(table, row));
        for (const auto& each : columns) show(each.name, names.shown(table, each, row));
        if (!shown.empty()) text.replace(text.size() - 1, 1, ",\"shown\":" + shown + "}}");
        to.add(text);
    });
    to.add(fmt::format("],\"path\":\"{}\",\"more\":{},\"lsn_from\":{},\"lsn_to\":{}}}\n",
                       report.path, report.more, from, in.last_lsn()));
    to.finish();
}

void print_text(world_reader& in, const stored_table& table, const query_order& order) {
    const auto columns = parse_fields(table.shape, order.fields);
    const auto wanted = selection_of(table, order);
    money names(in);
    output_sink to;
    std::vector<std::string> more;
    const bool has_account = std::ranges::any_of(
        table.shape.fields, [](const shm::field& each) { return (each.flags & shm::adds) != 0; });
    if (has_account) more.emplace_back("account");
    text_table text(to, columns, more);
    const auto report = select(in, table, wanted, [&](const stored_row& row) {
        std::vector<std::string> cells;
        for (const auto& each : columns) {
            const auto shown = names.shown(table, each, row);
            cells.push_back(print_shown(shown ? value(*shown) : read_value(each, row)));
        }
        if (has_account) cells.push_back(print_shown(names.account(table, row).value_or("")));
        text.add(std::move(cells));
    });
    text.flush();
    to.finish();
    tell(fmt::format("{} rows by {}, LSN {}{}", grouped(report.rows), report.path, in.last_lsn(),
                     report.more ? "; there are more: --limit N, 0 for all" : ""));
}

}  // namespace

int query(const query_order& order) {
    world_reader in(order.where);
    if (order.table.empty()) return list_tables(in, order);
    const stored_table table = in.table_named(order.table);
    order.where.json ? print_json(in, table, order) : print_text(in, table, order);
    return exit_done;
}

}  // namespace perdure::apps

// SPDX-License-Identifier: Apache-2.0
//
// What differs between two points in a world's history, row by row and field by field.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <cstring>
#include <map>
#include <perdure/apps/cli/command.hpp>
#include <perdure/apps/cli/configuration.hpp>
#include <perdure/apps/cli/console.hpp>
#include <perdure/apps/tables/reader.hpp>

namespace perdure::apps {
namespace {

namespace json = boost::json;

/// "LSN", or a time.
world_choice world_at(const world_choice& where, const std::string& point) {
    world_choice out = where;
    const bool is_lsn = !point.empty() && point.size() < 10 &&
                        point.find_first_not_of("0123456789") == std::string::npos;
    if (is_lsn) {
        out.lsn = std::stoull(point);
    } else {
        out.at = point;
    }
    return out;
}

struct table_change {
    std::uint64_t added = 0;
    std::uint64_t removed = 0;
    std::uint64_t changed = 0;
    json::array rows;  // The first of them.
};

/// What tells a row from others of its table, for people: its first field.
json::value name_of(const std::vector<column>& columns, const stored_row& row) {
    return columns.empty() ? json::value(row.row)
                           : json::value(print_shown(read_value(columns.front(), row)));
}

class comparison {
  public:
    comparison(world_reader& before, world_reader& after, std::uint64_t limit)
        : before_(before), after_(after), limit_(limit) {}

    table_change compare(const stored_table* was, const stored_table* is) {
        const auto& table = is != nullptr ? *is : *was;
        const auto columns = columns_of(table.shape);
        const std::uint64_t end = std::max(was == nullptr ? 0 : before_.row_end(*was),
                                           is == nullptr ? 0 : after_.row_end(*is));
        table_change out;
        stored_row old;
        stored_row now;
        for (std::uint64_t row = 0; row < end; ++row) {
            const bool lived = was != nullptr && before_.read(*was, row, old);
            const bool lives = is != nullptr && after_.read(*is, row, now);
            if (lived && lives && is_same_one(old, now)) {
                note_change(out, columns, old, now);
                continue;
            }
            // Freed and taken again: two rows, one after the other.
            if (lived) ++out.removed, note(out, "removed", columns, old);
            if (lives) ++out.added, note(out, "added", columns, now);
        }
        return out;
    }

  private:
    static const shm::row_header& header_of(const stored_row& row) {
        return *reinterpret_cast<const shm::row_header*>(row.bytes.data());
    }
    static bool is_same_one(const stored_row& old, const stored_row& now) {
        return header_of(old).generation == header_of(now).generation;
    }
    [[nodiscard]] bool has_room(const table_change& in) const {
        return limit_ == 0 || in.rows.size() < limit_;
    }
    void note(table_change& in, const char* what, const std::vector<column>& columns,
              const stored_row& row) const {
        if (!has_room(in)) return;
        json::object fields;
        for (const auto& each : columns) {
            fields[each.name] = print_shown(read_value(each, row));
        }
        in.rows.push_back(json::object{{"change", what},
                                       {"row", row.row},
                                       {"name", name_of(columns, row)},
                                       {"fields", std::move(fields)}});
    }
    void note_change(table_change& in, const std::vector<column>& columns, const stored_row& old,
                     const stored_row& now) const {
        json::object fields;
        bool any = false;
        for (const auto& each : columns) {
            const auto was = read_value(each, old);
            const auto is = read_value(each, now);
            if (was == is) continue;
            any = true;
            if (has_room(in)) {
                fields[each.name] = json::array{print_shown(was), print_shown(is)};
            }
        }
        if (!any) return;
        ++in.changed;
        if (!has_room(in)) return;
        in.rows.push_back(json::object{{"change", "changed"},
                                       {"row", now.row},
                                       {"name", name_of(columns, now)},
                                       {"fields", std::move(fields)}});
    }

    world_reader& before_;
    world_reader& after_;
    std::uint64_t limit_;
};

void print_table(const std::string& name, const table_change& change) {
    print(fmt::format("{}: {} added, {} removed, {} changed", name, grouped(change.added),
                      grouped(change.removed), grouped(change.changed)));
    for (const auto& each : change.rows) {
        const auto& row = each.as_object();
        std::string line = fmt::format("  {:<8} row {:<8} {}", row.at("change").as_string().c_str(),
                                       row.at("row").to_number<std::uint64_t>(),
                                       json::value_to<std::string>(row.at("name")));
        for (const auto& [field, what] : row.at("fields").as_object()) {
            if (!what.is_array()) continue;
            line += fmt::format("; {} {} -> {}", std::string(field),
                                what.as_array()[0].as_string().c_str(),
                                what.as_array()[1].as_string().c_str());
        }
        print(line);
    }
    const auto all = change.added + change.removed + change.changed;
    if (all > change.rows.size()) {
        print(fmt::format("  and {} more; --limit 0 shows all", grouped(all - change.rows.size())));
    }
}

}  // namespace

int diff(const diff_order& order) {
    world_reader before(world_at(order.where, order.from));
    world_reader after(order.to.empty() ? order.where : world_at(order.where, order.to));
    std::map<std::string, std::pair<const stored_table*, const stored_table*>> both;
    const auto old = before.tables();
    const auto now = after.tables();
    for (const auto& each : old) both[each.shape.name].first = &each;
    for (const auto& each : now) both[each.shape.name].second = &each;
    comparison by(before, after, order.limit);
    json::object tables;
    std::uint64_t differences = 0;
    if (!order.where.json) {
        print(fmt::format("from LSN {} to LSN {}", grouped(before.last_lsn()),
                          grouped(after.last_lsn())));
    }
    for (const auto& [name, pair] : both) {
        auto change = by.compare(pair.first, pair.second);
        const auto all = change.added + change.removed + change.changed;
        if (all == 0) continue;
        differences += all;
        if (!order.where.json) print_table(name, change);
        tables[name] = json::object{{"added", change.added},
                                    {"removed", change.removed},
                                    {"changed", change.changed},
                                    {"rows", std::move(change.rows)}};
    }
    if (order.where.json) {
        print(json::object{{"from_lsn", before.last_lsn()},
                           {"to_lsn", after.last_lsn()},
                           {"differences", differences},
                           {"tables", std::move(tables)}});
    } else if (differences == 0) {
        print("nothing differs");
    }
    return exit_done;
}

}  // namespace perdure::apps

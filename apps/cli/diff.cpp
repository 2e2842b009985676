// SPDX-License-Identifier: Apache-2.0
//
// What differs between two points in a world's history, row by row and field by field.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <cstring>
#include <map>
#include <perdure/apps/cli/command.hpp>
#include <perdure/apps/cli/configuration.hpp>
#include <perdure/apps/cli/console.hpp>
#include <perdure/apps/tables/money.hpp>
#include <perdure/apps/tables/reader.hpp>

namespace perdure::apps {
namespace {

namespace json = boost::json;

/// An LSN, or a time.
world_choice world_at(const world_choice& where, const std::string& option,
                      const std::string& point) {
    world_choice out = where;
    std::uint64_t lsn = 0;
    const char* behind = point.data() + point.size();
    const auto [end, error] = std::from_chars(point.data(), behind, lsn);
    const bool is_number = error == std::errc() && end == behind;
    if (is_number ? lsn == 0 : !io::parse_time(point)) {
        throw failure(errc::bad_query, "diff " + option + " " + point + ": no time, nor an LSN",
                      "give 480123, or \"2026-11-22 14:03:05\", in UTC");
    }
    if (is_number) out.lsn = lsn;
    if (!is_number) out.at = point;
    return out;
}

struct table_change {
    std::uint64_t added = 0;
    std::uint64_t removed = 0;
    std::uint64_t changed = 0;
    bool is_bookkeeping = false;     // No part of the economy's state: counted, not listed.
    json::array rows;                // The first of them, for programs,
    std::vector<std::string> lines;  // and for people.

    [[nodiscard]] std::uint64_t all() const noexcept { return added + removed + changed; }
};

/// A row as one of the two worlds has it, with the names and scales which that world knows.
struct sight {
    const stored_table& table;
    const std::vector<column>& columns;
    const stored_row& row;
    money& names;
};

bool is_balanced(const column& what) noexcept {
    return (what.field.flags & (shm::adds | shm::subtracts)) != 0;
}

std::string raw_of(const sight& at, const column& what) {
    return print_shown(read_value(what, at.row));
}

/// As `perdure query` shows it, where that is more than what is stored.
std::optional<std::string> shown_of(const sight& at, const column& what) {
    const auto known = at.names.shown(at.table, what, at.row);
    return known ? std::optional(print_shown(*known)) : std::nullopt;
}

/// Its first field, as it is stored.
std::string raw_name(const sight& at) {
    return at.columns.empty() ? std::to_string(at.row.row) : raw_of(at, at.columns.front());
}

/// What tells a row from others of its table, for people.
std::string title_of(const sight& at, const json::object& shown) {
    const auto* account = shown.if_contains("account");
    const bool is_found = account != nullptr && account->is_string();
    std::string title = is_found ? std::string(account->as_string()) : "";
    for (const auto& each : at.columns) {
        const bool is_name = each.name == "name" || each.name == "code";
        if (title.empty() && is_name && !each.is_number()) title = raw_of(at, each);
        const auto* group = is_balanced(each) ? nullptr : shown.if_contains(each.name);
        if (is_found && group != nullptr && group != account && group->is_string()) {
            title += ' ' + std::string(group->as_string());
        }
    }
    return title.empty() ? raw_name(at) : title;
}

/// What is told of one row.
struct row_story {
    json::object fields;
    json::object shown;
    std::string amounts;
};

class comparison {
  public:
    comparison(world_reader& before, world_reader& after, const diff_order& order)
        : before_(before),
          after_(after),
          old_names_(before),
          new_names_(after),
          limit_(order.limit),
          json_(order.where.json) {}

    table_change compare(const stored_table* was, const stored_table* is) {
        const auto& table = is != nullptr ? *is : *was;
        const auto columns = columns_of(table.shape);
        const std::uint64_t end = std::max(was == nullptr ? 0 : before_.row_end(*was),
                                           is == nullptr ? 0 : after_.row_end(*is));
        table_change out;
        out.is_bookkeeping = (table.shape.flags & shm::transient) != 0;
        stored_row old;
        stored_row now;
        const sight then{was != nullptr ? *was : table, columns, old, old_names_};
        const sight here{table, columns, now, new_names_};
        for (std::uint64_t row = 0; row < end; ++row) {
            const bool lived = was != nullptr && before_.read(*was, row, old);
            const bool lives = is != nullptr && after_.read(*is, row, now);
            if (lived && lives && is_same_one(old, now)) {
                note_change(out, then, here);
                continue;
            }
            // Freed and taken again: two rows, one after the other.
            if (lived) ++out.removed, note(out, "removed", then);
            if (lives) ++out.added, note(out, "added", here);
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
        if (limit_ == 0) return true;
        return !in.is_bookkeeping && std::max(in.rows.size(), in.lines.size()) < limit_;
    }
    void add(table_change& in, const char* change, const sight& at, row_story story) const {
        if (const auto who = at.names.account(at.table, at.row)) {
            story.shown["account"] = print_shown(*who);
        }
        if (!json_) {
            in.lines.push_back(fmt::format("  {:<8} row {:<8} {}{}", change, at.row.row,
                                           title_of(at, story.shown), story.amounts));
            return;
        }
        json::object told{{"change", change},
                          {"row", at.row.row},
                          {"name", raw_name(at)},
                          {"fields", std::move(story.fields)}};
        if (!story.shown.empty()) told["shown"] = std::move(story.shown);
        in.rows.push_back(std::move(told));
    }
    void note(table_change& in, const char* change, const sight& at) const {
        if (!has_room(in)) return;
        row_story story;
        for (const auto& each : at.columns) {
            story.fields[each.name] = raw_of(at, each);
            const auto known = shown_of(at, each);
            if (!known) continue;
            story.shown[each.name] = *known;
            if (is_balanced(each)) story.amounts += fmt::format("; {} {}", each.name, *known);
        }
        add(in, change, at, std::move(story));
    }
    void note_change(table_change& in, const sight& then, const sight& here) const {
        const bool is_told = has_room(in);
        row_story story;
        bool any = false;
        for (const auto& each : here.columns) {
            const bool differs = read_value(each, then.row) != read_value(each, here.row);
            any = any || differs;
            if (!is_told) continue;
            const auto known = shown_of(here, each);
            // Which asset it is says something of a row also where only its amounts differ.
            if (known && !differs && !is_balanced(each)) story.shown[each.name] = *known;
            if (differs) tell_change(story, each, then, here);
        }
        if (!any) return;
        ++in.changed;
        if (is_told) add(in, "changed", here, std::move(story));
    }
    static void tell_change(row_story& to, const column& what, const sight& then,
                            const sight& here) {
        auto was = raw_of(then, what);
        auto is = raw_of(here, what);
        to.fields[what.name] = json::array{was, is};
        const auto old = shown_of(then, what);
        const auto now = shown_of(here, what);
        if (old && now) to.shown[what.name] = json::array{was = *old, is = *now};
        to.amounts += fmt::format("; {} {} -> {}", what.name, was, is);
    }

    world_reader& before_;
    world_reader& after_;
    money old_names_;
    money new_names_;
    std::uint64_t limit_;
    bool json_;
};

void print_table(const std::string& name, const table_change& change) {
    print(fmt::format("{}: {} added, {} removed, {} changed", name, grouped(change.added),
                      grouped(change.removed), grouped(change.changed)));
    for (const auto& each : change.lines) print(each);
    const auto more = change.all() - change.lines.size();
    if (more == 0) return;
    print(change.is_bookkeeping ? "  bookkeeping, only counted; --limit 0 shows its rows"
                                : fmt::format("  and {} more; --limit 0 shows all", grouped(more)));
}

}  // namespace

int diff(const diff_order& order) {
    world_reader before(world_at(order.where, "--from", order.from));
    world_reader after(order.to ? world_at(order.where, "--to", *order.to) : order.where);
    std::map<std::string, std::pair<const stored_table*, const stored_table*>> both;
    const auto old = before.tables();
    const auto now = after.tables();
    for (const auto& each : old) both[each.shape.name].first = &each;
    for (const auto& each : now) both[each.shape.name].second = &each;
    comparison by(before, after, order);
    json::object tables;
    std::uint64_t differences = 0;
    if (!order.where.json) {
        print(fmt::format("from LSN {} to LSN {}", grouped(before.last_lsn()),
                          grouped(after.last_lsn())));
    }
    for (const auto& [name, pair] : both) {
        auto change = by.compare(pair.first, pair.second);
        if (change.all() == 0) continue;
        differences += change.all();
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

// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/tables/path.hpp>

#include <algorithm>
#include <cstring>

#include <perdure/apps/tables/index_walk.hpp>

namespace perdure::apps {
namespace {

/// The key that the condition names whole, if it does.
std::optional<shm::row_key> key_named(const stored_table& of, const std::vector<term>& where) {
    shm::row_key key{};
    if (of.shape.key_at == 0) return std::nullopt;
    for (const auto& each : where) {
        if (each.how != comparison::equal || each.what.source != column_source::field ||
            each.what.field.offset != of.shape.key_at) {
            continue;
        }
        const auto* bytes = std::get_if<opaque>(&each.with);
        if (bytes == nullptr || bytes->bytes.size() != sizeof key) continue;
        std::memcpy(&key, bytes->bytes.data(), sizeof key);
        return key;
    }
    return std::nullopt;
}

/// Where candidates come from: one row by its key, an ordered index, or all of the table.
class row_path {
  public:
    row_path(world_reader& in, const stored_table& of, const selection& wanted)
        : in_(in), of_(of), key_(key_named(of, wanted.where)), scan_(in, of) {
        if (key_) return;
        if (auto plan = plan_index(in, of, wanted.where, wanted.order)) {
            walk_.emplace(in, of, std::move(*plan));
        }
    }

    [[nodiscard]] std::string name() const {
        if (walk_) return walk_->plan().name;
        return key_ ? "primary key" : "table scan";
    }
    /// Nothing has to be held back to be sorted.
    [[nodiscard]] bool is_ordered() const noexcept {
        return key_ || (walk_ && walk_->plan().is_ordered);  // By key: one row at most.
    }
    bool next(stored_row& into) {
        if (walk_) return walk_->next(into);
        if (!key_) return scan_.next(into);
        return !std::exchange(asked_, true) && in_.find(of_, *key_, into);
    }

  private:
    world_reader& in_;
    const stored_table& of_;
    std::optional<shm::row_key> key_;
    std::optional<index_walk> walk_;
    table_scan scan_;
    bool asked_ = false;
};

struct ranked {
    value by;
    stored_row row;
};

/// The first `most` rows in order: a heap whose top is the last of them.
class first_rows {
    /// Rows of equal value stand in the order of their numbers, whichever way.
    [[nodiscard]] auto before() const {
        return [down = order_.descending](const ranked& left, const ranked& right) {
            if (left.by != right.by) return down ? right.by < left.by : left.by < right.by;
            return left.row.row < right.row.row;
        };
    }

  public:
    first_rows(const ordering& order, std::uint64_t limit)
        : order_(order), most_(limit == 0 ? ordered_rows_max : limit), limited_(limit != 0) {}

    void add(stored_row row) {
        rows_.push_back({read_value(order_.by, row), std::move(row)});
        std::push_heap(rows_.begin(), rows_.end(), before());
        if (rows_.size() <= most_) return;
        if (!limited_) {
            throw failure(errc::bad_query,
                          "--order: more than " + std::to_string(most_) + " rows to be ordered",
                          "give a --limit, or a narrower --where");
        }
        std::pop_heap(rows_.begin(), rows_.end(), before());
        rows_.pop_back();
        dropped_ = true;
    }
    [[nodiscard]] bool dropped() const noexcept { return dropped_; }
    std::vector<ranked> sorted() {
        std::sort_heap(rows_.begin(), rows_.end(), before());
        return std::move(rows_);
    }

  private:
    const ordering& order_;
    std::size_t most_;
    bool limited_;
    bool dropped_ = false;
    std::vector<ranked> rows_;
};

}  // namespace

selection_report select(world_reader& in, const stored_table& of, const selection& wanted,
                        const std::function<void(const stored_row&)>& take) {
    row_path path(in, of, wanted);
    selection_report report{path.name()};
    stored_row row;
    if (!wanted.order || path.is_ordered()) {
        while (path.next(row)) {
            if (!holds(wanted.where, row)) continue;
            if (wanted.limit != 0 && report.rows == wanted.limit) {
                report.more = true;
                return report;
            }
            take(row);
            ++report.rows;
        }
        return report;
    }
    first_rows first(*wanted.order, wanted.limit);
    while (path.next(row)) {
        if (holds(wanted.where, row)) first.add(std::move(row));
    }
    report.more = first.dropped();
    for (const auto& each : first.sorted()) {
        take(each.row);
        ++report.rows;
    }
    return report;
}

}  // namespace perdure::apps

// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/tables/index_walk.hpp>

#include <algorithm>

namespace perdure::apps {
namespace {

constexpr std::size_t batch_entries = 64;

/// The bounds that the conditions set to one field.
struct field_bounds {
    std::optional<value> equal;
    std::optional<value> least;
    std::optional<value> most;
};

field_bounds bounds_of(const shm::field& field, const std::vector<term>& where) {
    field_bounds out;
    for (const auto& each : where) {
        if (each.what.source != column_source::field || each.what.field != field) continue;
        switch (each.how) {
            case comparison::equal: out.equal = each.with; break;
            // Bounds are included; what the condition excludes is left out later.
            case comparison::less:
            case comparison::at_most:
                if (!out.most || each.with < *out.most) out.most = each.with;
                break;
            case comparison::more:
            case comparison::at_least:
                if (!out.least || *out.least < each.with) out.least = each.with;
                break;
            case comparison::unequal:
            case comparison::begins: break;
        }
    }
    return out;
}

void add(shm::key_prefix& to, const shm::field& field, const value& what) {
    if (const auto* number = std::get_if<std::uint64_t>(&what)) {
        to.add(*number);
    } else if (const auto* balance = std::get_if<std::int64_t>(&what)) {
        to.add(*balance);
    } else if (const auto* text = std::get_if<std::string>(&what)) {
        to.add(*text, field.bytes);
    } else {
        to.add(std::get<opaque>(what).bytes, field.bytes);
    }
}

struct rated_plan {
    index_plan plan;
    int rating = 0;  ///< 0: not better than a scan of the table.
};

/// What one index can do: fields that are equal to a constant, then one that is bounded or ordered.
rated_plan rate(const stored_table& of, const shm::ordered_index& index,
                const std::vector<term>& where, const std::optional<ordering>& order) {
    rated_plan out;
    shm::key_prefix low;
    shm::key_prefix high;
    bool is_open = true;  // All fields so far are equal to a constant.
    const auto is_wanted = [&](const shm::field& field) {
        return order && order->by.source == column_source::field && order->by.field == field;
    };
    for (const auto number : index) {
        const auto& field = of.shape.fields[number];
        out.plan.name += (out.plan.name.empty() ? "index on " : ",") + field.name;
        if (!is_open) continue;
        if (is_wanted(field)) out.plan.is_ordered = true;
        const auto bounds = bounds_of(field, where);
        if (bounds.equal) {
            add(low, field, *bounds.equal);
            add(high, field, *bounds.equal);
            out.rating += 4;
            continue;
        }
        is_open = false;
        if (bounds.least) add(low, field, *bounds.least);
        if (bounds.most) add(high, field, *bounds.most);
        if (bounds.least || bounds.most) out.rating += 2;
    }
    if (out.plan.is_ordered) out.rating += 1;
    if (out.plan.is_ordered && order->descending) out.plan.way = shm::direction::descending;
    out.plan.from = low.lowest();
    out.plan.to = high.highest();
    return out;
}

}  // namespace

std::optional<index_plan> plan_index(world_reader& in, const stored_table& of,
                                     const std::vector<term>& where,
                                     const std::optional<ordering>& order) {
    rated_plan best;
    std::size_t chosen = 0;
    for (std::size_t i = 0; i < of.shape.indexes.size(); ++i) {
        auto rated = rate(of, of.shape.indexes[i], where, order);
        if (rated.rating <= best.rating) continue;
        best = std::move(rated);
        chosen = i;
    }
    if (best.rating == 0) return std::nullopt;
    best.plan.in = {of.number, in.index_shape(of, chosen)};
    return best.plan;
}

/// Reads the next entries at one moment and moves the bound behind them.
bool index_walk::fill() {
    const bool up = plan_.way == shm::direction::ascending;
    const auto words = plan_.in.shape.words;
    shm::index_key last;
    in_->glance("table " + of_->shape.name + ", " + plan_.name,
                [&](shm::view& seen) -> result<bool> {
                    rows_.clear();
                    ended_ = true;
                    shm::scan<shm::view> walk(seen, plan_.in, plan_.from, plan_.to, plan_.way);
                    while (PERDURE_TRY(walk.next())) {
                        rows_.push_back(walk.row());
                        last = walk.key();
                        ended_ = rows_.size() < batch_entries;
                        if (!ended_) break;
                    }
                    return true;
                });
    if (ended_) return !rows_.empty();
    // Keys end with the row's number, so that the next one exists and is another row's.
    auto& bound = up ? plan_.from : plan_.to;
    bound = last;
    for (std::uint32_t i = words; i-- > 0;) {
        if (up ? ++bound.words[i] != 0 : bound.words[i]-- != 0) break;
    }
    return true;
}

bool index_walk::next(stored_row& into) {
    for (;;) {
        if (rows_.empty() && (ended_ || !fill())) return false;
        const auto row = rows_.front();
        rows_.pop_front();
        if (in_->read(*of_, row, into)) return true;
    }
}

}  // namespace perdure::apps

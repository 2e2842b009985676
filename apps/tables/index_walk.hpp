// SPDX-License-Identifier: Apache-2.0
//
// Rows by an ordered index, where a condition or an order fits one.
//
// Promise     Rows come in the index's order, a bounded number of entries at one moment; a row that
//             is moved in the index meanwhile may be met twice or not at all.
// Threads     One thread.
#pragma once

#include <deque>
#include <perdure/apps/tables/reader.hpp>
#include <perdure/apps/tables/selection.hpp>
#include <perdure/shm/tree_index.hpp>

namespace perdure::apps {

/// Which index, and the part of it that can hold what is wanted.
struct index_plan {
    shm::tree in;
    shm::index_key from;
    shm::index_key to;
    shm::direction way = shm::direction::ascending;
    bool is_ordered = false;  ///< Rows come in the wanted order.
    std::string name;         ///< "index on asset,available".
};

/// The best index for it; none where a scan of the table is as good.
[[nodiscard]] std::optional<index_plan> plan_index(world_reader& in, const stored_table& of,
                                                   const std::vector<term>& where,
                                                   const std::optional<ordering>& order);

class index_walk {
  public:
    index_walk(world_reader& in, const stored_table& of, index_plan plan)
        : in_(&in), of_(&of), plan_(std::move(plan)) {}
    [[nodiscard]] const index_plan& plan() const noexcept { return plan_; }
    /// False at the end. Throws failure: busy, garbled.
    bool next(stored_row& into);

  private:
    bool fill();
    world_reader* in_;
    const stored_table* of_;
    index_plan plan_;
    std::deque<std::uint64_t> rows_;
    bool ended_ = false;
};

}  // namespace perdure::apps

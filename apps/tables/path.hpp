// SPDX-License-Identifier: Apache-2.0
//
// The way to the rows that a query wants: by primary key where the condition names one whole, by an
// ordered index where one fits, else through the table; and the first N of them in an order.
//
// Promise     Every row that satisfies the condition and stands still throughout is found once.
// Threads     One thread.
#pragma once

#include <functional>
#include <perdure/apps/tables/reader.hpp>
#include <perdure/apps/tables/selection.hpp>

namespace perdure::apps {

/// What is wanted of a table.
struct selection {
    std::vector<term> where;
    std::optional<ordering> order;
    std::uint64_t limit = 0;  ///< 0: all.
};

/// Rows that --order may hold in memory when no limit does.
inline constexpr std::size_t ordered_rows_max = 1'000'000;

struct selection_report {
    std::string path;  ///< "primary key", "index on a,b" or "table scan".
    std::uint64_t rows = 0;
    bool more = false;  ///< There are more than the limit let through.
};

/// Calls `take` with each row that is wanted, in the order that is wanted.
/// Throws failure: busy, garbled, bad_query (more rows to order than may be held).
selection_report select(world_reader& in, const stored_table& of, const selection& wanted,
                        const std::function<void(const stored_row&)>& take);

}  // namespace perdure::apps

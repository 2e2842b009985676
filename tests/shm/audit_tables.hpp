// SPDX-License-Identifier: Apache-2.0
//
// The part of the oracle that knows tables: pages, rows, free lists, buckets, balances.
#pragma once

#include <perdure/tests/shm/bank.hpp>

namespace perdure::tests {

/// What the live row of a table's schema says.
struct found_table {
    std::uint32_t number;
    std::uint32_t row_bytes;
    std::uint32_t flags;
    std::uint32_t key_at;
    std::uint32_t index;
    std::uint32_t overflow;
    shm::table_shape shape;
};
std::vector<found_table> tables_in(shm::region& where);

/// Calls `each(row, words)` for every row number below row_high that has a place.
template <class Each>
void for_each_row(shm::region& where, std::uint32_t table, Each&& each) {
    const auto& d = where.descriptor(table);
    for (std::uint64_t row = 0; row < d.row_high; ++row) {
        const auto at = shm::locate(where, table, row);
        if (at != 0) each(row, where.at<std::uint64_t>(at));
    }
}

void audit_pages(shm::region& where, std::vector<std::string>& faults);
void audit_rows(shm::region& where, std::vector<std::string>& faults);
void audit_index(shm::region& where, std::vector<std::string>& faults);
void audit_balances(shm::region& where, std::vector<std::string>& faults);
void audit_blobs(shm::region& where, std::vector<std::string>& faults);

}  // namespace perdure::tests

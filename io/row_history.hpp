// SPDX-License-Identifier: Apache-2.0
//
// A row's changes, newest first: each record tells the LSN of the row's change before.
//
// Promise     Every change since the row was taken is answered, with what each word gained; or
//             broken_chain when a record does not lead on.
// Threads     One thread.
#pragma once

#include <perdure/io/record_finder.hpp>

namespace perdure::io {

/// One change. The record is valid until the next one is asked for.
struct row_change {
    shm::record_view record;
    std::uint64_t lsn_before = 0;
    std::vector<std::uint64_t> gained;  ///< By word of the row, modulo 2^64.
    bool is_first = false;  ///< Here the row was taken: before, it was another's or nobody's.
};

class row_history {
  public:
    /// Starts at the change of LSN `lsn`, which is the row's own now.
    row_history(record_finder& records, std::uint32_t table, std::uint64_t row, std::uint64_t lsn)
        : records_(&records), table_(table), row_(row), lsn_(lsn) {}

    /// False: the row's beginning has been answered. Errors: broken_chain, as record_finder::find.
    result<bool> next(row_change& change);

  private:
    record_finder* records_;
    std::uint32_t table_;
    std::uint64_t row_;
    std::uint64_t lsn_;
};

}  // namespace perdure::io

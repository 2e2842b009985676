// SPDX-License-Identifier: Apache-2.0
//
// Where committed records come from, in LSN order: what consumers ask for and io hands over.
//
// Promise     Every LSN from the first on is answered once, in order; PADDING included.
// Threads     One thread.
#pragma once

#include <perdure/shm/record_view.hpp>

namespace perdure::shm {

/// Whole records behind each other; valid until the source is asked again.
struct record_batch {
    std::span<const std::byte> records;
    std::uint64_t first_lsn = 0;
    std::uint64_t next_lsn = 0;  ///< Of the first record behind them.

    [[nodiscard]] bool is_empty() const noexcept { return records.empty(); }
};

class record_source {
  public:
    /// The next records, a bounded number; empty while there are none. Errors: garbled, and what
    /// the source behind it answers.
    virtual result<record_batch> next() = 0;

    /// Goes on at `lsn`.
    virtual void seek(std::uint64_t lsn) noexcept = 0;

  protected:
    ~record_source() = default;
};

}  // namespace perdure::shm

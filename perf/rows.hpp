// SPDX-License-Identifier: Apache-2.0
//
// A table of rows with a primary key and an order: what the stores under `tables` keep.
//
// Promise     Each store holds the same 64-byte rows, finds one by its 16-byte key, and walks them
//             in the order of their scores. A batch is one transaction.
// Threads     One object, one thread; what must run beside it is the store's own affair.
#pragma once

#include "engine.hpp"

namespace perdure::perf {

struct ranked_row {
    account_key key;
    std::uint64_t score;
    std::uint64_t payload[5];
};
static_assert(sizeof(ranked_row) == 64);

/// The same rows for every store: keys and scores are strangers to their numbers.
constexpr ranked_row row_numbered(std::uint64_t number) noexcept {
    return {key_of(number), scatter(number ^ 0x5c0aeU) >> 1U, {number}};
}

class row_store {
  public:
    row_store() = default;
    row_store(const row_store&) = delete;
    row_store& operator=(const row_store&) = delete;
    virtual ~row_store() = default;

    /// Makes an empty store in the plan's directories. `ordered`: the rows have an order.
    virtual void create(const store_plan& plan, bool ordered) = 0;
    virtual void insert(std::span<const ranked_row> rows) = 0;
    /// Reads up to `count` rows from the lowest score that is not below `from` on; answers the sum
    /// of their payloads.
    virtual std::uint64_t scan(std::uint64_t from, std::size_t count) = 0;
    [[nodiscard]] virtual journal_state journal() { return {}; }
};

[[nodiscard]] std::unique_ptr<row_store> make_perdure_rows();
[[nodiscard]] std::unique_ptr<row_store> make_lmdb_rows();

}  // namespace perdure::perf

// SPDX-License-Identifier: Apache-2.0
//
// Fills a fresh region from journal records: the one way into tables beside the transaction's door,
// legal only while nobody else can see the region.
//
// Promise     After apply() of records 1..n and finish(), the tables are what they were when record
//             n committed; a record that does not fit what came before is refused.
// Death       A loader that dies leaves a region nobody has seen; the next one begins with a new
//             file.
// Threads     One.
// Invariants  A row's LSN before a change is the one the record names: a lost record is noticed.
// Format      record_format.hpp
#pragma once

#include <functional>
#include <perdure/shm/index_key.hpp>
#include <perdure/shm/region.hpp>
#include <vector>

namespace perdure::shm {

class loader {
  public:
    /// Requires: `where` is fresh and its file has a name nobody looks for.
    explicit loader(region& where);

    /// Applies the next record. Errors: damaged (checksum, LSN out of order, a row's LSN is not the
    /// one before, a table or row that cannot be), region_full, no_memory.
    result<> apply(std::span<const std::byte> record) noexcept;

    /// Rebuilds free lists and indexes, and lets the ring go on behind the last record.
    /// Errors: damaged (two rows with one key), region_full, no_memory.
    result<> finish() noexcept;

    [[nodiscard]] std::uint64_t last_lsn() const noexcept { return last_lsn_; }
    [[nodiscard]] std::uint64_t transactions() const noexcept { return transactions_; }

  private:
    result<> apply_change(const std::byte*& at, const std::byte* end, std::uint64_t lsn) noexcept;
    result<> adopt_schema(std::uint64_t table) noexcept;
    result<> ensure_row(std::uint32_t table, std::uint64_t row) noexcept;
    result<std::uint32_t> take_pages(std::uint32_t count) noexcept;
    result<> link_free_rows(std::uint32_t table) noexcept;
    result<> build_index(std::uint32_t table) noexcept;
    result<> build_trees(std::uint32_t table);
    result<> lay_buckets(std::uint32_t buckets, std::uint64_t count) noexcept;

    region* where_;
    std::vector<std::uint64_t> high_;  ///< By table: rows seen.
    std::vector<std::uint64_t> schemas_touched_;
    std::uint64_t last_lsn_ = 0;
    std::uint64_t transactions_ = 0;
};

/// Builds the nodes of an ordered index that only the caller can see from its keys, which ascend.
/// `place` sees to it that there is memory behind a node's number. Answers the nodes' count.
using node_placer = std::function<result<tree_node*>(std::uint64_t number)>;
result<std::uint64_t> load_tree(std::uint32_t words, std::span<const index_key> keys,
                                const node_placer& place);

/// Enters a key into an index that only the caller can see.
/// Errors: exists, region_full, no_memory.
result<> load_key(region& where, std::uint32_t table, std::uint64_t row,
                  std::uint64_t& overflow_rows) noexcept;

}  // namespace perdure::shm

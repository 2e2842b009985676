// SPDX-License-Identifier: Apache-2.0
//
// Fills a fresh region from a checkpoint's rows and from journal records: the one way into tables
// beside the transaction's door, legal only while nobody else can see the region.
//
// Promise     After apply() of records 1..n and finish(), the tables are what they were when record
//             n committed; a record that does not fit what came before is refused. What a
//             checkpoint knew takes the place of the records up to its LSN.
// Death       A loader that dies leaves a region nobody has seen; the next one begins with a new
//             file.
// Threads     One, but for put_rows().
// Invariants  A row's LSN before a change is the one the record names: a lost record is noticed.
// Format      record_format.hpp
#pragma once

#include <functional>
#include <mutex>
#include <perdure/shm/extent.hpp>
#include <perdure/shm/index_key.hpp>
#include <perdure/shm/region.hpp>
#include <perdure/shm/schema_format.hpp>
#include <vector>

namespace perdure::shm {

/// Runs work(i) once for each i below `count`, by whatever threads.
using spreading =
    std::function<void(std::size_t count, const std::function<void(std::size_t)>& work)>;

/// What finish() made whole.
struct loaded_table {
    std::uint32_t number;
    std::uint64_t rows;  ///< Numbers that were given out.
    std::uint64_t ns;    ///< Its free list and its indexes took, beside those of others.
};

class loader {
  public:
    /// Requires: `where` is fresh and its file has a name nobody looks for.
    explicit loader(region& where);

    /// Makes a table of that number from its schema's row, or raises the version of what is there.
    /// Errors: damaged, region_full, no_memory.
    result<> put_schema(std::uint32_t table, const schema_row& row) noexcept;

    /// Sees to it that rows [from, to) of the table have pages. Errors: damaged (no such table),
    /// region_full, no_memory.
    result<> make_room(std::uint32_t table, std::uint64_t from, std::uint64_t to) noexcept;

    /// Stores rows as a checkpoint holds them, one image behind the other; of one that is not live
    /// only the header counts. Requires: make_room(), ascending numbers. By any thread, one row by
    /// one of them.
    void put_rows(std::uint32_t table, std::span<const std::uint64_t> rows,
                  const std::byte* images) noexcept;

    /// The rows stand for the records up to `lsn`: the next one is behind it.
    void go_on_behind(std::uint64_t lsn) noexcept { last_lsn_ = lsn; }

    /// Page `page` of the table, counted from its first row, shows the records up to `lsn` already.
    void put_slice(std::uint32_t table, std::uint64_t page, std::uint64_t lsn);

    /// Applies the next record. Errors: damaged (checksum, LSN out of order, a row's LSN is not the
    /// one before, a table or row that cannot be), region_full, no_memory.
    result<> apply(std::span<const std::byte> record) noexcept;

    /// Asks the processor for the rows that a record to come will change. Any bytes will do.
    void foresee(std::span<const std::byte> record) noexcept;

    /// Rebuilds free lists and indexes, and lets the ring go on behind the last record.
    /// Errors: damaged (two rows with one key), region_full, no_memory.
    result<> finish(const spreading& on);

    /// The tables, one behind those it needs: it was made later. Requires: finish().
    [[nodiscard]] std::span<const loaded_table> tables() const noexcept { return tables_; }
    [[nodiscard]] std::uint64_t last_lsn() const noexcept { return last_lsn_; }
    /// False once a record did not fit: a part of its changes may have been made.
    [[nodiscard]] bool is_whole() const noexcept { return is_whole_; }
    [[nodiscard]] std::uint64_t transactions() const noexcept { return transactions_; }

  private:
    result<> apply_change(const std::byte*& at, const std::byte* end, std::uint64_t lsn) noexcept;
    result<> adopt_schema(std::uint64_t table) noexcept;
    result<> ensure_row(std::uint32_t table, std::uint64_t row) noexcept;
    result<std::uint32_t> take_pages(std::uint32_t count) noexcept;
    result<> ensure_rows(std::uint32_t table, std::uint64_t from, std::uint64_t to) noexcept;
    result<> link_free_rows(std::uint32_t table, const spreading& on);
    result<> build_trees(std::uint32_t table);
    void look_for_tables();
    [[nodiscard]] result<> check_links() const;

    [[nodiscard]] bool is_shown(std::uint32_t table, std::uint64_t row,
                                std::uint64_t lsn) const noexcept;
    void mark_dirty(std::uint64_t at) noexcept;

    region* where_;
    directory places_;                 ///< Of the rows that records change.
    std::mutex pages_;                 ///< Of take_pages(), where several tables are finished.
    std::vector<std::uint64_t> high_;  ///< By table: rows seen.
    std::vector<std::vector<std::uint64_t>> shown_;  ///< By table and page: LSN of its slice.
    std::vector<std::uint64_t> schemas_touched_;
    std::vector<loaded_table> tables_;
    std::uint64_t last_lsn_ = 0;
    std::uint64_t transactions_ = 0;
    bool is_whole_ = true;
};

/// Builds the nodes of an ordered index that only the caller can see from its keys, which ascend.
/// `place` sees to it that there is memory behind a node's number. Answers the nodes' count.
using node_placer = std::function<result<tree_node*>(std::uint64_t number)>;
result<std::uint64_t> load_tree(std::uint32_t words, std::span<const index_key> keys,
                                const node_placer& place);

/// Sees to it that there is memory behind rows [from, to) of a table.
using row_placer =
    std::function<result<>(std::uint32_t table, std::uint64_t from, std::uint64_t to)>;

/// Builds the hash index of the first `rows` rows of a table that only the caller can see. `place`
/// is called by one thread at a time.
/// Errors: damaged (two rows with one key), region_full, no_memory.
result<> load_index(region& where, std::uint32_t table, std::uint64_t rows, const row_placer& place,
                    const spreading& on);

}  // namespace perdure::shm

// SPDX-License-Identifier: Apache-2.0
//
// Ordered indexes: B+trees with right links over some fields of a table's rows.
//
// Promise     At every commit each live row stands in each index of its table once, under the key
//             its fields have: the transaction sees to that by itself (transaction::settle). A scan
//             is validated with the leaves it has read, so no row comes into it unseen.
// Death       Every node is changed through the transaction's door; a split or a merge is a part of
//             the transaction that caused it.
// Power loss  Nodes are not journaled; they are built anew from the rows (loader.hpp).
// Threads     As transaction.hpp says; scans run beside writers.
// Invariants  N1 to N3 of tree_node.hpp.  N4 on each level the nodes divide all keys among them,
//             and the right links lead through them in order.  N5 each node but the root has one
//             parent entry, which repeats its low bound.
// Format      docs/formats/region.md#ordered-indexes
#pragma once

#include <initializer_list>
#include <perdure/shm/hash_index.hpp>
#include <perdure/shm/tree_node.hpp>

namespace perdure::shm {

/// An index as callers name it: found once, kept for as long as the region is attached.
struct tree {
    std::uint32_t table = 0;
    index_shape shape;
};

/// The index of `table` that is ordered by just these fields.
/// Errors: unknown_table, not_found, conflict.
result<tree> find_tree(region& where, std::uint32_t table,
                       std::initializer_list<std::string_view> fields);

/// Fetches the memory that the key's entry lies in, or will.
void fetch_leaf(transaction& tx, const index_shape& in, const index_key& key) noexcept;

/// Enters and removes a key. Errors: garbled (the key is there, is not there), as edit.
result<> insert_entry(transaction& tx, const index_shape& in, const index_key& key) noexcept;
result<> erase_entry(transaction& tx, const index_shape& in, const index_key& key) noexcept;

enum class direction { ascending, descending };

/// A walk over the rows whose keys lie between two bounds, both included. The source's notes hold
/// what it has read: a view that is fresh, or a transaction that commits, has seen all of it at one
/// moment, the absence of further rows included.
template <row_source Source>
class scan {
  public:
    scan(Source& source, const tree& in, const index_key& from, const index_key& to,
         direction way = direction::ascending)
        : source_(&source), tree_(&in), from_(from), to_(to), way_(way) {}

    /// Moves to the next row; false behind the last. Errors: conflict, garbled, as
    /// transaction::settle.
    result<bool> next() noexcept;

    [[nodiscard]] std::uint64_t row() const noexcept { return key_.words[tree_->shape.words - 1]; }
    [[nodiscard]] const index_key& key() const noexcept { return key_; }

  private:
    result<> begin() noexcept;
    result<bool> step() noexcept;
    result<> load_leaf(std::uint64_t hint, const index_key& key) noexcept;
    void prefetch_rows() noexcept;

    Source* source_;
    const tree* tree_;
    index_key from_;
    index_key to_;
    direction way_;
    bool begun_ = false;
    bool ended_ = false;
    std::uint32_t at_ = 0;  ///< Entries of the leaf before (descending: up to) it are done.
    index_key key_;
    tree_node leaf_{};
};

}  // namespace perdure::shm

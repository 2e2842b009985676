// SPDX-License-Identifier: Apache-2.0
//
// A table with ordered indexes: what the tests and crash rigs of tree_index work on.
#pragma once

#include <perdure/shm/tree_index.hpp>
#include <perdure/tests/shm/bank.hpp>

namespace perdure::tests {

struct rank_row {
    shm::row_header header;
    std::int64_t score;
    std::uint32_t group;
    std::uint32_t mark;
    std::array<char, 24> name;
};
static_assert(shm::mapped<rank_row> && sizeof(rank_row) == 56);

/// Rows by number, ordered by (group, score), by score, and by (name, group): keys of 3, 2 and 5
/// words.
shm::schema rank_schema(const std::string& name = "ranks");

struct ranks {
    std::uint32_t table = 0;
    shm::tree by_group;
    shm::tree by_score;
    shm::tree by_name;

    static ranks make(shm::session& self);
    /// Requires: the table is there.
    static ranks find(shm::region& where);
};

/// Takes a row with these values; its name is `name_of(score)`.
result<std::uint64_t> add_rank(shm::transaction& tx, const ranks& in, std::uint32_t group,
                               std::int64_t score);
std::array<char, 24> name_of(std::int64_t score) noexcept;

}  // namespace perdure::tests

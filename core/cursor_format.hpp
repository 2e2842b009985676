// SPDX-License-Identifier: Apache-2.0
//
// FORMAT a row of the table "cursors": how far a projection has come.
//
// Invariants  X1 the results of a projection are those of the events up to `lsn`, in every commit.
//             X2 a row's state is one of cursor_state; 0 is none.
// Format      docs/formats/projections.md#cursors
#pragma once

#include <array>
#include <boost/describe.hpp>
#include <perdure/shm/record_format.hpp>
#include <perdure/shm/region_format.hpp>

namespace perdure {

enum class cursor_state : std::uint32_t {
    following = 1,
    emptying = 2,    ///< Being rebuilt: its results are taken away, in steps.
    rebuilding = 3,  ///< Being rebuilt: from nothing up to `target`.
};

struct cursor_row {
    shm::row_header header;
    shm::transaction_key key;  ///< Of the projection's name.
    std::array<char, 40> name;
    std::uint64_t lsn;      ///< The last record whose events are in the results.
    std::uint64_t target;   ///< Rebuilding: the last LSN when that began; else 0.
    std::uint64_t applied;  ///< Events applied since the results were empty.
    std::uint32_t state;    ///< cursor_state
    std::uint32_t reserved;
};
static_assert(shm::mapped<cursor_row> && sizeof(cursor_row) == 104);
BOOST_DESCRIBE_STRUCT(cursor_row, (), (key, name, lsn, target, applied, state))

}  // namespace perdure

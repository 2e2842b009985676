// SPDX-License-Identifier: Apache-2.0
//
// Events that a world tells of itself, and not of its economy.
//
// Format      docs/formats/events.md; numbers as in event_format.hpp
#pragma once

#include <perdure/core/event_format.hpp>

namespace perdure {

/// The first record of a world that came back from its files.
struct world_recovered_v1 {
    std::uint64_t incarnation;     ///< Of the region that was made.
    std::uint64_t last_lsn;        ///< The last record that came back.
    std::uint64_t checkpoint_lsn;  ///< Of the checkpoint that was loaded, 0: none.
    std::uint64_t rows;            ///< Loaded from checkpoints.
    std::uint64_t transactions;    ///< Replayed.
    std::uint64_t microseconds;    ///< What it took.
};
static_assert(shm::mapped<world_recovered_v1> && sizeof(world_recovered_v1) == 48);
BOOST_DESCRIBE_STRUCT(world_recovered_v1, (),
                      (incarnation, last_lsn, checkpoint_lsn, rows, transactions, microseconds))

}  // namespace perdure

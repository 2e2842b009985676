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

enum class tick_reason : std::uint32_t {
    steady = 1,   ///< Time passed, and somebody kept the world.
    made_up = 2,  ///< Some or all of them were missed.
};

/// World time went on by a window that begins where the one before has ended.
struct clock_ticked_v1 {
    std::uint64_t first_tick;  ///< Counted from 1.
    std::uint64_t ticks;       ///< How many have ended.
    std::uint64_t from_ns;     ///< World time; the window holds this moment
    std::uint64_t to_ns;       ///< and not this one.
    std::uint64_t tick_ns;     ///< to_ns - from_ns is so many ticks of this length.
    std::uint64_t dropped_ns;  ///< Time since the last window that became no world time.
    std::uint32_t reason;      ///< tick_reason
    std::uint32_t reserved;
};
static_assert(shm::mapped<clock_ticked_v1> && sizeof(clock_ticked_v1) == 56);
BOOST_DESCRIBE_STRUCT(clock_ticked_v1, (),
                      (first_tick, ticks, from_ns, to_ns, tick_ns, dropped_ns, reason))

}  // namespace perdure

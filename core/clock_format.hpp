// SPDX-License-Identifier: Apache-2.0
//
// FORMAT the row of the table "clocks": how far world time has come, and how it goes on.
//
// Invariants  O1 there is one row, and its key is clock_key.
//             O2 world_ns is the sum of the lengths of all ticks that have ended, tick how many.
//             O3 mode and missed are one of their enumerators; 0 is none. tick_ns is within its
//             bounds.
// Format      docs/formats/tables.md#clock
#pragma once

#include <boost/describe.hpp>
#include <perdure/shm/record_format.hpp>
#include <perdure/shm/region_format.hpp>

namespace perdure {

enum class clock_mode : std::uint32_t {
    stopped = 1,  ///< The keeper leaves world time alone.
    live = 2,     ///< A tick ends whenever so much time has passed.
};

/// What becomes of ticks that nobody was there to end.
enum class missed_policy : std::uint32_t {
    exact = 1,  ///< Every one is made up.
    skip = 2,   ///< World time stands still while nobody keeps the world.
};

inline constexpr shm::transaction_key clock_key{1, 0};
inline constexpr std::uint64_t tick_ns_least = 10'000'000;
inline constexpr std::uint64_t tick_ns_most = 3'600'000'000'000;

struct clock_row {
    shm::row_header header;
    shm::transaction_key key;
    std::uint64_t tick;           ///< Ticks ended; the next one is the one behind it.
    std::uint64_t tick_ns;        ///< How long the next ones are.
    std::uint64_t world_ns;       ///< World time at the end of the last tick, since the beginning.
    std::uint64_t wall_ns;        ///< Wall clock then. Says how long nobody was there, and no more.
    std::uint64_t missed_max_ns;  ///< Most that is made up at once.
    std::uint32_t mode;           ///< clock_mode
    std::uint32_t missed;         ///< missed_policy
};
static_assert(shm::mapped<clock_row> && sizeof(clock_row) == 80);
BOOST_DESCRIBE_STRUCT(clock_row, (),
                      (key, tick, tick_ns, world_ns, wall_ns, missed_max_ns, mode, missed))

}  // namespace perdure

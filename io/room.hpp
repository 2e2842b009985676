// SPDX-License-Identifier: Apache-2.0
//
// How much room the disk has, and what is done without when it is little.
//
// Promise     Functions of what is passed in. Whatever the disk says, the two newest generations
//             of checkpoints stay, and every segment that they or a cursor need; all segments where
//             the strategy promises all of the journal.
// Threads     Values.
#pragma once

#include <perdure/io/checkpoint_policy.hpp>

namespace perdure::io {

/// In this order less and less is done.
enum class room_state : std::uint32_t {
    roomy = 1,
    tight = 2,     ///< Nothing is packed: that takes room before it gives some.
    shedding = 3,  ///< Old history goes that the settings would keep.
    refusing = 4,  ///< Nothing becomes durable until there is room.
};

[[nodiscard]] std::string_view name(room_state state) noexcept;

/// `wanted` is retention.free; 0: roomy, whatever is free.
[[nodiscard]] room_state judge_room(std::uint64_t free_bytes, std::uint64_t wanted) noexcept;

/// The oldest generation of checkpoints beyond the two newest, and the segments that nobody needs
/// then. Empty: there is nothing to do without.
[[nodiscard]] removals what_to_shed(const checkpoint_policy& policy, const manifest& promised,
                                    std::uint64_t cursor_lsn);

/// What became of the room, for the log.
struct room_news {
    room_state state{};
    std::uint64_t free_bytes = 0;
    std::size_t checkpoints = 0;  ///< That went.
    std::size_t segments = 0;
};

}  // namespace perdure::io

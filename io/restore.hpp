// SPDX-License-Identifier: Apache-2.0
//
// A new world made of a point in another one's history.
//
// Promise     The new directory appears when it is whole: a full checkpoint of that state and an
//             empty journal behind it. The world it was made of is only read. swap() puts it in the
//             place of the other, which is kept under the new one's name; at every instant one of
//             both is there. Where tables have got other fields, the new world has them, read by
//             name; its journal begins behind them.
//             A directory that no restore has made is never touched; one that is refused leaves
//             nothing.
// Death       A restore that dies leaves a directory that ends with .restoring and holds a file
//             `restoring`: the next one to the same name takes it over, anybody may remove it.
// Power loss  What restore() has answered is durable; swap() when it has answered.
// Threads     One; several processes may restore, to one name one at a time.
#pragma once

#include <perdure/io/evolution.hpp>
#include <perdure/io/past.hpp>

namespace perdure::io {

struct restore_order {
    std::string from;
    std::string to;  ///< Must not exist, its folder must.
    past_point point;
    /// Instead of the point: the newest whole state that can still be had, or an empty world.
    bool accepts_loss = false;
    opening_options how;  ///< Where the state is built meanwhile; validators.
    /// Tables of the new world whose fields are others than the old one's; evolution.hpp.
    evolution tables{};
};

struct restore_report {
    std::uint64_t lsn = 0;
    opening_report recovery;
    checkpoint_entry checkpoint;       ///< Of the new world, all zero where that is empty.
    std::vector<std::string> evolved;  ///< Tables that were read by name.
};

/// Throws failure: exists, as past's members; schema_mismatch, bad_schema; disk_full, io_error.
restore_report restore_world(kernel_calls& calls, const restore_order& order);

/// Says beforehand what swap_worlds() would refuse. Throws failure: as that, bad_query.
void check_swap(kernel_calls& calls, const std::string& world, const std::string& restored);

/// Requires: nobody has either of them open; who has is refused. Throws failure: lease_held,
/// not_found, io_error.
void swap_worlds(kernel_calls& calls, const std::string& world, const std::string& restored);

}  // namespace perdure::io

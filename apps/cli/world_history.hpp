// SPDX-License-Identifier: Apache-2.0
//
// perdure history: what catalog.db says of a world's checkpoints, recoveries, validations and
// components; and which checkpoints the MANIFEST promises besides.
//
// Promise     As command.hpp. Only reads; works without a keeper, and while one writes.
// Threads     Called once, on the main thread.
#pragma once

#include <perdure/apps/cli/command.hpp>

namespace perdure::apps {

struct history_order {
    world_choice where;
    std::uint64_t limit = 20;  ///< Of each kind; 0: no limit.
};
int world_history(const history_order& order);

}  // namespace perdure::apps

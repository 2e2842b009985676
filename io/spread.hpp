// SPDX-License-Identifier: Apache-2.0
//
// Work of many independent portions over the machine's cores, by oneTBB.
//
// Promise     work(i) has been called once for each i below `count` when the call returns, in any
//             order and by any thread; with one portion or one core, by this one.
// Death       Nothing of it is in a region.
// Threads     Any; `work` is called by several at once. What it throws comes back to the caller.
#pragma once

#include <cstddef>
#include <functional>

namespace perdure::io {

void spread(std::size_t count, const std::function<void(std::size_t)>& work);

}  // namespace perdure::io

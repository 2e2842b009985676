// SPDX-License-Identifier: Apache-2.0
//
// How much memory was asked for at once, for targets that promise to ask for little.
#pragma once

#include <atomic>
#include <cstddef>

namespace perdure::tests {

/// The bytes of the largest request of `operator new` since it was last set, of any thread.
extern std::atomic<std::size_t> largest_request;

}  // namespace perdure::tests

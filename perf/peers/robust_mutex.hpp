// SPDX-License-Identifier: Apache-2.0
//
// The yardstick for a takeover: one bare robust pthread mutex in shared memory, nothing behind it.
// No process can learn of another's death sooner than this mutex tells.
#pragma once

#include "../engine.hpp"

#include <memory>

namespace perdure::perf {

[[nodiscard]] std::unique_ptr<engine> make_robust_mutex();

}  // namespace perdure::perf

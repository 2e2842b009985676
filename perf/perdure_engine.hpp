// SPDX-License-Identifier: Apache-2.0
//
// Perdure through its public face, as a user's program would use it.
#pragma once

#include <memory>

#include "engine.hpp"

namespace perdure::perf {

[[nodiscard]] std::unique_ptr<engine> make_perdure();

}  // namespace perdure::perf

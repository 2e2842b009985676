// SPDX-License-Identifier: Apache-2.0
//
// The peer SQLite, set up as fast as it honestly goes for each level of durability.
#pragma once

#include "../engine.hpp"

#include <memory>

namespace perdure::perf {

[[nodiscard]] std::unique_ptr<engine> make_sqlite();

}  // namespace perdure::perf

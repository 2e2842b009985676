// SPDX-License-Identifier: Apache-2.0
//
// Perdure through its public face, as a user's program would use it.
#pragma once

#include <memory>

#include "engine.hpp"

namespace perdure::perf {

[[nodiscard]] std::unique_ptr<engine> make_perdure();
/// The same, told of its payments a little before they are made (ledger::expect).
std::unique_ptr<engine> make_perdure_ahead();

}  // namespace perdure::perf

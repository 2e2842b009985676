// SPDX-License-Identifier: Apache-2.0
//
// The primitives of captures: the writer's barrier, the keeper's cut, copy, end, and taking over.
#pragma once

#include <perdure/tests/crash/primitives.hpp>

namespace perdure::tests {

std::span<const primitive> capture_primitives();

}  // namespace perdure::tests

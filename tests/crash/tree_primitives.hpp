// SPDX-License-Identifier: Apache-2.0
//
// Primitives of the ordered index: entering, removing, splits and merges on each level.
#pragma once

#include <perdure/tests/crash/primitives.hpp>

namespace perdure::tests {

std::span<const primitive> tree_primitives();

}  // namespace perdure::tests

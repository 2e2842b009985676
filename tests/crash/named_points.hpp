// SPDX-License-Identifier: Apache-2.0
//
// Which crash points there are, by the source itself: a rig that forgets one is found out.
#pragma once

#include <set>
#include <string>

namespace perdure::tests {

/// The names of every crash point in a folder of the source ("shm"). Throws std::runtime_error
/// without PERDURE_SOURCE, which names the source's root.
std::set<std::string> points_named_in(const std::string& folder);

}  // namespace perdure::tests

// SPDX-License-Identifier: Apache-2.0
//
// A group of this machine, by name or number.
//
// Threads     Any.
#pragma once

#include <cstdint>
#include <string>

namespace perdure::io {

/// Throws failure: bad_setting for a group this machine does not know.
[[nodiscard]] std::uint32_t group_named(const std::string& name);

}  // namespace perdure::io

// SPDX-License-Identifier: Apache-2.0
//
// How a test names an errc that it did not expect.
#pragma once

#include <ostream>
#include <perdure/shm/error.hpp>

namespace perdure {
inline std::ostream& operator<<(std::ostream& out, errc code) { return out << name(code); }
}  // namespace perdure

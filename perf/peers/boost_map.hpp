// SPDX-License-Identifier: Apache-2.0
//
// The peer people write by hand: a hash map in Boost.Interprocess shared memory, under one mutex or
// under many. Neither survives the death of a process that holds a mutex.
#pragma once

#include "../engine.hpp"

#include <memory>

namespace perdure::perf {

[[nodiscard]] std::unique_ptr<engine> make_boost_mutex();
[[nodiscard]] std::unique_ptr<engine> make_boost_striped();

}  // namespace perdure::perf

// SPDX-License-Identifier: Apache-2.0
//
// Interleavings laid out by hand: at a crash point of one participant another one does its part, so
// that each race is the same race every time.
#pragma once

#include <perdure/tests/crash/stage.hpp>

namespace perdure::tests {

struct race {
    std::string_view name;
    /// Plays it once; answers what is wrong afterwards, "" when nothing is.
    std::string (*play)(shared_bytes& memory);
};

std::span<const race> races();

}  // namespace perdure::tests

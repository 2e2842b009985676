// SPDX-License-Identifier: Apache-2.0
//
// The capture's state word taken apart, and put together.
//
// Threads     Values.
// Format      capture_format.hpp
#pragma once

#include <perdure/shm/capture_format.hpp>

namespace perdure::shm {

struct capture_state {
    std::uint32_t epoch = 0;
    capture_phase phase = capture_phase::idle;
    bool whole = false;  ///< All pages are copied, not only those in the old bitmap.
};

constexpr std::uint64_t pack(const capture_state& state) noexcept {
    return static_cast<std::uint64_t>(state.phase) | (state.whole ? 1ULL << 8 : 0) |
           static_cast<std::uint64_t>(state.epoch) << 32;
}

constexpr capture_state state_of(std::uint64_t word) noexcept {
    return {static_cast<std::uint32_t>(word >> 32), static_cast<capture_phase>(word & 0xff),
            (word >> 8 & 1) != 0};
}

}  // namespace perdure::shm

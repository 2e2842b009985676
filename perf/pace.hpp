// SPDX-License-Identifier: Apache-2.0
//
// How evenly a worker went on: its operations per 10 ms, and the stretches between two looks at the
// clock, of which the longest holds the worst stall.
//
// Threads     One writer; read it when the writer has stopped. Lives in pages shared by processes.
#pragma once

#include "histogram.hpp"

#include <array>
#include <cstdint>

namespace perdure::perf {

class pace {
  public:
    static constexpr std::uint64_t slot_ns = 10'000'000;
    static constexpr std::size_t slots_max = 6'000;  ///< A minute; what is later is not kept.

    /// Requires: stretches come in their order.
    void add(std::uint64_t from_ns, std::uint64_t until_ns, std::uint64_t operations) noexcept {
        if (begun_ns_ == 0) begun_ns_ = from_ns;
        stretches_.add(until_ns - from_ns);
        const std::uint64_t slot = (until_ns - begun_ns_) / slot_ns;
        if (slot >= slots_max) return;
        slots_[slot] += static_cast<std::uint32_t>(operations);
        used_ = slot + 1;
    }

    [[nodiscard]] const histogram& stretches() const noexcept { return stretches_; }
    /// How much longer the longest stretch took than one does: the worst stall, a little too much.
    [[nodiscard]] std::uint64_t worst_stall_ns() const noexcept {
        return stretches_.max() - std::min(stretches_.max(), stretches_.quantile(0.5));
    }
    [[nodiscard]] std::uint64_t begun_ns() const noexcept { return begun_ns_; }
    [[nodiscard]] std::size_t slots() const noexcept { return used_; }
    [[nodiscard]] std::uint32_t operations_in(std::size_t slot) const noexcept {
        return slots_[slot];
    }

  private:
    std::uint64_t begun_ns_ = 0;  // Of the monotonic clock.
    std::size_t used_ = 0;
    histogram stretches_;
    std::array<std::uint32_t, slots_max> slots_{};
};

}  // namespace perdure::perf

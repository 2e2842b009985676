// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <perdure/plugins/host/restart_policy.hpp>

namespace perdure::plugins {
namespace {

std::uint64_t doubled(std::uint32_t times) noexcept {
    constexpr std::uint32_t enough = 20;
    return std::min(restart_policy::first_wait_ns << std::min(times, enough),
                    restart_policy::wait_ns_max);
}

}  // namespace

std::optional<std::uint64_t> restart_policy::died(std::uint64_t now_ns) noexcept {
    const std::uint64_t latest = *std::ranges::max_element(deaths_);
    if (latest != 0 && now_ns - latest > memory_ns) waits_ = 0;
    deaths_[next_] = std::max<std::uint64_t>(now_ns, 1);
    next_ = (next_ + 1) % deaths_max;
    // This one and the four before it: the oldest of them is next in turn.
    const std::uint64_t first_of_five = deaths_[next_];
    if (first_of_five != 0 && now_ns - first_of_five < memory_ns) return std::nullopt;
    const std::uint64_t wait = waits_ == 0 ? 0 : doubled(waits_ - 1);
    ++waits_;
    return now_ns + wait;
}

std::uint64_t restart_policy::failed(std::uint64_t now_ns) noexcept {
    return now_ns + doubled(failures_++);
}

}  // namespace perdure::plugins

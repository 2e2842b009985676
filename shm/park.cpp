// SPDX-License-Identifier: Apache-2.0
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <perdure/shm/park.hpp>

namespace perdure::shm {
namespace {

std::uint64_t read_clock(clockid_t clock) noexcept {
    timespec now{};
    ::clock_gettime(clock, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
           static_cast<std::uint64_t>(now.tv_nsec);
}

class kernel_park final : public park {};

}  // namespace

std::uint64_t park::now_ns() noexcept { return read_clock(CLOCK_MONOTONIC); }

std::uint64_t park::wall_ns() noexcept { return read_clock(CLOCK_REALTIME_COARSE); }

void park::wait(const std::uint32_t& place, std::uint32_t expected,
                std::chrono::nanoseconds slice) noexcept {
    timespec span{};
    span.tv_sec = static_cast<time_t>(slice.count() / 1'000'000'000);
    span.tv_nsec = static_cast<long>(slice.count() % 1'000'000'000);
    // A read-only mapping may wait: the kernel only compares the word.
    ::syscall(SYS_futex, &place, FUTEX_WAIT, expected, &span, nullptr, 0);
}

int park::wake(const std::uint32_t& place, int sleepers) noexcept {
    const auto woken = ::syscall(SYS_futex, &place, FUTEX_WAKE, sleepers, nullptr, nullptr, 0);
    return woken < 0 ? 0 : static_cast<int>(woken);
}

void park::pause() noexcept { __builtin_ia32_pause(); }

park& system_park() noexcept {
    static kernel_park kernel;
    return kernel;
}

}  // namespace perdure::shm

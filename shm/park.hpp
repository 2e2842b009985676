// SPDX-License-Identifier: Apache-2.0
//
// The one place where a thread waits: a futex, a clock, a short spin.
//
// Promise     A wait ends when the word differs from what was expected, somebody woke it, or its time
//             is up; it may also end early, so callers look again.
// Death       A waker may die before it wakes: every wait is a slice, never for ever.
// Threads     Any. The futexes are process-shared.
#pragma once

#include <chrono>
#include <cstdint>

namespace perdure::shm {

/// Time and sleep as the engine sees them; a simulation puts its own in place.
class park {
  public:
    park() = default;
    park(const park&) = delete;
    park& operator=(const park&) = delete;

    /// Monotonic nanoseconds.
    [[nodiscard]] virtual std::uint64_t now_ns() noexcept;
    /// Wall clock, coarse (a few milliseconds), nanoseconds since 1970.
    [[nodiscard]] virtual std::uint64_t wall_ns() noexcept;
    /// Sleeps while `place` holds `expected`, at most `slice`.
    virtual void wait(const std::uint32_t& place, std::uint32_t expected,
                      std::chrono::nanoseconds slice) noexcept;
    virtual void wake(const std::uint32_t& place, int sleepers) noexcept;
    /// One turn of a spin loop.
    virtual void pause() noexcept;

  protected:
    ~park() = default;  // Never deleted through this type; trivial, so a static one is allowed.
};

/// The kernel's own.
park& system_park() noexcept;

/// A point in monotonic time after which a wait answers errc::stalled.
struct deadline {
    std::uint64_t at_ns = ~0ULL;
    static deadline in(std::chrono::nanoseconds span) noexcept;
    static deadline never() noexcept { return {}; }
};

}  // namespace perdure::shm

// SPDX-License-Identifier: Apache-2.0
//
// The one place where a thread waits: a futex, a clock, a short spin.
//
// Promise     A wait ends when the word differs from what was expected, somebody woke it, or its
//             time is up; it may also end early, so callers look again.
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
    /// Answers how many it has woken.
    virtual int wake(const std::uint32_t& place, int sleepers) noexcept;
    /// One turn of a spin loop.
    virtual void pause() noexcept;

  protected:
    ~park() = default;  // Never deleted through this type; trivial, so a static one is allowed.
};

/// The kernel's own.
park& system_park() noexcept;

/// How long a call may wait until it answers errc::stalled. The clock is read when the first wait
/// begins, not before: most calls never wait.
struct deadline {
    std::uint64_t at_ns = ~0ULL;  ///< Monotonic time, once fixed.
    std::uint64_t span_ns = 0;    ///< 0: at_ns says it.
    static constexpr deadline in(std::chrono::nanoseconds span) noexcept {
        return {~0ULL, span.count() <= 0 ? 1U : static_cast<std::uint64_t>(span.count())};
    }
    static constexpr deadline never() noexcept { return {}; }
    /// The same deadline as a point in time.
    [[nodiscard]] deadline from(std::uint64_t now_ns) const noexcept {
        if (span_ns == 0) return *this;
        return {now_ns + span_ns < now_ns ? ~0ULL : now_ns + span_ns, 0};
    }
};

}  // namespace perdure::shm

// SPDX-License-Identifier: Apache-2.0
#include <climits>
#include <perdure/shm/crash_point.hpp>
#include <perdure/shm/stripe.hpp>

namespace perdure::shm {
namespace {

// A dead owner is noticed after a slice at most, so it is a part of every takeover.
constexpr std::chrono::microseconds wait_slice{50};

}  // namespace

void release_stripe(region& where, std::uint32_t stripe, std::uint32_t owner,
                    bool raise_version) noexcept {
    auto& place = where.stripe(stripe);
    const std::uint64_t seen = peek(place);
    // An intent that never became a lock, or one that was released before we died.
    if (owner_of(seen) != owner && !planted(bug::owner_unchecked)) return;
    const std::uint64_t next = (version_of(seen) + (raise_version ? 1 : 0)) * stripe_version_one;
    PERDURE_CRASH_POINT("stripe.release");
    step(place, next);  // A plain store: a mark set in between costs its waiter one slice.
    if ((seen & stripe_waiters) != 0) where.waits().wake(low_half(place), INT_MAX);
}

void wait_stripe(region& where, std::uint32_t stripe, std::uint32_t owner) noexcept {
    auto& place = where.stripe(stripe);
    std::uint64_t seen = peek(place);
    if (owner_of(seen) != owner) return;
    if ((seen & stripe_waiters) == 0 && where.writable()) {
        if (!word(place).compare_exchange_strong(seen, seen | stripe_waiters)) return;
        seen |= stripe_waiters;
    }
    where.waits().wait(low_half(place), static_cast<std::uint32_t>(seen), wait_slice);
}

}  // namespace perdure::shm

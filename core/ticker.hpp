// SPDX-License-Identifier: Apache-2.0
//
// What moves a live clock: the keeper's steps, each of which ends the ticks that are due.
//
// Promise     Time that passed while this keeper kept the world becomes world time, by the
//             monotonic clock. Time in which a whole tick was missed, because nobody kept the world
//             or its keeper stood still, goes by the clock's missed_policy: between two keepers it
//             is measured by the wall clock, and one that was set back has missed nothing. What
//             becomes no world time is told in the next tick's event.
// Death       Ticks are ended in ordinary transactions; the next keeper goes on from the row.
// Threads     One object, one thread: the keeper's. A second one beside it, in another process too,
//             ends no tick twice.
// Invariants  N1 a tick is ended only in the row that its time was counted from: in the transaction
//             the row is compared with the one that was known.
//             N2 what passed is due_ns + dropped_ns since the end of the row's last tick; a step
//             that could not commit changes neither.
#pragma once

#include <optional>
#include <perdure/core/clock.hpp>

namespace perdure {

class ticker {
  public:
    /// A keeper that stood still for longer, or that could end no tick for so long, was not there.
    static constexpr std::uint64_t absence_ns = 10'000'000'000;

    ticker(shm::region& where, const world_clock& of) noexcept;

    /// A bounded piece of work: one transaction at most, whatever is due. While the clock is
    /// stopped it is one look. Requires: this process keeps the world.
    void step() noexcept;

  private:
    /// Time since the end of the row's last tick.
    struct lapse {
        std::uint64_t due_ns = 0;      ///< Becomes world time.
        std::uint64_t dropped_ns = 0;  ///< Becomes none.
        bool is_made_up = false;       ///< Missed ticks are among what is due.
    };

    bool go_on(std::uint64_t now_ns) noexcept;
    bool look(std::uint64_t now_ns) noexcept;
    void begin(std::uint64_t now_ns) noexcept;
    [[nodiscard]] lapse until(std::uint64_t now_ns) const noexcept;
    void miss(lapse& into, std::uint64_t missed_ns) const noexcept;
    bool end_ticks(const lapse& passed) noexcept;

    shm::region* where_;
    world_clock clock_;
    const clock_row* place_ = nullptr;
    std::optional<shm::session> self_;  // Joined when the clock is live.
    clock_row known_{};                 // As it was read, or as this one left it.
    lapse passed_;                      // Up to seen_ns_.
    std::uint64_t seen_ns_ = 0;         // Monotonic.
    std::uint64_t rests_until_ns_ = 0;
    bool is_begun_ = false;
    bool is_shown_ = false;
};

}  // namespace perdure

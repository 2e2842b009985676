// SPDX-License-Identifier: Apache-2.0
//
// World time: nanoseconds since the world began, moved in ticks, by logged transactions alone.
//
// Promise     Every step of world time is a half-open window [from, to) in a clock_ticked event, in
//             the transaction that moves the row; the windows of a world tile its time without a
//             gap or an overlap. A world whose clock is stopped has nothing written for it.
// Death       As any transaction. Who dies between the commit and show() leaves the header's word
//             behind the row; whoever comes next raises it.
// Power loss  World time goes on from the last logged tick.
// Threads     As transaction.hpp says.
// Invariants  O4 the header's world_time is never ahead of the row's tick, and never goes back.
//             Anybody who has seen a committed row may raise it to that row's tick.
// Format      clock_format.hpp, world_event_format.hpp, docs/formats/tables.md#clock
#pragma once

#include <perdure/core/clock_format.hpp>
#include <perdure/core/world_event_format.hpp>
#include <perdure/shm/session.hpp>

namespace perdure {

struct clock_settings {
    std::uint64_t tick_ns = 1'000'000'000;
    missed_policy missed = missed_policy::exact;
    std::uint64_t missed_max_ns = 7 * 86'400 * 1'000'000'000ULL;

    friend bool operator==(const clock_settings&, const clock_settings&) = default;
};

/// What advance() moves world time by.
struct time_passed {
    std::uint64_t ticks = 1;
    std::uint64_t wall_ns = 0;     ///< Wall clock at the end of the last of them; 0: now.
    std::uint64_t dropped_ns = 0;  ///< Time before them that became no ticks.
    tick_reason reason = tick_reason::steady;
};

class world_clock {
  public:
    /// The clock, made and stopped if it is not there. Errors: as open_table and session::write.
    static result<world_clock> open(shm::session& by);
    /// Errors: unknown_table, schema_mismatch, stalled; busy in a region that may only be read.
    static result<world_clock> find(shm::region& where);

    /// The row as this source sees it.
    template <shm::row_source Source>
    result<clock_row> read(Source& in) const noexcept {
        return shm::get_key<clock_row>(in, table_, clock_key);
    }

    /// How long the next ticks are, and what becomes of missed ones. World time stays what it is.
    /// Errors: bad_setting.
    result<> set(shm::transaction& by, const clock_settings& how) const noexcept;
    /// World time goes on from where it was, from now on, if it does not do so already.
    /// Errors: bad_setting.
    result<> start(shm::transaction& by, const clock_settings& how) const noexcept;
    /// The tick that has begun by then begins anew at the next start().
    result<> stop(shm::transaction& by) const noexcept;

    /// Ends so many ticks and tells of them, whatever the mode: a stopped clock may be moved by
    /// hand. Errors: bad_amount (no ticks), overflow.
    result<> advance(shm::transaction& by, const time_passed& passed) const noexcept;

    /// Raises the header's world_time, which later records carry, to the row's tick. Errors: as
    /// reader::read.
    result<> show(shm::region& where, shm::deadline until) const noexcept;

    [[nodiscard]] std::uint32_t table() const noexcept { return table_; }
    /// Number of the one row.
    [[nodiscard]] std::uint64_t row() const noexcept { return row_; }

  private:
    world_clock(std::uint32_t table, std::uint64_t row) noexcept : table_(table), row_(row) {}

    std::uint32_t table_;
    std::uint64_t row_;
};

/// Raises the header's world_time to that tick. Requires: a row with it is committed (O4).
void show_tick(shm::region& where, std::uint64_t tick) noexcept;

}  // namespace perdure

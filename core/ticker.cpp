// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <perdure/core/ticker.hpp>
#include <perdure/shm/crash_point.hpp>

namespace perdure {
namespace {

// A keeper has better things to do than to wait for a row, or for room that only it can make.
constexpr std::chrono::milliseconds patience{2};
constexpr std::uint64_t rest_ns = 10'000'000;

bool is_live(const clock_row& row) noexcept {
    return shm::peek(row.mode) == static_cast<std::uint32_t>(clock_mode::live);
}

/// Whether somebody has moved world time, or begun to count it anew.
bool has_moved(const clock_row& now, const clock_row& before) noexcept {
    return now.tick != before.tick || now.wall_ns != before.wall_ns;
}

}  // namespace

ticker::ticker(shm::region& where, const world_clock& of) noexcept : where_(&where), clock_(of) {
    const std::uint64_t at = shm::locate(where, of.table(), of.row());
    PERDURE_ASSERT(at != 0);  // Rows stay where they are.
    place_ = where.at<clock_row>(at);
}

/// What the clock's policy makes of time that was missed.
void ticker::miss(lapse& into, std::uint64_t missed_ns) const noexcept {
    const bool is_kept = known_.missed == static_cast<std::uint32_t>(missed_policy::exact);
    const std::uint64_t kept_ns = is_kept ? std::min(missed_ns, known_.missed_max_ns) : 0;
    into.due_ns += kept_ns;
    into.dropped_ns += missed_ns - kept_ns;
    into.is_made_up = into.is_made_up || into.due_ns >= known_.tick_ns;
}

/// Goes on from the row of another keeper, of this one before it was stopped, of a start().
void ticker::begin(std::uint64_t now_ns) noexcept {
    const std::uint64_t wall_ns = where_->waits().wall_ns();
    const std::uint64_t gap_ns = wall_ns > known_.wall_ns ? wall_ns - known_.wall_ns : 0;
    passed_ = {};
    if (gap_ns < known_.tick_ns) {
        passed_.due_ns = gap_ns;
    } else {
        miss(passed_, gap_ns);
    }
    seen_ns_ = now_ns;
    is_begun_ = true;
    show_tick(*where_, known_.tick);  // Who committed it may have died before it could.
}

/// Learns the row as it is now. False: it cannot be read now, or the clock has been stopped.
bool ticker::look(std::uint64_t now_ns) noexcept {
    if (!self_) {
        // Nobody to help: this is the thread that drains.
        auto joined = shm::session::join(*where_, nullptr);
        if (!joined) return false;
        self_.emplace(std::move(*joined));
    }
    const auto row = self_->read([&](shm::view& seen) { return clock_.read(seen); },
                                 shm::deadline::in(patience));
    if (!row || !is_live(*row)) return false;
    PERDURE_ASSERT(row->tick_ns >= tick_ns_least);
    const bool goes_on = is_begun_ && !has_moved(*row, known_);
    known_ = *row;
    if (!goes_on) begin(now_ns);
    return true;
}

/// What has passed by now. An absence in which no tick would have ended has missed none.
ticker::lapse ticker::until(std::uint64_t now_ns) const noexcept {
    lapse out = passed_;
    const std::uint64_t more_ns = now_ns - seen_ns_;
    if (more_ns > absence_ns && out.due_ns + more_ns >= known_.tick_ns) {
        miss(out, more_ns);
    } else {
        out.due_ns += more_ns;
    }
    return out;
}

bool ticker::end_ticks(const lapse& passed) noexcept {
    const std::uint64_t rest = passed.due_ns % known_.tick_ns;
    const std::uint64_t wall_ns = where_->waits().wall_ns();
    time_passed ended;
    ended.ticks = passed.due_ns / known_.tick_ns;
    ended.wall_ns = wall_ns > rest ? wall_ns - rest : 1;
    ended.dropped_ns = passed.dropped_ns;
    ended.reason = passed.is_made_up ? tick_reason::made_up : tick_reason::steady;
    const auto paid = self_->write(
        [&](shm::transaction& by) -> result<> {
            const auto row = PERDURE_TRY(clock_.read(by));
            if (row.header.lsn != known_.header.lsn) return errc::wrong_state;  // N1
            return clock_.advance(by, ended);
        },
        shm::deadline::in(patience));
    if (!paid) return false;
    PERDURE_CRASH_POINT("ticker.show");
    known_.header.lsn = paid->lsn;
    known_.tick += ended.ticks;
    known_.world_ns += ended.ticks * known_.tick_ns;
    known_.wall_ns = ended.wall_ns;
    show_tick(*where_, known_.tick);
    passed_ = {rest, 0, false};
    return true;
}

/// False: something stands in the way, and is worth another try a little later.
bool ticker::go_on(std::uint64_t now_ns) noexcept {
    if (!is_shown_) is_shown_ = clock_.show(*where_, shm::deadline::in(patience)).has_value();
    if (!is_live(*place_)) return is_shown_;
    // A hint, read beside writers: the transaction looks again.
    const bool is_known = is_begun_ && shm::peek(place_->header.lsn) == known_.header.lsn;
    if (!is_known && !look(now_ns)) return false;
    const lapse passed = until(now_ns);
    if (passed.due_ns < known_.tick_ns) {
        passed_ = passed;
    } else if (!end_ticks(passed)) {
        return false;
    }
    seen_ns_ = now_ns;
    return true;
}

void ticker::step() noexcept {
    const bool is_stopped = !is_live(*place_);
    if (is_stopped) is_begun_ = false;
    if (is_stopped && is_shown_) return;
    const std::uint64_t now_ns = where_->waits().now_ns();
    if (now_ns < rests_until_ns_) return;
    if (!go_on(now_ns)) rests_until_ns_ = now_ns + rest_ns;
}

}  // namespace perdure

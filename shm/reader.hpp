// SPDX-License-Identifier: Apache-2.0
//
// Consistent reads of many rows, with or without the right to write.
//
// Promise     What read() answers was true at one moment, rows that were looked for and not there
//             included.
// Death       A stripe whose owner died is repaired by whoever may write; a reader that may not
//             waits for them, and gives up when its time is over.
// Threads     One object, one thread; no slot, no participant.
#pragma once

#include <perdure/shm/hash_index.hpp>

namespace perdure::shm {

inline constexpr int reads_before_rest = 64;

class reader {
  public:
    explicit reader(region& where) : where_(&where), view_(where) {}

    /// Runs `closure(view&)`, which answers a result, until everything it read was true at one
    /// moment. Errors: the closure's own; stalled, in a region that may only be read: busy; forked.
    template <class Closure>
    auto read(Closure&& closure, deadline until = deadline::in(std::chrono::seconds(5)))
        -> decltype(closure(std::declval<view&>()));

    [[nodiscard]] view& in() noexcept { return view_; }

  private:
    region* where_;
    view view_;
};

template <class Closure>
auto reader::read(Closure&& closure, deadline until) -> decltype(closure(std::declval<view&>())) {
    if (!where_->owned()) return errc::forked;
    for (int run = 1;; ++run) {
        view_.clear();
        auto answer = closure(view_);
        const bool again = !answer.has_value() && answer.error() == errc::conflict;
        if (!again && view_.is_fresh()) return answer;
        if (run % reads_before_rest != 0) continue;
        until = until.from(where_->waits().now_ns());
        // Many writers or a stopped one: rest a little, and give up when the time is over.
        if (where_->waits().now_ns() >= until.at_ns) {
            return where_->writable() ? errc::stalled : errc::busy;
        }
        const std::uint32_t nobody_wakes = 0;
        where_->waits().wait(nobody_wakes, 0, std::chrono::microseconds(50));
    }
}

}  // namespace perdure::shm

// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <climits>
#include <perdure/shm/crash_point.hpp>
#include <perdure/shm/gate.hpp>

namespace perdure::shm {
namespace {

constexpr std::uint64_t window_first_ns = 50'000;
constexpr std::uint64_t window_max_ns = 20'000'000;
constexpr std::chrono::microseconds slice{100};

bool is_quiet(region& where, std::uint32_t but) noexcept {
    for (std::uint32_t i = 0; i < where.geometry().slot_count; ++i) {
        if (i == but || load(where.slot(i).active) == 0) continue;
        if (try_repair(where, i) == life::alive && load(where.slot(i).active) != 0) return false;
    }
    return true;
}

}  // namespace

result<> await_gate(region& where, std::uint32_t owner, deadline until) noexcept {
    until = until.from(where.waits().now_ns());
    for (;;) {
        const auto closer = static_cast<std::uint32_t>(load(where.header().gate.value));
        if (closer == 0 || closer == owner) return {};
        if (closer > where.geometry().slot_count) return errc::garbled;
        if (try_repair(where, closer - 1) == life::unusable) return errc::garbled;
        if (load(where.header().gate.value) != closer) continue;
        if (where.waits().now_ns() >= until.at_ns) return errc::stalled;
        where.waits().wait(low_half(where.header().gate.value), closer, slice);
    }
}

result<> close_gate(participant& self, deadline until) noexcept {
    auto& where = self.where();
    auto& gate = where.header().gate.value;
    PERDURE_ASSERT(is_clean(self.control()));
    const std::uint64_t from = where.waits().now_ns();
    until = until.from(from);
    for (std::uint64_t window = window_first_ns;; window = std::min(window * 2, window_max_ns)) {
        std::uint64_t open = 0;
        PERDURE_CRASH_POINT("gate.close");
        if (!word(gate).compare_exchange_strong(open, self.owner())) {
            PERDURE_TRY(await_gate(where, self.owner(), until));
            continue;
        }
        PERDURE_CRASH_POINT("gate.closed");
        const std::uint64_t end = where.waits().now_ns() + window;
        do {
            if (is_quiet(where, self.slot())) {
                auto& worst = where.header().counters.gate_waits_ns_max;
                const auto waited = where.waits().now_ns() - from;
                if (waited > peek(worst)) put(worst, waited);
                return {};
            }
            where.waits().pause();
        } while (where.waits().now_ns() < end);
        open_gate(self);
        if (where.waits().now_ns() >= until.at_ns) return errc::stalled;
        where.waits().wait(low_half(gate), 0, std::chrono::nanoseconds(window));
    }
}

void open_gate(participant& self) noexcept {
    auto& gate = self.where().header().gate.value;
    PERDURE_CRASH_POINT("gate.open");
    step(gate, 0);
    self.where().waits().wake(low_half(gate), INT_MAX);
}

}  // namespace perdure::shm

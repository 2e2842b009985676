// SPDX-License-Identifier: Apache-2.0
#include <perdure/plugins/host/window_plan.hpp>

namespace perdure::plugins {
namespace {

/// The same whenever the window is run, on every machine.
std::uint64_t seed_of(std::uint64_t plugin, std::uint64_t window) noexcept {
    std::uint64_t x = plugin ^ (window + 1) * 0x9e3779b97f4a7c15ULL;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
    return x ^ x >> 31;
}

}  // namespace

std::optional<due_window> plan_window(const plugin_row& row, const manifest& what,
                                      std::uint64_t world_ns) noexcept {
    // Its first commits are made: it stays what it was, also for an upgraded plugin.
    if (row.done != 0) return due_window{row.from_ns, row.to_ns, 0};
    if (world_ns <= row.from_ns) return std::nullopt;  // World time has been set back.
    const std::uint64_t ended = (world_ns - row.from_ns) / what.every_ns;
    if (ended == 0) return std::nullopt;
    due_window out{row.from_ns, row.from_ns + what.every_ns, 0};
    if (ended == 1 || what.missed == missed_windows::each) return out;
    const std::uint64_t last_end = row.from_ns + ended * what.every_ns;
    if (what.missed == missed_windows::merged) {
        out.to_ns = last_end;
    } else {
        out = {last_end - what.every_ns, last_end, ended - 1};
    }
    return out;
}

perdure_tick tick_of(const plugin_row& row, const plugin_call& call,
                     std::uint64_t hard_ns) noexcept {
    return {sizeof(perdure_tick),
            0,
            call.window,
            call.from_ns,
            call.to_ns,
            row.done,
            seed_of(row.key.high, call.window),
            call.generation,
            hard_ns};
}

}  // namespace perdure::plugins

// SPDX-License-Identifier: Apache-2.0
//
// Which window of world time a plugin is due to be called for.
//
// Promise     Windows are half-open and tile the time from when the plugin was loaded: each begins
//             where the one before ended, whatever died, was upgraded or came too late. A window
//             that has begun to be committed keeps its end (U1).
// Threads     Pure.
#pragma once

#include <perdure/plugins/abi/perdure_plugin.h>

#include <optional>
#include <perdure/plugins/host/admission.hpp>

namespace perdure::plugins {

struct due_window {
    std::uint64_t from_ns = 0;
    std::uint64_t to_ns = 0;
    std::uint64_t skipped = 0;  ///< Whole windows before it that are not to be run.
};

/// Nothing: no window has ended by `world_ns`. Requires: every_ns > 0.
std::optional<due_window> plan_window(const plugin_row& row, const manifest& what,
                                      std::uint64_t world_ns) noexcept;

/// What the plugin is called with. Requires: the call is the row's window.
perdure_tick tick_of(const plugin_row& row, const plugin_call& call,
                     std::uint64_t hard_ns) noexcept;

}  // namespace perdure::plugins

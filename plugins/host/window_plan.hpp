// SPDX-License-Identifier: Apache-2.0
//
// Which window of world time a plugin is due to be called for.
//
// Promise     Windows are half-open and tile the time from when the plugin was loaded: each begins
//             where the one before ended, whatever died, was upgraded or came too late. A window
//             that has begun to be committed keeps its end (U1).
// Threads     Pure.
#pragma once

#include <optional>
#include <perdure/plugins/host/manifest.hpp>
#include <perdure/plugins/host/registry_format.hpp>

namespace perdure::plugins {

struct due_window {
    std::uint64_t from_ns = 0;
    std::uint64_t to_ns = 0;
    std::uint64_t skipped = 0;  ///< Whole windows before it that are not to be run.
};

/// Nothing: no window has ended by `world_ns`. Requires: every_ns > 0.
std::optional<due_window> plan_window(const plugin_row& row, const manifest& what,
                                      std::uint64_t world_ns) noexcept;

}  // namespace perdure::plugins

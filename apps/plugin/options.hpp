// SPDX-License-Identifier: Apache-2.0
//
// The words of `perdure plugin`, as main.cpp adds them.
//
// Threads     The main thread's, before anything runs.
#pragma once

#include <functional>
#include <perdure/apps/plugin/command.hpp>

namespace CLI {
class App;
}

namespace perdure::apps {

/// What these commands are read into. Lives as long as the App.
struct plugin_session {
    std::function<int()>& chosen;  ///< What main() runs.
    plugin_new_order made{};
    plugin_inspect_order seen{};
    plugin_validate_order checked{};
    plugin_run_order tried{};
    plugin_order loaded{};

    /// Whether a failure is told as JSON too.
    [[nodiscard]] bool wants_json() const noexcept {
        return seen.json || checked.json || loaded.where.json;
    }
};

void add_plugin(CLI::App& app, plugin_session& session);

}  // namespace perdure::apps

// SPDX-License-Identifier: Apache-2.0
//
// The subcommands of `perdure plugin`: what was asked for, and the exit code.
//
// Promise     As apps/cli/command.hpp. None of these runs code of a plugin.
// Threads     Called once, on the main thread.
#pragma once

#include <functional>
#include <string>

namespace CLI {
class App;
}

namespace perdure::apps {

struct plugin_new_order {
    std::string kind;
    std::string name;
    std::string language = "c++";
};
int plugin_new(const plugin_new_order& order);

struct plugin_inspect_order {
    std::string file;
    bool json = false;
};
int plugin_inspect(const plugin_inspect_order& order);

/// What these commands are read into. Lives as long as the App.
struct plugin_session {
    std::function<int()>& chosen;  ///< What main() runs.
    plugin_new_order made{};
    plugin_inspect_order seen{};

    /// Whether a failure is told as JSON too.
    [[nodiscard]] bool wants_json() const noexcept { return seen.json; }
};

void add_plugin(CLI::App& app, plugin_session& session);

}  // namespace perdure::apps

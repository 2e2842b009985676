// SPDX-License-Identifier: Apache-2.0
//
// The subcommands of `perdure plugin`: what was asked for, and the exit code.
//
// Promise     As apps/cli/command.hpp. None of these runs code of a plugin.
// Threads     Called once, on the main thread.
#pragma once

#include <string>

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

}  // namespace perdure::apps

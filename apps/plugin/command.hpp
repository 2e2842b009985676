// SPDX-License-Identifier: Apache-2.0
//
// The subcommands of `perdure plugin`: what was asked for, and the exit code.
//
// Promise     As apps/cli/command.hpp. A plugin runs in processes that may only read a world:
//             the keeper's, or those of worlds that `validate` and `run` throw away.
// Threads     Called once, on the main thread.
#pragma once

#include <perdure/apps/cli/command.hpp>
#include <string>
#include <vector>

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

struct plugin_validate_order {
    std::string file;
    bool json = false;
};
int plugin_validate(const plugin_validate_order& order);

/// A plugin in a world of its own.
struct plugin_run_order {
    std::string file;
    std::string config = "{}";
    std::vector<std::string> accounts;   ///< "NAME" or "NAME=CODE:AMOUNT,CODE:AMOUNT"
    std::vector<std::string> transfers;  ///< "FROM:TO:CODE:AMOUNT", made once in each window.
    std::uint64_t windows = 10;
    bool is_debugged = false;
};
int plugin_run(const plugin_run_order& order);

/// What is done to plugins of a world.
struct plugin_order {
    world_choice where;
    std::string file;
    std::string id;
    std::string config = "{}";
    bool is_inline = false;
    bool is_enabling = false;
    bool grants_more = false;
    std::uint64_t shadow = 0;      ///< Windows.
    std::uint64_t wait_ms = 5000;  ///< For the keeper to follow.
    std::uint64_t lines = 50;
};
int plugin_load(const plugin_order& order);
int plugin_unload(const plugin_order& order);
int plugin_disable(const plugin_order& order);
int plugin_upgrade(const plugin_order& order);
int plugin_list(const plugin_order& order);
int plugin_logs(const plugin_order& order);
}  // namespace perdure::apps

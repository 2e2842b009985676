// SPDX-License-Identifier: Apache-2.0
//
// What the subcommands' arguments have in common.
//
// Threads     The main thread's, before anything runs.
#pragma once

#include <functional>
#include <perdure/apps/cli/command.hpp>
#include <string>

namespace CLI {
class App;
}

namespace perdure::apps {

/// A subcommand with an example and the exit codes below its help.
CLI::App* add_command(CLI::App& above, const std::string& name, const std::string& what,
                      const std::string& example);

struct world_words {
    std::string json = "Prints one JSON object";  ///< What --json is said to do.
    bool is_required = true;                      ///< The directory must be given.
};
/// WORLD, --set and --json.
void add_world(CLI::App* command, world_choice& where, const world_words& words = {});

/// Given this command, main() runs `work`: it becomes what was chosen.
void choose(CLI::App* command, std::function<int()>& chosen, std::function<int()> work);

/// --at and --lsn: the world as it was.
void add_past(CLI::App* to, world_choice& where);

}  // namespace perdure::apps

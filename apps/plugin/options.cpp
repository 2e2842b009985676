// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <perdure/apps/cli/arguments.hpp>
#include <perdure/apps/plugin/options.hpp>

namespace perdure::apps {

void add_plugin(CLI::App& app, plugin_session& session) {
    CLI::App* above = app.add_subcommand("plugin", "Makes and looks at plugins");
    above->require_subcommand(1);

    CLI::App* made = add_command(*above, "new", "Makes the folder of a new plugin, with a test",
                                 "perdure plugin new yield my-yield --language c");
    made->add_option("KIND", session.made.kind,
                     "yield: called for windows of time; detector: called with events; sink: the "
                     "same, but posts nothing")
        ->required()
        ->check(CLI::IsMember({"yield", "sink", "detector"}));
    made->add_option("NAME", session.made.name, "Of the plugin and of the folder")->required();
    made->add_option("--language", session.made.language, "What it is written in")
        ->check(CLI::IsMember({"c", "c++"}))
        ->capture_default_str();
    choose(made, session.chosen, [&session] { return plugin_new(session.made); });

    CLI::App* seen = add_command(*above, "inspect",
                                 "Shows what a plugin is and what it may do, without running it",
                                 "perdure plugin inspect my-yield/build/my-yield.so --json");
    seen->add_option("FILE", session.seen.file, "The plugin's .so")->required();
    seen->add_flag("--json", session.seen.json, "Prints one JSON object");
    choose(seen, session.chosen, [&session] { return plugin_inspect(session.seen); });
}

}  // namespace perdure::apps

// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <perdure/apps/cli/arguments.hpp>
#include <perdure/apps/plugin/options.hpp>

namespace perdure::apps {

namespace {

/// What runs a plugin without any world of the user's.
void add_trials(CLI::App& above, plugin_session& session) {
    CLI::App* checked = add_command(above, "validate",
                                    "Checks that a plugin keeps every rule, in a world of its own",
                                    "perdure plugin validate my-yield/build/my-yield.so");
    checked->add_option("FILE", session.checked.file, "The plugin's .so")->required();
    checked->add_flag("--json", session.checked.json, "Prints one JSON object");
    choose(checked, session.chosen, [&session] { return plugin_validate(session.checked); });

    auto& order = session.tried;
    CLI::App* tried = add_command(
        above, "run", "Runs a plugin in a world that is thrown away, and prints what it wants",
        "perdure plugin run my-yield/build/my-yield.so --account treasury=gold:1000 "
        "--account alice=gold:500");
    tried->add_option("FILE", order.file, "The plugin's .so")->required();
    tried->add_option("--windows", order.windows, "How many windows of world time")
        ->capture_default_str();
    tried->add_option("--config", order.config, "Its settings, a JSON object");
    tried->add_option("--account", order.accounts,
                      "NAME=ASSET:AMOUNT,... in minor units, or only NAME; once for each account");
    tried->add_option("--transfer", order.transfers,
                      "FROM:TO:ASSET:AMOUNT, made in each window: for plugins that follow events");
    tried->add_flag("--gdb", order.is_debugged,
                    "Waits until a debugger has come to the plugin's process; calls have no limit");
    choose(tried, session.chosen, [&session] { return plugin_run(session.tried); });
}

void add_lifecycle(CLI::App& above, plugin_session& session) {
    auto& order = session.loaded;
    const auto verb = [&](const char* name, const char* what, const char* example,
                          int (*work)(const plugin_order&)) {
        CLI::App* made = add_command(above, name, what, std::string("perdure plugin ") + example);
        add_world(made, order.where);
        choose(made, session.chosen, [&order, work] { return work(order); });
        return made;
    };
    const auto of_plugin = [&](CLI::App* made) {
        made->add_option("ID", order.id, "As `perdure plugin list` shows it")->required();
        return made;
    };
    CLI::App* load =
        verb("load", "Brings a plugin into a world, running or not",
             "load ./bazaar my-yield/build/my-yield.so --config '{\"rate\": 7}'", plugin_load);
    load->add_option("FILE", order.file, "The plugin's .so, or a built-in one's name: yield")
        ->required();
    load->add_option("--config", order.config, "Its settings, a JSON object");
    load->add_flag("--inline", order.is_inline,
                   "Inside the keeper's process: only for plugins trusted like the keeper");
    CLI::App* upgrade = of_plugin(
        verb("upgrade", "Brings a plugin to another version while the world runs",
             "upgrade ./bazaar org.example.my-yield my-yield/build/my-yield.so --shadow 3",
             plugin_upgrade));
    upgrade->add_option("FILE", order.file, "The new version's .so")->required();
    upgrade->add_option("--shadow", order.shadow,
                        "Windows that the new version is asked for beside the old one first");
    upgrade->add_flag("--grant", order.grants_more, "Grants what it wants beyond the old version");
    verb("list", "Shows a world's plugins, how far they have come and what ails them",
         "list ./bazaar --json", plugin_list);
    of_plugin(verb("unload", "Takes a plugin out of a world; its account and state stay",
                   "unload ./bazaar org.example.my-yield", plugin_unload));
    of_plugin(verb("disable", "Stops a plugin until it is enabled; its windows wait",
                   "disable ./bazaar org.example.my-yield", plugin_disable));
    CLI::App* enable =
        of_plugin(verb("enable", "Lets a disabled or quarantined plugin go on",
                       "enable ./bazaar org.example.my-yield", [](const plugin_order& which) {
                           auto enabled = which;
                           enabled.is_enabling = true;
                           return plugin_disable(enabled);
                       }));
    for (CLI::App* each : {load, enable, upgrade}) {
        each->add_option("--wait", order.wait_ms, "Milliseconds for the keeper to follow")
            ->capture_default_str();
    }
    of_plugin(verb("logs", "Shows what a plugin has said and what became of it",
                   "logs ./bazaar org.example.my-yield --lines 20", plugin_logs))
        ->add_option("--lines", order.lines, "How many, the last ones")
        ->capture_default_str();
}

}  // namespace

void add_plugin(CLI::App& app, plugin_session& session) {
    CLI::App* above = app.add_subcommand("plugin", "Makes, loads and looks after plugins");
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
    add_trials(*above, session);
    add_lifecycle(*above, session);
}

}  // namespace perdure::apps

// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/cli/arguments.hpp>

#include <CLI/CLI.hpp>

namespace perdure::apps {

CLI::App* add_command(CLI::App& above, const std::string& name, const std::string& what,
                      const std::string& example) {
    const CLI::App* top = &above;
    while (top->get_parent() != nullptr) top = top->get_parent();
    CLI::App* made = above.add_subcommand(name, what);
    made->footer("Example:\n  " + example + "\n\n" + top->get_footer());
    return made;
}

void add_world(CLI::App* command, world_choice& where, const world_words& words) {
    command->add_option("WORLD", where.directory, "The world's directory")
        ->required(words.is_required);
    command
        ->add_option("--set", where.assignments,
                     "Overrides world.toml: section.key=value; may be given again")
        ->type_name("KEY=VALUE")
        ->take_all()
        ->expected(1);
    command->add_flag("--json", where.json, words.json);
}

void choose(CLI::App* command, std::function<int()>& chosen, std::function<int()> work) {
    command->callback([&chosen, work = std::move(work)] { chosen = work; });
}

void add_past(CLI::App* to, world_choice& where) {
    to->add_option("--at", where.at,
                   "The world as it was at this time, UTC: \"2026-11-22 14:03:05\"");
    to->add_option("--lsn", where.lsn, "The world as it was behind this record")
        ->check(CLI::PositiveNumber);
}

}  // namespace perdure::apps

// SPDX-License-Identifier: Apache-2.0
//
// perdure, the one command: words into orders, failures into thing, cause, remedy and an exit code.
#include <cstdio>
#include <exception>
#include <functional>

#include <CLI/CLI.hpp>
#include <perdure/apps/cli/child.hpp>
#include <perdure/apps/cli/command.hpp>
#include <perdure/apps/cli/console.hpp>
#include <perdure/apps/cli/history.hpp>
#include <perdure/apps/cli/reading.hpp>

namespace perdure::apps {
namespace {

constexpr const char* exit_codes =
    "Exit codes: 0 done, 1 refused or not found, 2 usage or configuration, 3 damage found.";

struct command_line {
    CLI::App app{
        "Perdure keeps a game's economy in shared memory, through the death of any process."};
    world_choice where;
    import_order import;
    demo_order play;
    part_order part;
    std::function<int()> chosen;
    history_session history{where, chosen};
    reading_session reading{where, chosen};

    command_line() {
        app.name("perdure");
        app.require_subcommand(1);
        app.set_version_flag("--version", "perdure 0.1.0");
        app.footer(exit_codes);
        add_world_commands();
        add_history(app, history);
        add_reading(app, reading);
        add_import();
        add_demo();
        add_parts();
    }

    CLI::App* add(CLI::App& above, const std::string& name, const std::string& what,
                  const std::string& example) {
        CLI::App* made = above.add_subcommand(name, what);
        made->footer("Example:\n  " + example + "\n\n" + exit_codes);
        return made;
    }

    void choose(CLI::App* command, std::function<int()> work) {
        command->callback([this, work = std::move(work)] { chosen = work; });
    }

    static void add_world(CLI::App* command, world_choice& chosen_world) {
        command->add_option("WORLD", chosen_world.directory, "The world's directory")->required();
        command
            ->add_option("--set", chosen_world.assignments,
                         "Overrides world.toml: section.key=value; may be given again")
            ->type_name("KEY=VALUE")
            ->take_all()
            ->expected(1);
        command->add_flag("--json", chosen_world.json, "Prints one JSON object");
    }

    void add_world_commands() {
        CLI::App* made = add(app, "init", "Makes an empty world and its world.toml",
                             "perdure init ./bazaar --set region.capacity=2GiB");
        add_world(made, where);
        choose(made, [this] { return init(where); });

        CLI::App* served =
            add(app, "serve",
                "Keeps a world: writes its journal, until SIGTERM or SIGINT. A second "
                "one stands by",
                "perdure serve ./bazaar --set log.level=debug");
        add_world(served, where);
        choose(served, [this] { return serve(where); });

        CLI::App* seen = add(app, "status", "Shows a world's keeper, participants, lag and repairs",
                             "perdure status ./bazaar --json");
        add_world(seen, where);
        choose(seen, [this] { return status(where); });

        CLI::App* verified =
            add(app, "verify",
                "Checks a world's memory, journal and money; recovers it first where "
                "it must",
                "perdure verify ./bazaar --json");
        add_world(verified, where);
        choose(verified, [this] { return verify(where); });
    }

    void add_import() {
        CLI::App* above = app.add_subcommand("import", "Brings in what others recorded");
        above->require_subcommand(1);
        CLI::App* made =
            add(*above, "transfers", "Plays a CSV of transfers, each line once, whatever is killed",
                "perdure import transfers ./bazaar paysim.csv.zst --scale 2 --workers 3 "
                "\\\n      --columns from=nameOrig,to=nameDest,amount=amount");
        add_world(made, import.where);
        made->add_option("FILE", import.file, "CSV with a header, plain or packed by zstd")
            ->required();
        made->add_option("--columns", import.columns, "from=NAME,to=NAME,amount=NAME")->required();
        made->add_option("--scale", import.scale,
                         "Digits behind the point; more are rounded half to even")
            ->required()
            ->check(CLI::Range(0, 18));
        made->add_option("--workers", import.workers, "Processes")
            ->check(CLI::Range(1U, 32U))
            ->capture_default_str();
        made->add_option("--asset", import.asset, "Code of what is moved; made if it is not there")
            ->capture_default_str();
        made->add_option("--grant", import.grant,
                         "Minor units each new account is opened with; 0: enough for this file");
        made->add_option("--progress", import.progress_lines,
                         "Off a terminal: a line each so many lines; 0: one a second");
        made->add_option("--rate", import.rate, "At most so many lines a second; 0: no limit");
        choose(made, [this] { return import_transfers(import); });
    }

    void add_demo() {
        CLI::App* made =
            add(app, "demo",
                "Trades in a world of its own while killing its processes, crashes the "
                "machine, and counts what was lost",
                "perdure demo --quick");
        made->add_flag("--quick", play.quick, "About 8 seconds instead of 30");
        made->add_flag("--json", play.json, "Ends with one JSON object");
        made->add_option("--sabotage", play.sabotage,
                         "Plants a fault that the demo must notice: it then exits 1")
            ->check(CLI::IsMember({"ack_at_write"}));
        made->add_option("--directory", play.folder, "Where its world is made; TMPDIR or /tmp");
        choose(made, [this] { return demo(play); });
    }

    /// How the command starts itself; not for people.
    void add_parts() {
        const auto hidden = [this](const char* name, std::function<int()> work) {
            CLI::App* made = app.add_subcommand(name)->group("");
            made->add_option("WORLD", part.where.directory)->required();
            made->add_option("--set", part.where.assignments)->take_all()->expected(1);
            made->add_option("--parent", part.parent)->required();
            made->add_option("--place", part.place);
            made->add_option("--of", part.of);
            made->add_option("--number", part.number);
            choose(made, [this, work = std::move(work)] {
                end_with(part.parent);
                return work();
            });
            return made;
        };
        hidden("demo-worker", [this] { return demo_worker(part); });
        hidden("demo-keeper", [this] { return demo_keeper(part); });
        CLI::App* made = hidden("import-part", [this] { return import_part(part); });
        made->add_option("--file", part.file)->required();
        made->add_option("--columns", part.columns)->required();
        made->add_option("--asset", part.asset)->required();
        made->add_option("--identity", part.identity)->required();
        made->add_option("--grant", part.grant)->required();
        made->add_option("--scale", part.scale)->required();
        made->add_option("--rate", part.rate)->required();
    }
};

int run(int argc, char** argv) {
    command_line line;
    try {
        line.app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return line.app.exit(error) == 0 ? exit_done : exit_usage;
    }
    const bool json = line.where.json || line.import.where.json || line.play.json;
    try {
        return line.chosen();
    } catch (const failure& why) {
        report(why, json);
        if (why.reason() == errc::bad_setting || why.reason() == errc::bad_query) {
            return exit_usage;
        }
        const std::string& directory =
            line.where.directory.empty() ? line.import.where.directory : line.where.directory;
        return is_damage(why, directory) ? exit_damage : exit_refused;
    }
}

}  // namespace
}  // namespace perdure::apps

int main(int argc, char** argv) {
    try {
        return perdure::apps::run(argc, argv);
    } catch (const std::exception& error) {
        static_cast<void>(std::fprintf(stderr, "perdure: %s\n", error.what()));
    } catch (...) {
        static_cast<void>(std::fputs("perdure: an unknown exception\n", stderr));
    }
    return perdure::apps::exit_refused;
}

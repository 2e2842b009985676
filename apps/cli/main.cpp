// SPDX-License-Identifier: Apache-2.0
//
// perdure, the one command: words into orders, failures into thing, cause, remedy and an exit code.
#include <cstdio>
#include <exception>
#include <functional>

#include <CLI/CLI.hpp>
#include <perdure/apps/cli/arguments.hpp>
#include <perdure/apps/cli/child.hpp>
#include <perdure/apps/cli/command.hpp>
#include <perdure/apps/cli/console.hpp>
#include <perdure/apps/cli/history.hpp>
#include <perdure/apps/cli/reading.hpp>
#include <perdure/apps/cli/stake.hpp>
#include <perdure/apps/cli/state.hpp>
#include <perdure/apps/cli/world_history.hpp>
#include <perdure/apps/import/options.hpp>
#include <perdure/apps/plugin/options.hpp>

namespace perdure::apps {
namespace {

constexpr const char* exit_codes =
    "Exit codes: 0 done, 1 refused or not found, 2 usage or configuration, 3 damage found.";

struct command_line {
    CLI::App app{
        "Perdure keeps a game's economy in shared memory, through the death of any process."};
    world_choice where;
    import_order import;
    import_order opened;  // Accounts.
    close_order closing;
    state_order document;
    verify_order checked;
    checkpoint_order saved;
    restore_choice restored;
    diff_order compared;
    history_order noted;
    demo_order play;
    part_order part;
    std::function<int()> chosen;
    history_session history{where, chosen};
    reading_session reading{where, chosen};
    plugin_session plugin{chosen};
    stake_session staking{where, chosen};

    command_line() {
        app.name("perdure");
        app.require_subcommand(1);
        app.set_version_flag("--version", "perdure 0.1.0");
        app.footer(exit_codes);
        add_world_commands();
        add_history(app, history);
        add_reading(app, reading);
        add_import();
        add_state();
        add_stake(app, staking);
        add_checkpoint();
        add_world_history();
        add_past_commands();
        add_plugin(app, plugin);
        add_demo();
        add_parts();
    }

    /// Of the command that was given.
    [[nodiscard]] const world_choice& chosen_world() const {
        for (const world_choice* each :
             {&import.where, &opened.where, &closing.where, &document.where, &checked.where,
              &saved.where, &restored.where, &compared.where, &noted.where}) {
            if (!each->directory.empty()) return *each;
        }
        return where;
    }

    void add_world_commands() {
        CLI::App* made = add_command(app, "init", "Makes an empty world and its world.toml",
                                     "perdure init ./bazaar --set region.capacity=2GiB");
        add_world(made, where);
        choose(made, chosen, [this] { return init(where); });

        CLI::App* served =
            add_command(app, "serve",
                        "Keeps a world: writes its journal, until SIGTERM or SIGINT. A second "
                        "one stands by",
                        "perdure serve ./bazaar --set log.level=debug");
        add_world(served, where);
        choose(served, chosen, [this] { return serve(where); });

        CLI::App* seen =
            add_command(app, "status", "Shows a world's keeper, participants, lag and repairs",
                        "perdure status ./bazaar --json");
        add_world(seen, where);
        choose(seen, chosen, [this] { return status(where); });

        CLI::App* verified =
            add_command(app, "verify",
                        "Checks a world's memory, journal and money; recovers it first where "
                        "it must",
                        "perdure verify ./bazaar --json");
        add_world(verified, checked.where);
        verified->add_flag("--deep", checked.deep,
                           "Also reads every checkpoint and builds the state again from the files");
        choose(verified, chosen, [this] { return verify(checked); });
    }

    void add_world_history() {
        CLI::App* told = add_command(app, "history",
                                     "Lists a world's checkpoints, recoveries and validations, "
                                     "and how its parts were",
                                     "perdure history ./bazaar --limit 5");
        add_world(told, noted.where);
        told->add_option("--limit", noted.limit, "At most so many of each; 0: all")
            ->capture_default_str();
        choose(told, chosen, [this] { return world_history(noted); });
    }

    void add_checkpoint() {
        CLI::App* made =
            add_command(app, "checkpoint",
                        "Saves what has changed since the last checkpoint, beside all writers",
                        "perdure checkpoint ./bazaar --full");
        add_world(made, saved.where);
        made->add_flag("--full", saved.full, "Everything, not only what has changed");
        choose(made, chosen, [this] { return checkpoint(saved); });
    }

    void add_past_commands() {
        CLI::App* made =
            add_command(app, "restore", "Makes a new world of a point in a world's history",
                        "perdure restore ./bazaar --to ./bazaar-noon --at '2026-11-22 12:00:00'");
        add_world(made, restored.where);
        add_past(made, restored.where);
        made->add_option("--to", restored.to, "The new world's directory; must not be there")
            ->required();
        made->add_flag("--latest", restored.latest, "The last durable commit");
        made->add_option("--checkpoint", restored.checkpoint,
                         "Its version (v3), its LSN, or the beginning of its identifier");
        made->add_option("--before-error", restored.before_error,
                         "The state before the last event of that name; without a name the last "
                         "one that `perdure verify` found sound before it found a fault")
            ->type_name("[EVENT]")
            ->expected(0, 1)
            ->default_str("");
        made->add_flag("--accept-loss", restored.accepts_loss,
                       "With --latest: where files are damaged, what can still be had of them");
        made->add_flag("--swap", restored.swap,
                       "Puts it in the world's place; the old one is kept under --to");
        choose(made, chosen, [this] { return restore(restored); });

        CLI::App* differing =
            add_command(app, "diff", "Says what differs between two points in a world's history",
                        "perdure diff ./bazaar --from '2026-11-22 12:00:00' --to 480123");
        add_world(differing, compared.where);
        differing->add_option("--from", compared.from, "A time, or an LSN")->required();
        differing->add_option("--to", compared.to, "The same; left out: now");
        differing
            ->add_option("--limit", compared.limit,
                         "Rows shown of a table; 0: all, bookkeeping included")
            ->capture_default_str();
        choose(differing, chosen, [this] { return diff(compared); });
    }

    void add_import() {
        CLI::App* above = app.add_subcommand("import", "Brings in what others recorded");
        above->require_subcommand(1);
        CLI::App* moved = add_command(
            *above, "transfers", "Plays a CSV of transfers, each line once, whatever is killed",
            "perdure import transfers ./bazaar paysim.csv.zst --scale 2 --workers 3 "
            "\\\n      --columns from=nameOrig,to=nameDest,amount=amount");
        add_world(moved, import.where);
        add_import_options(moved, import);
        choose(moved, chosen, [this] { return import_file(import); });

        opened.rules.accounts = true;
        CLI::App* named = add_command(
            *above, "accounts", "Opens a CSV of accounts with what they hold, each line once",
            "perdure import accounts ./bazaar nodes.csv.zst --scale 2 \\\n"
            "      --columns name=nodeid,balance=init_balance");
        add_world(named, opened.where);
        add_import_options(named, opened);
        choose(named, chosen, [this] { return import_file(opened); });

        CLI::App* listed = add_command(*above, "list", "Shows which files were imported",
                                       "perdure import list ./bazaar");
        add_world(listed, where);
        choose(listed, chosen, [this] { return list_imports(where); });

        CLI::App* closed = add_command(
            *above, "close", "Forgets an import's keys: it can neither go on nor be played again",
            "perdure import close ./bazaar 1f09a3c2");
        add_world(closed, closing.where);
        closed->add_option("IMPORT", closing.identity, "First digits of what `import list` shows")
            ->required();
        choose(closed, chosen, [this] { return close_import(closing); });
    }

    void add_state() {
        CLI::App* above = app.add_subcommand("state", "Keeps documents: named, versioned states");
        above->require_subcommand(1);
        const auto verb = [&](const char* name, const char* what, const char* example,
                              int (*work)(const state_order&)) {
            CLI::App* made =
                add_command(*above, name, what, std::string("perdure state ") + example);
            add_world(made, document.where);
            choose(made, chosen, [this, work] { return work(document); });
            return made;
        };
        const auto of_document = [&](CLI::App* made) {
            made->add_option("DOCUMENT", document.document, "COLLECTION/NAME")->required();
            return made;
        };
        const auto of_folder = [&](CLI::App* made) {
            made->add_option("COLLECTION", document.collection)->required();
            made->add_option("FOLDER", document.folder)->required();
            return made;
        };
        CLI::App* put = of_document(verb("put", "Writes a version of a document",
                                         "put ./bazaar markets/gold --file gold.json "
                                         "--from-state open --to-state closed",
                                         state_put));
        put->add_option("--file", document.file, "Its content; standard input without it");
        put->add_flag("--binary", document.binary, "Any bytes instead of JSON");
        put->add_option("--expect-version", document.expect_version,
                        "Refused unless this is the present version; 0: not there yet");
        put->add_option("--from-state", document.from_state, "Refused in another state");
        put->add_option("--to-state", document.to_state, "The state it is in afterwards");
        put->add_option("--versions", document.versions, "Kept of a document that is new: 1 to 64");
        CLI::App* get = of_document(
            verb("get", "Prints a document", "get ./bazaar markets/gold --version 3", state_get));
        get->add_option("--version", document.version, "Instead of the newest");
        get->add_option("--file", document.file, "Writes it there; the file must not exist");
        of_document(verb("history", "Lists a document's versions and their transitions",
                         "history ./bazaar markets/gold --json", state_history));
        CLI::App* diff =
            of_document(verb("diff", "Says what differs between two versions",
                             "diff ./bazaar markets/gold --from 3 --to 5", state_diff));
        diff->add_option("--from", document.from, "Without it the one before");
        diff->add_option("--to", document.to, "Without it the newest");
        CLI::App* erase = of_document(verb("erase", "Removes a document with all its versions",
                                           "erase ./bazaar markets/gold", state_erase));
        CLI::App* limit =
            of_document(verb("limit", "Changes what is kept of a document",
                             "limit ./bazaar markets/gold --versions 3", state_limit));
        limit->add_option("--versions", document.versions, "1 to 64");
        limit->add_option("--bytes", document.bytes, "Of a version, at most 16 MiB");
        verb("list", "Lists documents", "list ./bazaar --collection markets", state_list)
            ->add_option("--collection", document.collection, "Only this one's");
        CLI::App* save = of_folder(verb("save", "Writes every file of a folder as a document",
                                        "save ./bazaar markets ./markets", state_save));
        save->add_flag("--atomic", document.atomic, "In one transaction; refused if too much");
        of_folder(verb("load", "Writes every document of a collection into a folder",
                       "load ./bazaar markets ./copy", state_load));
        for (CLI::App* made : {put, erase, save}) {
            made->add_option("--reason", document.reason, "The game's own code, a number");
        }
    }

    void add_demo() {
        CLI::App* made =
            add_command(app, "demo",
                        "Trades in a world of its own while killing its processes, crashes the "
                        "machine, and counts what was lost",
                        "perdure demo --quick");
        made->add_flag("--quick", play.quick, "About 8 seconds instead of 30");
        made->add_flag("--json", play.json, "Ends with one JSON object");
        made->add_option("--sabotage", play.sabotage,
                         "Plants a fault that the demo must notice: it then exits 1")
            ->check(CLI::IsMember({"ack_at_write"}));
        made->add_option("--directory", play.folder, "Where its world is made; TMPDIR or /tmp");
        choose(made, chosen, [this] { return demo(play); });
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
            choose(made, chosen, [this, work = std::move(work)] {
                end_with(part.parent);
                return work();
            });
            return made;
        };
        hidden("demo-worker", [this] { return demo_worker(part); });
        hidden("demo-keeper", [this] { return demo_keeper(part); });
        CLI::App* made = hidden("import-part", [this] { return import_part(part); });
        add_part_options(made, part);
    }
};

int run(int argc, char** argv) {
    command_line line;
    try {
        line.app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return line.app.exit(error) == 0 ? exit_done : exit_usage;
    }
    const world_choice& where = line.chosen_world();
    const bool json = where.json || line.play.json || line.plugin.wants_json();
    try {
        return line.chosen();
    } catch (const failure& why) {
        report(why, json);
        if (why.reason() == errc::bad_setting || why.reason() == errc::bad_query) {
            return exit_usage;
        }
        return is_damage(why, where.directory) ? exit_damage : exit_refused;
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

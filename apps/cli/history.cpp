// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/cli/history.hpp>

#include <CLI/CLI.hpp>
#include <perdure/apps/cli/arguments.hpp>

namespace perdure::apps {
namespace {

void add_events(CLI::App& app, history_session& to) {
    CLI::App* made =
        add_command(app, "events", "Prints a world's events from any LSN on, a line each",
                    "perdure events ./bazaar --follow --type transferred,minted "
                    "\\\n      --account alice --asset gold");
    auto& order = to.orders.events;
    add_world(made, to.where, {.json = "Prints one JSON object a line"});
    made->add_option("--from", order.from,
                     "First LSN; without it the first of all, with --follow the next one to come");
    made->add_flag("--follow", order.follow, "Waits for more, until SIGINT or SIGTERM");
    made->add_option("--type", order.events,
                     "Only these: a,b; `query WORLD event_types` lists them")
        ->delimiter(',')
        ->type_name("NAME,...");
    made->add_option("--account", order.account, "Only where it takes part: a name, or @NUMBER");
    made->add_option("--asset", order.asset, "Only of this asset: its code");
    made->add_option("--limit", order.limit, "At most so many; 0: no limit");
    auto* durable = made->add_flag("--durable", order.durable,
                                   "Only what survives power loss; so it is anyway");
    made->add_flag("--applied", order.applied, "Also what a power loss could still take back")
        ->excludes(durable);
    choose(made, to.chosen, [&to] {
        to.orders.events.where = to.where;
        return events(to.orders.events);
    });
}

void add_explain(CLI::App& app, history_session& to) {
    CLI::App* made = add_command(
        app, "explain", "Tells how an account came to what it has, the newest change first",
        "perdure explain ./bazaar alice --asset gold --limit 0");
    auto& order = to.orders.explain;
    add_world(made, to.where);
    add_past(made, to.where);
    made->add_option("ACCOUNT", order.account, "A name, or @NUMBER")->required();
    made->add_option("--asset", order.asset, "Only this one: its code");
    made->add_option("--limit", order.limit,
                     "At most so many changes an asset; 0: back to its beginning")
        ->capture_default_str();
    choose(made, to.chosen, [&to] {
        to.orders.explain.where = to.where;
        return explain(to.orders.explain);
    });
}

}  // namespace

void add_history(CLI::App& app, history_session& to) {
    add_events(app, to);
    add_explain(app, to);
}

}  // namespace perdure::apps

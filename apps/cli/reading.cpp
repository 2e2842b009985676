// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/cli/reading.hpp>

#include <CLI/CLI.hpp>
#include <perdure/apps/cli/arguments.hpp>

namespace perdure::apps {
namespace {

void add_query(CLI::App& app, reading_session& to) {
    CLI::App* made =
        add_command(app, "query", "Lists tables, or shows rows of one, while the world runs",
                    "perdure query ./bazaar balances --where 'available >= 100000' "
                    "\\\n      --order available:desc --limit 10");
    auto& order = to.orders.query;
    add_world(made, to.where);
    add_past(made, to.where);
    made->add_option("TABLE", order.table, "Left out: lists the tables");
    made->add_option("--where", order.condition,
                     "FIELD = != < <= > >= ^= CONSTANT, joined by and; row and lsn are fields too");
    made->add_option("--order", order.order, "FIELD, or FIELD:desc");
    made->add_option("--limit", order.limit, "At most so many rows; 0: all")->capture_default_str();
    made->add_option("--fields", order.fields, "Which fields: a,b");
    choose(made, to.chosen, [&to] {
        to.orders.query.where = to.where;
        return query(to.orders.query);
    });
}

void add_export(CLI::App& app, reading_session& to) {
    CLI::App* made = add_command(app, "export", "Writes tables as JSON, JSON lines or CSV",
                                 "perdure export ./bazaar accounts --format csv --to accounts.csv");
    auto& order = to.orders.export_to;
    add_world(made, to.where);
    add_past(made, to.where);
    made->add_option("TABLE", order.tables, "Which tables; none: all");
    made->add_option("--format", order.format, "json, jsonl or csv")
        ->check(CLI::IsMember({"json", "jsonl", "csv"}))
        ->capture_default_str();
    made->add_option("--to", order.to,
                     "A file, which appears when it is whole; none: standard output");
    made->add_flag("--consistent", order.consistent,
                   "All rows as of one moment, beside writers; takes memory for the tables");
    choose(made, to.chosen, [&to] {
        to.orders.export_to.where = to.where;
        return export_tables(to.orders.export_to);
    });
}

void add_top(CLI::App& app, reading_session& to) {
    CLI::App* made = add_command(app, "top", "Shows a world's figures every second, keeper or not",
                                 "perdure top ./bazaar");
    add_world(made, to.where);
    made->add_flag("--once", to.orders.top.once, "Looks once, measures for a quarter of a second");
    choose(made, to.chosen, [&to] {
        to.orders.top.where = to.where;
        return top(to.orders.top);
    });
}

void add_doctor(CLI::App& app, reading_session& to) {
    CLI::App* made =
        add_command(app, "doctor", "Checks machine, disk and world, and says what to change",
                    "perdure doctor ./bazaar --bundle support.tar.zst");
    add_world(made, to.where, {.is_required = false});
    made->add_option("--bundle", to.orders.doctor.bundle,
                     "Writes findings, figures and schemas for support; no rows, no names");
    choose(made, to.chosen, [&to] {
        to.orders.doctor.where = to.where;
        return doctor(to.orders.doctor);
    });
}

}  // namespace

void add_reading(CLI::App& app, reading_session& to) {
    add_query(app, to);
    add_export(app, to);
    add_top(app, to);
    add_doctor(app, to);
}

}  // namespace perdure::apps

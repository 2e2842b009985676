// SPDX-License-Identifier: Apache-2.0
//
// The subcommands that look at a world and change nothing in it: query, export, top, doctor.
//
// Promise     As command.hpp. Each attaches for reading alone; none needs a keeper or the lease.
// Threads     Called once, on the main thread.
#pragma once

#include <functional>
#include <perdure/apps/cli/command.hpp>

namespace CLI {
class App;
}

namespace perdure::apps {

struct query_order {
    world_choice where;
    std::string table;  ///< Empty: lists the tables.
    std::string condition;
    std::string order;
    std::string fields;
    std::uint64_t limit = 100;  ///< 0: all.
};
int query(const query_order& order);

struct export_order {
    world_choice where;
    std::vector<std::string> tables;  ///< Empty: all.
    std::string format = "jsonl";
    std::string to;           ///< Empty: standard output.
    bool consistent = false;  ///< All rows as of one moment, out of memory of its own.
};
int export_tables(const export_order& order);

struct top_order {
    world_choice where;
    bool once = false;
};
int top(const top_order& order);

struct doctor_order {
    world_choice where;  ///< Without a directory: the machine alone.
    std::string bundle;  ///< Empty, or where the support bundle goes.
};
int doctor(const doctor_order& order);

/// What these commands are read into. Lives as long as the App.
struct reading_session {
    world_choice& where;
    std::function<int()>& chosen;  ///< What main() runs.
    struct {
        query_order query;
        export_order export_to;
        top_order top;
        doctor_order doctor;
    } orders{};
};

void add_reading(CLI::App& app, reading_session& to);

}  // namespace perdure::apps

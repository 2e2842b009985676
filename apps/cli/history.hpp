// SPDX-License-Identifier: Apache-2.0
//
// The subcommands that read what has happened: events, explain.
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

struct events_order {
    world_choice where;
    std::uint64_t from = 0;  ///< 0: the first; with `follow`, the next one to come.
    bool follow = false;
    bool durable = false;             ///< Said aloud; so it is anyway.
    bool applied = false;             ///< Also what is not durable yet.
    std::vector<std::string> events;  ///< Names; empty: all.
    std::string account;              ///< Empty, a name, or @ and a number.
    std::string asset;                ///< Empty, or a code.
    std::uint64_t limit = 0;          ///< 0: no limit.
};
int events(const events_order& order);

struct explain_order {
    world_choice where;
    std::string account;
    std::string asset;         ///< Empty: all that the account has.
    std::uint64_t limit = 20;  ///< Changes an asset; 0: back to the beginning.
};
int explain(const explain_order& order);

/// What these commands are read into. Lives as long as the App.
struct history_session {
    world_choice& where;
    std::function<int()>& chosen;  ///< What main() runs.
    struct {
        events_order events;
        explain_order explain;
    } orders{};
};

void add_history(CLI::App& app, history_session& to);

}  // namespace perdure::apps

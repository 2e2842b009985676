// SPDX-License-Identifier: Apache-2.0
//
// perdure stake: programmes and stakes by the operator's hand.
//
// Promise     As command.hpp. What was changed is durable when the command ends with 0.
// Threads     Called once, on the main thread.
#pragma once

#include <functional>
#include <perdure/apps/cli/command.hpp>

namespace CLI {
class App;
}

namespace perdure::apps {

struct stake_order {
    world_choice where;
    std::string programme;  ///< Name; of the verbs that may mean all: empty.
    std::string account;    ///< The same.
    std::uint64_t number = 1;
    std::string amount;  ///< Decimal; empty: all there is.
    bool forfeits = false;
    // Of a programme that is opened:
    std::string asset;
    std::string apy;  ///< Per cent a year, decimal.
    std::string period = "1d";
    std::string year = "365d";
    bool is_compound = false;
    std::string treasury;
    std::string faucet;
    std::string authority;
    std::string ahead;  ///< due: so much world time from now on.
};

int stake_open(const stake_order& order);
int stake_close(const stake_order& order);
int stake_rate(const stake_order& order);
int stake_stake(const stake_order& order);
int stake_unstake(const stake_order& order);
int stake_due(const stake_order& order);
int stake_list(const stake_order& order);
/// Pays what is due, a few stakes a transaction. Answers exit_refused when some could not be paid.
int stake_pay(const stake_order& order);

/// What these commands are read into. Lives as long as the App.
struct stake_session {
    world_choice& where;
    std::function<int()>& chosen;  ///< What main() runs.
    stake_order order{};
};

void add_stake(CLI::App& app, stake_session& to);

}  // namespace perdure::apps

// SPDX-License-Identifier: Apache-2.0
//
// The words of perdure stake.
#include <CLI/CLI.hpp>
#include <perdure/apps/cli/arguments.hpp>
#include <perdure/apps/cli/stake.hpp>

namespace perdure::apps {
namespace {

CLI::App* add_verb(CLI::App* above, stake_session& to, const char* what, const char* example,
                   int (*work)(const stake_order&)) {
    const std::string words = example;
    CLI::App* made =
        add_command(*above, words.substr(0, words.find(' ')), what, "perdure stake " + words);
    add_world(made, to.where);
    choose(made, to.chosen, [&to, work] {
        to.order.where = to.where;
        return work(to.order);
    });
    return made;
}

void add_programmes(CLI::App* above, stake_session& to) {
    auto& order = to.order;
    CLI::App* opened = add_verb(above, to, "Opens a programme that stakes earn by",
                                "open-programme ./bazaar vault --asset gold --apy 5 --treasury "
                                "bank \\\n      --authority bank --period 1d",
                                stake_open);
    opened->add_option("PROGRAMME", order.programme, "Its name")->required();
    opened->add_option("--asset", order.asset, "Code of what is staked and paid")->required();
    opened->add_option("--apy", order.apy, "Per cent in a year, e.g. 4.25")->required();
    opened->add_option("--period", order.period, "Of world time; what has ended is paid")
        ->capture_default_str();
    opened->add_option("--year", order.year, "How long a year is, in world time")
        ->capture_default_str();
    opened->add_flag("--compound", order.is_compound,
                     "Interest stays in the stake and earns interest");
    opened->add_option("--treasury", order.treasury, "Account that pays");
    opened->add_option("--faucet", order.faucet, "Faucet that mints, within its budget");
    CLI::App* closed = add_verb(above, to, "Lets a programme take no stakes any more",
                                "close-programme ./bazaar vault --authority bank", stake_close);
    closed->add_option("PROGRAMME", order.programme)->required();
    CLI::App* set = add_verb(above, to, "Sets the rate of stakes to come",
                             "set-rate ./bazaar vault --apy 4 --authority bank", stake_rate);
    set->add_option("PROGRAMME", order.programme)->required();
    set->add_option("--apy", order.apy, "Per cent in a year")->required();
    for (CLI::App* made : {opened, closed, set}) {
        made->add_option("--authority", order.authority, "Account that may change and close it")
            ->required();
    }
}

void add_stakes(CLI::App* above, stake_session& to) {
    auto& order = to.order;
    CLI::App* staked = add_verb(above, to, "Locks an account's units in a programme",
                                "stake ./bazaar vault alice 1000 --number 2", stake_stake);
    CLI::App* out = add_verb(above, to, "Pays what is due and gives units back",
                             "unstake ./bazaar vault alice --part 250", stake_unstake);
    for (CLI::App* made : {staked, out}) {
        made->add_option("PROGRAMME", order.programme)->required();
        made->add_option("ACCOUNT", order.account)->required();
    }
    staked->add_option("AMOUNT", order.amount)->required();
    for (CLI::App* made : {staked, out}) {
        made->add_option("--number", order.number, "Of this account's stakes in the programme")
            ->capture_default_str();
    }
    out->add_option("--part", order.amount, "Only so much; without it all, and the stake ends");
    out->add_flag("--forfeit", order.forfeits, "Gives up what is due, e.g. if nobody can pay it");
    CLI::App* due = add_verb(above, to, "Shows what is due", "due ./bazaar --in 30d", stake_due);
    due->add_option("--in", order.ahead, "What will be due then, in world time");
    CLI::App* listed = add_verb(above, to, "Lists programmes and stakes",
                                "list ./bazaar --account alice --json", stake_list);
    CLI::App* paid = add_verb(above, to, "Pays what is due now, and says what could not be paid",
                              "pay ./bazaar --programme vault", stake_pay);
    for (CLI::App* made : {due, listed, paid}) {
        made->add_option("--programme", order.programme, "Only this one's");
        made->add_option("--account", order.account, "Only its stakes");
    }
}

}  // namespace

void add_stake(CLI::App& app, stake_session& to) {
    CLI::App* above = app.add_subcommand("stake", "Keeps stakes, and programmes that pay them");
    above->require_subcommand(1);
    add_programmes(above, to);
    add_stakes(above, to);
}

}  // namespace perdure::apps

// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/import/options.hpp>

#include <CLI/CLI.hpp>

#include <perdure/apps/import/part.hpp>

namespace perdure::apps {
namespace {

void add_meaning(CLI::App* command, line_rules& rules) {
    command
        ->add_option("--columns", rules.columns,
                     rules.accounts ? "name=NAME[,kind=NAME][,balance=NAME]"
                                    : "from=NAME,to=NAME,amount=NAME[*NAME][,time=NAME]"
                                      "[,opening_from=NAME][,opening_to=NAME][,after_from=NAME]"
                                      "[,after_to=NAME]; instead of a column's name, =TEXT{NAME} "
                                      "is text with columns in it (from, to, name)")
        ->required();
    command
        ->add_option("--scale", rules.scale,
                     "Digits behind the point; more are rounded half to even")
        ->required()
        ->check(CLI::Range(0, 18));
    command
        ->add_option("--shift", rules.shift,
                     "Digits by which the file's numbers are moved behind the point: 24 for 1e-24")
        ->check(CLI::Range(0, 24));
    command->add_option("--where", rules.where, "Only lines with NAME=VALUE[|VALUE]");
    command->add_option("--asset", rules.asset, "Code of what is moved; made if it is not there")
        ->capture_default_str();
    command->add_option("--budget", rules.budget,
                        "The faucet may have minted at most so much, earlier imports included; "
                        "lines beyond are refused");
    command
        ->add_option("--on-bad-line", rules.on_bad_line,
                     "skip counts it; stop leaves the world as of the lines before")
        ->check(CLI::IsMember({"skip", "stop"}))
        ->capture_default_str();
    if (rules.accounts) {
        command->add_option("--kind", rules.kind, "Kind of accounts whose kind no column says")
            ->capture_default_str();
        return;
    }
    command->add_option("--reverse", rules.reverse,
                        "Lines with NAME=VALUE[|VALUE] move from to to "
                        "from");
    command->add_flag("--signed", rules.is_signed, "A negative amount moves from to to from");
    command
        ->add_option("--opening", rules.opening,
                     "Balance of an account first met, where no opening_ column says it: grant, "
                     "zero, column or fixed:AMOUNT")
        ->capture_default_str();
}

void add_word(std::vector<std::string>& words, const char* name, const std::string& value) {
    // Joined: a value may begin with a dash.
    if (!value.empty()) words.push_back(std::string(name) + "=" + value);
}

}  // namespace

void add_import_options(CLI::App* command, import_order& order) {
    command->add_option("FILE", order.file, "CSV with a header, plain or packed by zstd")
        ->required();
    add_meaning(command, order.rules);
    command
        ->add_option("--workers", order.workers,
                     "Processes; unless told 2, and 1 where the order of lines decides")
        ->check(CLI::Range(1U, import_workers_max));
    if (!order.rules.accounts) {
        command->add_option("--grant", order.grant,
                            "Minor units of an account opened by grant; 0: enough for this file");
    }
    command->add_option("--refused", order.refused_file,
                        "Lists every refused and malformed line there, as CSV");
    command->add_option("--progress", order.progress_lines,
                        "Off a terminal: a line each so many lines; 0: one a second");
    command->add_option("--rate", order.rate, "At most so many lines a second; 0: no limit");
}

void add_part_options(CLI::App* command, part_order& order) {
    command->add_option("--file", order.file)->required();
    command->add_option("--identity", order.identity)->required();
    command->add_option("--grant", order.grant);
    command->add_option("--rate", order.rate);
    command->add_option("--end-line", order.end_line);
    command->add_flag("--resumed", order.resumed);
    command->add_flag("--accounts", order.rules.accounts);
    order.rules.accounts = false;
    add_meaning(command, order.rules);
    command->add_option("--kind", order.rules.kind);
}

std::vector<std::string> part_words(const part_order& order) {
    const line_rules& rules = order.rules;
    std::vector<std::string> words{"import-part", order.where.directory};
    add_word(words, "--place", std::to_string(order.place));
    add_word(words, "--of", std::to_string(order.of));
    add_word(words, "--file", order.file);
    add_word(words, "--identity", order.identity);
    add_word(words, "--grant", std::to_string(order.grant));
    add_word(words, "--rate", std::to_string(order.rate));
    add_word(words, "--end-line", std::to_string(order.end_line));
    add_word(words, "--columns", rules.columns);
    add_word(words, "--scale", std::to_string(rules.scale));
    add_word(words, "--shift", std::to_string(rules.shift));
    add_word(words, "--where", rules.where);
    add_word(words, "--reverse", rules.reverse);
    add_word(words, "--asset", rules.asset);
    add_word(words, "--opening", rules.opening);
    add_word(words, "--kind", rules.kind);
    add_word(words, "--budget", rules.budget);
    add_word(words, "--on-bad-line", rules.on_bad_line);
    if (rules.is_signed) words.emplace_back("--signed");
    if (rules.accounts) words.emplace_back("--accounts");
    if (order.resumed) words.emplace_back("--resumed");
    for (const std::string& each : order.where.assignments) {
        words.insert(words.end(), {"--set", each});
    }
    return words;
}

}  // namespace perdure::apps

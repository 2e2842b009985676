// SPDX-License-Identifier: Apache-2.0
#include "options.hpp"

#include <unistd.h>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <sstream>

namespace perdure::perf {
namespace {

volatile std::sig_atomic_t asked_to_stop = 0;

void note_signal(int /*number*/) { asked_to_stop = 1; }

void catch_signals() {
    struct sigaction how {};
    how.sa_handler = note_signal;
    sigaction(SIGINT, &how, nullptr);
    sigaction(SIGTERM, &how, nullptr);
    sigaction(SIGHUP, &how, nullptr);
}

std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> parts;
    std::istringstream from(text);
    for (std::string part; std::getline(from, part, ',');) parts.push_back(part);
    return parts;
}

options parse(int argc, char** argv) {
    options asked;
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        const bool has_value = i + 1 < argc;
        if (word == "--quick") {
            asked.quick = true;
        } else if (word == "--works" && has_value) {
            asked.works = split(argv[++i]);
        } else if (word == "--engines" && has_value) {
            asked.engines = split(argv[++i]);
        } else if (word == "--suite" && has_value) {
            asked.suite = argv[++i];
        } else if (word == "--scratch" && has_value) {
            asked.scratch = argv[++i];
        } else {
            throw engine_failure("unknown argument " + word +
                                 "; known: --quick --works A,B --engines A,B --scratch DIR");
        }
    }
    if (asked.scratch.empty()) throw engine_failure("--scratch DIR is missing");
    return asked;
}

template <std::size_t Size>
void set_text(char (&field)[Size], const std::string& text) {
    if (text.size() >= Size) throw engine_failure("too long: " + text);
    std::memcpy(field, text.c_str(), text.size() + 1);
}

/// The run script sweeps by this prefix what a killed program left.
std::string unique_name() {
    const char* const run = std::getenv("PERDURE_PERF_RUN");
    static int number = 0;
    return "perdure-perf." + std::string(run != nullptr ? run : "0") + "." +
           std::to_string(getpid()) + "." + std::to_string(++number);
}

}  // namespace

bool is_interrupted() noexcept { return asked_to_stop != 0; }

bool options::wants_work(std::string_view work) const {
    return works.empty() || std::find(works.begin(), works.end(), work) != works.end();
}

std::vector<std::string> options::engines_among(std::vector<std::string> all) const {
    std::erase_if(all, [this](const std::string& one) {
        if (!engines.empty() && std::find(engines.begin(), engines.end(), one) == engines.end()) {
            return true;
        }
        return !is_built_in(one);
    });
    return all;
}

store_plan options::plan_for(std::string_view engine) const {
    store_plan plan{};
    const std::string own = unique_name();
    set_text(plan.engine, std::string(engine));
    set_text(plan.memory_directory, "/dev/shm/" + own);
    set_text(plan.disk_directory, (scratch / own).string());
    plan.accounts = account_count;
    plan.store_bytes = store_size{}.bytes;
    plan.level = durability_level::applied;
    std::filesystem::create_directories(plan.memory_directory);
    std::filesystem::create_directories(plan.disk_directory);
    return plan;
}

store::store(std::string_view engine_name, durability_level level, const options& asked,
             const store_size& size)
    : plan_(asked.plan_for(engine_name)) {
    plan_.level = level;
    plan_.accounts = size.accounts;
    plan_.store_bytes = size.bytes;
    plan_.keeps_log = size.keeps_log ? 1 : 0;
    engine_ = make_engine(engine_name);
    try {
        engine_->create(plan_);
    } catch (...) {
        engine_->destroy();
        std::error_code ignored;
        std::filesystem::remove_all(plan_.memory_directory, ignored);
        std::filesystem::remove_all(plan_.disk_directory, ignored);
        throw;
    }
}

store::~store() {
    engine_->destroy();
    std::error_code ignored;
    std::filesystem::remove_all(plan_.memory_directory, ignored);
    std::filesystem::remove_all(plan_.disk_directory, ignored);
}

void store::expect_conserved() {
    if (!is_open_) engine_->open(plan_);
    is_open_ = true;
    const auto expected = static_cast<std::int64_t>(plan_.accounts) * opening_balance;
    if (const std::int64_t found = engine_->total(); found != expected) {
        throw engine_failure(engine_name() + ": the balances add up to " + std::to_string(found) +
                             ", not to " + std::to_string(expected));
    }
}

int program(int argc, char** argv, void (*run)(const options&)) {
    if (argc > 1 && std::strcmp(argv[1], "worker") == 0) return worker_main(argc, argv);
    try {
        const options asked = parse(argc, argv);
        catch_signals();
        run(asked);
        return 0;
    } catch (const interrupted&) {
        std::fprintf(stderr, "interrupted; stores removed\n");
        return 130;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
        return 1;
    }
}

}  // namespace perdure::perf

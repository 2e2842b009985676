// SPDX-License-Identifier: Apache-2.0
#include "served_world.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace perdure::perf {
namespace {

constexpr std::chrono::milliseconds look_every{20};
constexpr std::chrono::seconds patience{60};

/// Runs a program that ends with this one; its output goes to `output`.
pid_t launch(const std::vector<std::string>& words, int output) {
    std::vector<char*> arguments;
    for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const pid_t child = fork();
    if (child < 0) throw engine_failure("fork: " + std::string(std::strerror(errno)));
    if (child != 0) return child;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    execv(arguments[0], arguments.data());
    _exit(127);
}

int end_of(pid_t process) {
    int status = 0;
    while (waitpid(process, &status, 0) < 0 && errno == EINTR) continue;
    return status;
}

struct ended_program {
    int status = 0;
    std::string said;
};

ended_program run_to_end(const std::vector<std::string>& words) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw engine_failure("pipe2");
    const pid_t child = launch(words, ends[1]);
    close(ends[1]);
    ended_program out;
    char text[4096];
    for (ssize_t got = 1; got != 0;) {
        got = read(ends[0], text, sizeof text);
        if (got > 0) out.said.append(text, static_cast<std::size_t>(got));
        if (got < 0 && errno != EINTR) break;
    }
    close(ends[0]);
    out.status = end_of(child);
    return out;
}

/// Of a line that the keeper wrote; plugins of ours write nothing that JSON would escape.
std::string message_in(const std::string& line) {
    constexpr std::string_view front = "\"message\":\"";
    const std::size_t at = line.find(front);
    if (at == std::string::npos) return {};
    const std::size_t from = at + front.size();
    return line.substr(from, line.find('"', from) - from);
}

/// The parent of a process, 0 when it is gone.
pid_t parent_of(pid_t process) {
    std::ifstream file("/proc/" + std::to_string(process) + "/stat");
    std::string text;
    std::getline(file, text);
    const std::size_t behind_name = text.rfind(')');
    if (behind_name == std::string::npos) return 0;
    std::istringstream rest(text.substr(behind_name + 1));
    char state = 0;
    pid_t parent = 0;
    rest >> state >> parent;
    return state == 'Z' ? 0 : parent;
}

template <class Condition>
void await(const char* what, Condition&& holds) {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (!holds()) {
        if (std::chrono::steady_clock::now() > until) {
            throw engine_failure(std::string("waited in vain until ") + what);
        }
        rest(look_every);
    }
}

}  // namespace

served_world::served_world(const options& asked, const choice& how)
    : place_(asked, "perdure"), directory_(std::string(place_.plan().disk_directory) + "/world") {
    const char* const prefix = std::getenv("PERDURE_PREFIX");
    if (prefix == nullptr) throw engine_failure("PERDURE_PREFIX: where is the library installed?");
    program_ = std::string(prefix) + "/bin/perdure";
    try {
        start(how);
    } catch (...) {
        stop();
        throw;
    }
}

served_world::~served_world() { stop(); }

void served_world::start(const choice& how) {
    // For the keeper, for commands, and for what is opened here.
    for (const auto& [name, value] : std::initializer_list<std::pair<const char*, const char*>>{
             {"PERDURE_REGION_DIRECTORY", place_.plan().memory_directory},
             {"PERDURE_REGION_CAPACITY", "1GiB"},
             {"PERDURE_CHECKPOINT_EVERY", "0s"},
             {"PERDURE_CHECKPOINT_JOURNAL", "0B"},
             {"PERDURE_CHECKPOINT_RECOVERY", "0s"},
             {"PERDURE_CHECKPOINT_AT_SHUTDOWN", "no"},
             {"PERDURE_CLOCK_TICK", how.tick}}) {
        setenv(name, value, 1);
    }
    const auto made = run_to_end({program_, "init", directory_});
    if (made.status != 0) throw engine_failure("perdure init: " + made.said);
    const std::string log = std::string(place_.plan().disk_directory) + "/keeper.log";
    const int output = ::open(log.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (output < 0) throw engine_failure(log + ": " + std::strerror(errno));
    keeper_ = launch({program_, "serve", directory_}, output);
    close(output);
    world_.emplace(world::open(directory_));
    await("somebody keeps the world", [&] { return world_->status().keeper_pid != 0; });
    session_.emplace(world_->join());
    lay_accounts(*world_, *session_, how.accounts);
    must(session_->write([&](tx& now) -> result<> {
        const account_id bank = account_id::of("bank");
        PERDURE_TRY(world_->books().open_account(now, "bank", account_kind::treasury));
        return world_->books().mint(now, account_id::of("treasury"), bank, asset_id::of("gold"),
                                    opening_balance * 1000);
    }),
         "fill the bank");
    world_->warm();
}

void served_world::stop() noexcept {
    session_.reset();
    world_.reset();
    if (keeper_ == 0) return;
    kill(keeper_, SIGTERM);
    end_of(keeper_);
    keeper_ = 0;
}

std::vector<pid_t> served_world::hosts() const {
    std::vector<pid_t> out;
    for (const auto& each : std::filesystem::directory_iterator("/proc")) {
        const std::string name = each.path().filename();
        pid_t process = 0;
        std::from_chars(name.data(), name.data() + name.size(), process);
        if (process != 0 && parent_of(process) == keeper_) out.push_back(process);
    }
    return out;
}

void served_world::await_hosts(std::size_t count) const {
    await("plugins' processes run or end", [&] { return hosts().size() == count; });
}

std::string served_world::plugin(std::vector<std::string> words) const {
    words.insert(words.begin(), {program_, "plugin"});
    words.insert(words.begin() + 3, directory_);
    auto done = run_to_end(words);
    if (done.status != 0) throw engine_failure("perdure plugin " + words[2] + ": " + done.said);
    return std::move(done.said);
}

void served_world::load(const std::string& name, const std::string& config, bool is_inline) {
    std::vector<std::string> words{"load", std::string(PERDURE_PERF_PLUGINS) + "/" + name + ".so",
                                   "--config", config};
    if (is_inline) words.emplace_back("--inline");
    static_cast<void>(plugin(std::move(words)));
}

std::vector<std::string> served_world::log_of(const std::string& id) const {
    const auto done =
        run_to_end({program_, "plugin", "logs", directory_, id, "--json", "--lines", "1000000"});
    std::vector<std::string> out;
    if (done.status != 0) return out;  // It has said nothing yet.
    std::istringstream lines(done.said);
    for (std::string line; std::getline(lines, line);) out.push_back(message_in(line));
    return out;
}

std::vector<std::string> served_world::await_line(const std::string& id, std::string_view front) {
    std::vector<std::string> out;
    std::size_t& told = told_[id];
    await("a plugin has said what it should", [&] {
        const auto all = log_of(id);
        const auto from = all.begin() + static_cast<std::ptrdiff_t>(std::min(told, all.size()));
        const auto at = std::find_if(
            from, all.end(), [&](const std::string& line) { return line.starts_with(front); });
        if (at == all.end()) return false;
        out.assign(from, at + 1);
        told = static_cast<std::size_t>(at + 1 - all.begin());
        return true;
    });
    return out;
}

void served_world::pass(std::chrono::milliseconds time) {
    const auto& clock = world_->clock();
    must(session_->write([&](tx& now) -> result<> {
        const auto row = PERDURE_TRY(clock.read(now));
        const auto ns = static_cast<std::uint64_t>(std::chrono::nanoseconds(time).count());
        return clock.advance(now, {.ticks = ns / row.tick_ns});
    }),
         "move the clock");
    must(clock.show(world_->region(), shm::deadline::never()), "show the time");
}

cpu_use cpu_use_of(pid_t process) {
    cpu_use out;
    const std::string main = std::to_string(process);
    for (const auto& each : std::filesystem::directory_iterator("/proc/" + main + "/task")) {
        std::ifstream file(each.path() / "schedstat");
        std::uint64_t ns = 0;
        if (!(file >> ns)) throw engine_failure("no processor time of process " + main);
        (each.path().filename() == main ? out.main_ns : out.others_ns) += ns;
    }
    return out;
}

}  // namespace perdure::perf

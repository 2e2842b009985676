// SPDX-License-Identifier: Apache-2.0
//
// A plugin at work before any world of the user's has it: what it wants, says and is refused, one
// window after the other, and a debugger beside it.
#include <charconv>
#include <csignal>

#include <fmt/format.h>
#include <perdure/plugins/abi/perdure_plugin.h>
#include <perdure/apps/cli/command.hpp>
#include <perdure/apps/cli/console.hpp>
#include <perdure/apps/plugin/command.hpp>
#include <perdure/plugins/kit/stage.hpp>

namespace perdure::apps {
namespace {

using plugins::holding;
using plugins::run_end;
using plugins::stage;

constexpr std::chrono::hours debugged_limit{24};

volatile std::sig_atomic_t is_asked_to_end = 0;

/// The first signal ends it between two windows, so that its world goes; the second one at once.
void end_soon(int signal) {
    is_asked_to_end = 1;
    std::signal(signal, SIG_DFL);
}

[[noreturn]] void refuse(const std::string& text, const std::string& todo) {
    throw failure(errc::bad_setting, text, todo);
}

std::vector<std::string> split(const std::string& text, char at) {
    std::vector<std::string> out;
    std::size_t from = 0;
    for (std::size_t end = text.find(at); end != std::string::npos; end = text.find(at, from)) {
        out.push_back(text.substr(from, end - from));
        from = end + 1;
    }
    out.push_back(text.substr(from));
    return out;
}

holding holding_of(const std::string& code, const std::string& text) {
    amount value = 0;
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, value);
    if (code.empty() || read.ec != std::errc() || read.ptr != end || value <= 0) {
        refuse(code + ":" + text + " is no amount of an asset", "write ASSET:AMOUNT, as gold:500");
    }
    return {code, value};
}

void open_account(stage& on, std::set<std::string>& assets, const std::string& text) {
    const auto is = text.find('=');
    std::vector<holding> has;
    if (is != std::string::npos) {
        for (const auto& each : split(text.substr(is + 1), ',')) {
            const auto parts = split(each, ':');
            if (parts.size() != 2) {
                refuse("--account " + text + ": " + each, "write NAME=ASSET:AMOUNT");
            }
            has.push_back(holding_of(parts[0], parts[1]));
            if (assets.insert(parts[0]).second) on.asset(parts[0]);
        }
    }
    on.account(text.substr(0, is), has);
}

void transfer(stage& on, const std::string& text) {
    const auto parts = split(text, ':');
    if (parts.size() != 4) refuse("--transfer " + text, "write FROM:TO:ASSET:AMOUNT");
    on.transfer(parts[0], parts[1], holding_of(parts[2], parts[3]));
}

/// What has been added since the last time, to standard output.
class listing {
  public:
    void show(const stage& of) {
        for (; lines_ < of.log().size(); ++lines_) {
            const auto& line = of.log()[lines_];
            constexpr std::array<std::string_view, 5> levels{"", "debug", "info", "warn", "error"};
            print(
                fmt::format("  {}: {}", levels[std::min<std::uint32_t>(line.level, 4)], line.text));
        }
        for (; wanted_ < of.wanted().size(); ++wanted_) print("  " + of.wanted()[wanted_]);
        for (; refused_ < of.refusals().size(); ++refused_) {
            const auto& each = of.refusals()[refused_];
            print(fmt::format("  refused: {}{}", name(each.why),
                              each.command ? fmt::format(" at command {}", *each.command) : ""));
        }
    }

  private:
    std::size_t lines_ = 0;
    std::size_t wanted_ = 0;
    std::size_t refused_ = 0;
};

/// False when the order to end came first.
bool await_debugger(stage& on) {
    print(on.start_for_debugger());
    print("waiting for a debugger; set breakpoints, then say continue");
    return on.wait_for_debugger([] { return is_asked_to_end != 0; });
}

int run(const plugin_run_order& order) {
    stage on({.file = order.file,
              .config = order.config,
              .in_process = true,
              .hard_limit = order.is_debugged ? debugged_limit : std::chrono::hours(0),
              .is_debugged = order.is_debugged});
    std::set<std::string> assets;
    for (const auto& each : order.accounts) open_account(on, assets, each);
    on.furnish();
    on.load();
    if (order.is_debugged && !await_debugger(on)) return exit_refused;
    listing said;
    const bool ticks = on.what().kind == plugins::plugin_kind::tick;
    for (std::uint64_t window = 0; window < order.windows && is_asked_to_end == 0; ++window) {
        for (const auto& each : order.transfers) transfer(on, each);
        if (ticks) {
            on.advance_windows(1);
        } else {
            on.advance(std::chrono::seconds(1));
        }
        const auto report = on.try_run();
        print(fmt::format("window {}, world time {:.3f} s: {} commits{}", window,
                          static_cast<double>(on.world_ns()) / 1e9, report.commits,
                          ticks ? "" : fmt::format(", {} events", report.events)));
        said.show(on);
        if (report.end == run_end::well) continue;
        print(report.why);
        return exit_refused;
    }
    print(on.books().substr(0, on.books().find_last_not_of('\n') + 1));
    return exit_done;
}

}  // namespace

int plugin_run(const plugin_run_order& order) {
    std::signal(SIGINT, end_soon);
    std::signal(SIGTERM, end_soon);
    try {
        return run(order);
    } catch (const plugins::stage_failure& why) {
        throw failure(errc::plugin_failed, order.file + ": " + why.what(),
                      "`perdure plugin validate` and --gdb show more");
    }
}

}  // namespace perdure::apps

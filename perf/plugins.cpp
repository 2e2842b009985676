// SPDX-License-Identifier: Apache-2.0
//
// What plugins cost in a world that the installed `perdure serve` keeps: commits as the plugin sees
// them, calls, restarts, what workers feel of dying plugins, events, and idle time. The plugins in
// perf/plugin/ measure themselves and tell it in their logs; the mean time of a call is what the
// keeper's log says when a plugin is unloaded.
#include "plugin/words.hpp"
#include "report.hpp"
#include "served_world.hpp"

#include <sys/wait.h>
#include <algorithm>
#include <csignal>
#include <thread>

namespace perdure::perf {
namespace {

using std::chrono::milliseconds;

constexpr const char* measured_id = "perf.measured";
constexpr const char* first_call = "first call ";
constexpr int mortal_count = 10;
constexpr milliseconds kill_every{100};

/// What the measured plugin has told.
struct plugin_figures {
    histogram times;
    std::uint64_t count = 0;
    std::uint64_t span_ns = 0;
    double call_ns = 0;  ///< A call of on_tick, as the keeper counts it.
};

plugin_figures measured(served_world& in, const std::string& config, bool is_inline,
                        milliseconds windows) {
    in.load("measured", config, is_inline);
    if (windows.count() != 0) in.pass(windows);
    plugin_figures out;
    for (const auto& line : in.await_line(measured_id, "done ")) {
        if (read_times(line, out.times) || !line.starts_with("done ")) continue;
        std::string_view rest = line;
        out.count = take_number(rest);
        out.span_ns = take_number(rest);
    }
    static_cast<void>(in.plugin({"unload", measured_id}));
    const auto lines = in.await_line(measured_id, "called ");
    std::string_view last = lines.back();
    take_number(last);
    out.call_ns = static_cast<double>(take_number(last));
    in.await_hosts(0);
    return out;
}

/// Rate and latencies of `operations` in each of what was timed.
measurement figures_of(const plugin_figures& from, std::uint64_t operations) {
    measurement out;
    out.latency = from.times;
    out.operations_per_second =
        static_cast<double>(from.count * operations) * 1e9 / static_cast<double>(from.span_ns);
    return out;
}

struct commit_work {
    const char* name;
    std::uint32_t commands;
    std::uint32_t state_bytes;
};

void measure_commits(served_world& in, const options& asked, const commit_work& what) {
    if (!asked.wants_work(what.name)) return;
    const auto span = static_cast<std::uint64_t>(asked.short_duration().seconds * 1e3);
    const std::string config =
        "{\"work\":\"commit\",\"commands\":" + std::to_string(what.commands) +
        ",\"state\":" + std::to_string(what.state_bytes) +
        ",\"milliseconds\":" + std::to_string(span) + "}";
    series found({what.name, "perdure", durability_level::applied, 1, what.commands});
    for (int turn = 0; turn < asked.runs(); ++turn) {
        const auto told = measured(in, config, false, milliseconds(0));
        found.add(figures_of(told, what.commands));
    }
    found.print(asked.suite);
}

/// An operation is a window: its row is read, on_tick called, the window finished.
void measure_calls(served_world& in, const options& asked, const char* work, bool is_inline) {
    if (!asked.wants_work(work)) return;
    const std::uint64_t calls = asked.quick ? 50'000 : 200'000;
    const std::string config = R"({"work":"empty","calls":)" + std::to_string(calls) + "}";
    series found({work, "perdure", durability_level::applied, 1});
    std::vector<double> each;
    for (int turn = 0; turn < asked.runs(); ++turn) {
        const auto told = measured(in, config, is_inline, milliseconds(calls + 100));
        found.add(figures_of(told, 1));
        each.push_back(told.call_ns);
    }
    found.note("call_ns", median(each));
    found.print(asked.suite);
}

std::uint64_t number_behind(const std::string& line) {
    std::string_view rest = line;
    return take_number(rest);
}

/// From the signal to the first on_tick of the successor, each in a fresh life of the plugin.
void measure_restarts(served_world& in, const options& asked) {
    if (!asked.wants_work("plugin-restart")) return;
    series found({"plugin-restart", "perdure", durability_level::applied, 1});
    measurement one;
    histogram activated;
    for (int turn = 0; turn < (asked.quick ? 5 : 20); ++turn) {
        in.load("mortal");
        in.await_line("perf.mortal", first_call);
        in.await_hosts(1);
        rest(milliseconds(50 + 7 * turn));  // Not always at the same place of a pause.
        const std::uint64_t then = nanoseconds_now();
        kill(in.hosts().at(0), SIGKILL);
        for (const auto& line : in.await_line("perf.mortal", first_call)) {
            if (line.starts_with(first_call)) one.latency.add(number_behind(line) - then);
            if (line.starts_with("activated ")) activated.add(number_behind(line) - then);
        }
        static_cast<void>(in.plugin({"unload", "perf.mortal"}));
        in.await_hosts(0);
    }
    one.operations_per_second =
        static_cast<double>(one.latency.total()) * 1e9 / static_cast<double>(one.latency.sum());
    found.add(one);
    found.note("activated_p50_ns", static_cast<double>(activated.quantile(0.5)));
    found.print(asked.suite);
}

/// One worker as fast as it can, each commit timed; meanwhile `also` is called every 100 ms.
template <class Also>
measurement work_beside(served_world& in, milliseconds span, Also&& also) {
    payment_source from(draw::uniform, plugin_accounts, 1);
    measurement out;
    const asset_id gold = asset_id::of("gold");
    out.begun_ns = nanoseconds_now();
    std::uint64_t now = out.begun_ns;
    const auto ns = [](milliseconds of) {
        return static_cast<std::uint64_t>(std::chrono::nanoseconds(of).count());
    };
    for (std::uint64_t due = now; now - out.begun_ns < ns(span);) {
        if (now >= due) {
            also();
            due += ns(kill_every);
            stop_if_asked();
        }
        const payment what = from.next();
        const std::uint64_t then = nanoseconds_now();
        must(in.by().write(
                 [&](tx& by) {
                     return in.in().books().transfer(by, account_numbered(what.source),
                                                     account_numbered(what.target), gold,
                                                     what.amount);
                 },
                 shm::deadline::never()),
             "pay");
        now = nanoseconds_now();
        out.latency.add(now - then);
    }
    out.ended_ns = now;
    out.operations_per_second = static_cast<double>(out.latency.total()) * 1e9 /
                                static_cast<double>(out.ended_ns - out.begun_ns);
    return out;
}

std::string mortal_name(int number) { return "mortal-" + std::to_string(number); }

/// Ten plugins of which one is killed every 100 ms, each once: one alone would be quarantined.
measurement work_beside_deaths(served_world& in, milliseconds span) {
    for (int i = 0; i < mortal_count; ++i) {
        in.load(mortal_name(i));
        in.await_line("perf." + mortal_name(i), first_call);
    }
    in.await_hosts(mortal_count);
    rest(milliseconds(300));
    auto victims = in.hosts();
    auto out = work_beside(in, span, [&] {
        if (victims.empty()) return;
        kill(victims.back(), SIGKILL);
        victims.pop_back();
    });
    in.await_hosts(mortal_count);
    for (int i = 0; i < mortal_count; ++i) {
        const std::string id = "perf." + mortal_name(i);
        in.await_line(id, first_call);  // It was killed, and called again.
        static_cast<void>(in.plugin({"unload", id}));
    }
    in.await_hosts(0);
    return out;
}

void measure_deaths(served_world& in, const options& asked) {
    if (!asked.wants_work("plugin-deaths")) return;
    const milliseconds span = kill_every * mortal_count;
    series without({"plugin-deaths-before", "perdure", durability_level::applied, 1});
    series beside({"plugin-deaths", "perdure", durability_level::applied, 1});
    std::vector<double> medians;
    std::vector<double> rates;
    static_cast<void>(work_beside(in, span, [] {}));  // Warms.
    for (int pair = 0; pair < (asked.quick ? 5 : 10); ++pair) {
        measurement alone;
        measurement with;
        const auto measure_alone = [&] {
            rest(milliseconds(300));
            alone = work_beside(in, span, [] {});
        };
        if (pair % 2 == 0) measure_alone();
        with = work_beside_deaths(in, span);
        if (pair % 2 == 1) measure_alone();
        without.add(alone);
        beside.add(with);
        medians.push_back(static_cast<double>(with.latency.quantile(0.5)) /
                          static_cast<double>(alone.latency.quantile(0.5)));
        rates.push_back(with.operations_per_second / alone.operations_per_second);
    }
    without.print(asked.suite);
    beside.note("p50_ratio", median(medians));
    beside.note("p50_ratio_min", *std::min_element(medians.begin(), medians.end()));
    beside.note("p50_ratio_max", *std::max_element(medians.begin(), medians.end()));
    beside.note("rate_ratio", median(rates));
    beside.print(asked.suite);
}

/// Transfers that were made while a plugin was disabled, and what it takes to hand them over.
void measure_events(served_world& in, const options& asked) {
    if (!asked.wants_work("plugin-events")) return;
    constexpr const char* id = "perf.listener";
    const std::uint64_t events = asked.quick ? 100'000 : 500'000;
    series found({"plugin-events", "perdure", durability_level::applied, 1});
    for (int turn = 0; turn < asked.runs(); ++turn) {
        in.load("listener", "{\"events\":" + std::to_string(events) + "}");
        static_cast<void>(in.plugin({"disable", id}));
        in.await_hosts(0);
        payment_source from(draw::uniform, plugin_accounts, 1);
        for (std::uint64_t i = 0; i < events; ++i) {
            const payment what = from.next();
            must(in.by().write(
                     [&](tx& by) {
                         return in.in().books().transfer(by, account_numbered(what.source),
                                                         account_numbered(what.target),
                                                         asset_id::of("gold"), what.amount);
                     },
                     shm::deadline::never()),
                 "pay");
            if (i % 4096 == 0) stop_if_asked();
        }
        static_cast<void>(in.plugin({"enable", id}));
        const auto lines = in.await_line(id, "done ");
        std::string_view rest_of = lines.back();
        measurement one;
        const std::uint64_t seen = take_number(rest_of);
        const std::uint64_t span = take_number(rest_of);
        one.latency.add(span);
        one.operations_per_second = static_cast<double>(seen) * 1e9 / static_cast<double>(span);
        found.add(one);
        static_cast<void>(in.plugin({"unload", id}));
        in.await_hosts(0);
    }
    found.print(asked.suite);
}

/// What a process uses of a processor in a while, as shares.
struct cpu_shares {
    double main = 0;
    double others = 0;
};

cpu_shares watch(pid_t process, milliseconds span) {
    const cpu_use before = cpu_use_of(process);
    rest(span);
    const cpu_use after = cpu_use_of(process);
    const auto ns = static_cast<double>(std::chrono::nanoseconds(span).count());
    return {static_cast<double>(after.main_ns - before.main_ns) / ns,
            static_cast<double>(after.others_ns - before.others_ns) / ns};
}

/// Processor time of a keeper and of a plugin's process while nothing happens but a tick a second.
void measure_idle(const options& asked) {
    if (!asked.wants_work("plugin-idle")) return;
    served_world in(asked, {.accounts = 1000, .tick = "1s"});
    must(in.in().start_clock(in.by()), "start the clock");
    const milliseconds span(asked.quick ? 5'000 : 20'000);
    rest(milliseconds(2000));
    const auto alone = watch(in.keeper(), span);
    in.load("mortal-idle");
    in.await_hosts(1);
    rest(milliseconds(2000));
    const auto host = watch(in.hosts().at(0), span);
    const auto keeper = watch(in.keeper(), span);
    const auto us_a_second = [](double share) { return share * 1e6; };
    series found({"plugin-idle", "perdure", durability_level::applied, 1});
    measurement one;
    one.latency.add(static_cast<std::uint64_t>(host.main * 1e9));
    found.add(one);
    found.note("host_us", us_a_second(host.main));
    found.note("minder_us", us_a_second(keeper.others - alone.others));
    found.note("watch_alone_us", us_a_second(alone.others));
    found.note("keeper_alone_us", us_a_second(alone.main));
    found.note("keeper_us", us_a_second(keeper.main));
    found.print(asked.suite);
}

void run(const options& asked) {
    {
        served_world in(asked, {.accounts = plugin_accounts});
        measure_commits(in, asked, {"plugin-commit", 1, 0});
        measure_commits(in, asked, {"plugin-commit-state", 1, 1024});
        measure_commits(in, asked, {"plugin-batch-64", 64, 0});
        measure_commits(in, asked, {"plugin-batch-256", 256, 0});
        measure_calls(in, asked, "plugin-call-inline", true);
        measure_calls(in, asked, "plugin-call-process", false);
        measure_restarts(in, asked);
        measure_events(in, asked);
    }
    if (asked.wants_work("plugin-deaths")) {
        served_world in(asked, {.accounts = plugin_accounts});
        measure_deaths(in, asked);
    }
    measure_idle(asked);
}

}  // namespace
}  // namespace perdure::perf

int main(int argc, char** argv) { return perdure::perf::program(argc, argv, perdure::perf::run); }

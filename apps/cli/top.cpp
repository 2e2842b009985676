// SPDX-License-Identifier: Apache-2.0
//
// A world's figures every second: a panel on a terminal, lines elsewhere.
#include <perdure/apps/cli/reading.hpp>

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <optional>
#include <thread>

#include <fmt/format.h>
#include <boost/json.hpp>
#include <perdure/apps/cli/console.hpp>
#include <perdure/apps/cli/gauges.hpp>

namespace perdure::apps {
namespace {

constexpr std::chrono::milliseconds look_every{1000};
constexpr std::chrono::milliseconds look_once{250};
constexpr std::chrono::milliseconds stop_slice{50};

std::atomic<int> top_ended{0};
static_assert(std::atomic<int>::is_always_lock_free);  // Or a signal must not touch it.

void end_top(int signal) { top_ended.store(signal, std::memory_order_relaxed); }

bool is_ended() noexcept { return top_ended.load(std::memory_order_relaxed) != 0; }

void pause_for(std::chrono::milliseconds span) {
    for (auto waited = stop_slice * 0; waited < span && !is_ended(); waited += stop_slice) {
        std::this_thread::sleep_for(stop_slice);
    }
}

std::string bar(std::uint64_t used, std::uint64_t whole) {
    constexpr std::uint64_t width = 20;
    const auto full = whole == 0 ? 0 : std::min(width, used * width / whole);
    return std::string(full, '#') + std::string(width - full, '.');
}

std::string age(std::uint64_t seconds) {
    if (seconds < 60) return fmt::format("{} s", seconds);
    if (seconds < 3600) return fmt::format("{} min", seconds / 60);
    return fmt::format("{} h {:02} min", seconds / 3600, seconds / 60 % 60);
}

double per_second(std::uint64_t now, std::uint64_t before, const gauges& last,
                  const gauges& first) {
    const auto span = last.at_ns - first.at_ns;
    if (span == 0 || now < before) return 0;
    return static_cast<double>(now - before) * 1e9 / static_cast<double>(span);
}

std::string keeper_line(const gauges& now) {
    if (now.keeper_pid == 0) return "nobody keeps; whoever waits for durable writes the journal";
    auto line = fmt::format("process {}, epoch {}", now.keeper_pid, now.keeper_epoch);
    if (now.keeper_process == "stopped") line += ", STOPPED: nothing becomes durable";
    if (now.keeper_process == "gone") line += ", GONE (or in another PID namespace)";
    return line;
}

std::vector<std::string> head_lines(const std::string& world, const gauges& now,
                                    const gauges& before) {
    const auto commits = per_second(now.last_lsn, before.last_lsn, now, before);
    const auto durable = per_second(now.durable_lsn, before.durable_lsn, now, before);
    std::vector<std::string> out{
        fmt::format("perdure top   {}, incarnation {}", world, now.incarnation),
        fmt::format("keeper        {}", keeper_line(now)),
        fmt::format("commits       {:>12}/s   last LSN {}", grouped(std::uint64_t(commits)),
                    grouped(now.last_lsn)),
        fmt::format("durable       {:>12}/s   {} commits behind", grouped(std::uint64_t(durable)),
                    grouped(now.last_lsn - now.durable_lsn)),
        fmt::format("ring          [{}] {} of {} wait for the journal",
                    bar(now.ring_used, now.ring_bytes), rounded_bytes(now.ring_used),
                    rounded_bytes(now.ring_bytes)),
        fmt::format("memory        [{}] {} of {}", bar(now.region_bytes, now.capacity_bytes),
                    rounded_bytes(now.region_bytes), rounded_bytes(now.capacity_bytes)),
        fmt::format("repairs       {}, of them {} rolled a transaction back; longest wait for the "
                    "gate {}",
                    now.repairs, now.repairs_undone,
                    rounded_time(static_cast<double>(now.gate_wait_ns_max)))};
    if (now.gate_slot != 0)
        out.push_back(fmt::format("gate          closed by slot {}", now.gate_slot - 1));
    if (now.garbled != 0) {
        out.push_back(fmt::format("GARBLED       {} structures, the last: {}; run perdure verify",
                                  now.garbled, name(static_cast<errc>(now.last_error))));
    }
    if (now.fault != 0) {
        out.push_back(fmt::format("DURABILITY    LOST: {}", remedy(static_cast<errc>(now.fault))));
    }
    return out;
}

std::vector<std::string> panel(const std::string& world, const gauges& now, const gauges& before) {
    auto out = head_lines(world, now, before);
    out.emplace_back();
    out.push_back(fmt::format("{:>4} {:>9} {:<9} {:<15} {:>12} {:>14}  {}", "SLOT", "PROCESS", "IT",
                              "DOES", "COMMITS/S", "COMMITS", "SINCE"));
    for (const auto& each : now.participants) {
        const auto was =
            std::ranges::find(before.participants, each.slot, &participant_gauge::slot);
        const bool same = was != before.participants.end() && was->thread == each.thread;
        const char* does = each.fenced ? "fenced" : each.active ? "in transaction" : "between";
        const auto speed = same ? per_second(each.commits, was->commits, now, before) : 0.0;
        out.push_back(fmt::format("{:>4} {:>9} {:<9} {:<15} {:>12} {:>14}  {}", each.slot, each.pid,
                                  each.process, does, grouped(std::uint64_t(speed)),
                                  grouped(each.commits), age(each.seconds)));
    }
    if (now.participants.empty()) out.emplace_back("     nobody");
    out.emplace_back();
    out.push_back(fmt::format("{:<28} {:>16} {:>12}", "TABLE", "ROWS UP TO", "BYTES"));
    for (const auto& each : now.tables) {
        out.push_back(fmt::format("{:<28} {:>16} {:>12}", each.name, grouped(each.rows),
                                  rounded_bytes(each.bytes)));
    }
    return out;
}

std::string one_line(const gauges& now, const gauges& before) {
    return fmt::format(
        "{}/s commits, {}/s durable, {} behind, ring {} %, memory {}, {} participants, keeper {}",
        std::uint64_t(per_second(now.last_lsn, before.last_lsn, now, before)),
        std::uint64_t(per_second(now.durable_lsn, before.durable_lsn, now, before)),
        now.last_lsn - now.durable_lsn, now.ring_used * 100 / now.ring_bytes,
        rounded_bytes(now.region_bytes), now.participants.size(),
        now.keeper_pid == 0 ? "none" : fmt::format("{} {}", now.keeper_pid, now.keeper_process));
}

/// The terminal's other screen, given back at the end.
class screen {
  public:
    screen() { write("\x1b[?1049h\x1b[?25l"); }
    screen(const screen&) = delete;
    screen& operator=(const screen&) = delete;
    ~screen() { write("\x1b[?25h\x1b[?1049l"); }

    static void draw(const std::vector<std::string>& lines) {
        winsize size{};
        if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0)
            size = {24, 80, 0, 0};
        std::string text = "\x1b[H";
        const auto shown = std::min<std::size_t>(lines.size(), size.ws_row - 1U);
        for (std::size_t i = 0; i < shown; ++i) {
            text += lines[i].substr(0, size.ws_col) + "\x1b[K\r\n";
        }
        write(text + "\x1b[J");
    }

  private:
    static void write(std::string_view text) {
        while (!text.empty()) {
            const auto done = ::write(STDOUT_FILENO, text.data(), text.size());
            if (done <= 0 && errno != EINTR) return;
            if (done > 0) text.remove_prefix(static_cast<std::size_t>(done));
        }
    }
};

/// The region of a world, also when that has been rebuilt meanwhile.
class living_world {
  public:
    explicit living_world(const world_choice& where) : where_(where) { attach(); }
    world_reader& reader() {
        std::error_code ignored;
        const auto& path = in_->region().path();
        const auto target = std::filesystem::read_symlink(where_.directory + "/region", ignored);
        const auto written =
            std::filesystem::last_write_time(where_.directory + "/MANIFEST", ignored);
        if (target != path || written != manifest_) attach();  // A rebuild writes the MANIFEST.
        return *in_;
    }

  private:
    void attach() {
        std::error_code ignored;
        manifest_ = std::filesystem::last_write_time(where_.directory + "/MANIFEST", ignored);
        in_.emplace(where_);
    }
    const world_choice& where_;
    std::optional<world_reader> in_;
    std::filesystem::file_time_type manifest_;
};

void show_once(const top_order& order, living_world& of) {
    const gauges before = read_gauges(of.reader());
    pause_for(look_once);
    const gauges now = read_gauges(of.reader());
    if (order.where.json) {
        print(as_json(now, before));
        return;
    }
    for (const auto& line : panel(order.where.directory, now, before)) print(line);
}

}  // namespace

int top(const top_order& order) {
    living_world of(order.where);
    if (order.once) {
        show_once(order, of);
        return exit_done;
    }
    std::signal(SIGINT, end_top);
    std::signal(SIGTERM, end_top);
    std::optional<screen> whole;
    if (!order.where.json && is_terminal(STDOUT_FILENO)) whole.emplace();
    gauges before = read_gauges(of.reader());
    if (whole) screen::draw(panel(order.where.directory, before, before));
    for (pause_for(look_every); !is_ended(); pause_for(look_every)) {
        const gauges now = read_gauges(of.reader());
        if (whole) {
            screen::draw(panel(order.where.directory, now, before));
        } else if (order.where.json) {
            print(as_json(now, before));
        } else {
            print(one_line(now, before));
        }
        before = now;
    }
    return exit_done;
}

}  // namespace perdure::apps

// SPDX-License-Identifier: Apache-2.0
//
// Plugins of a world: loading, listing, stopping, and what they have said. Whoever keeps the world
// follows within a moment; where nobody does, it is done when somebody will.
#include <fmt/format.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <deque>
#include <filesystem>
#include <fstream>
#include <perdure/apps/cli/configuration.hpp>
#include <perdure/apps/cli/console.hpp>
#include <perdure/apps/plugin/command.hpp>
#include <perdure/apps/plugin/log_place.hpp>
#include <perdure/plugins/host/loading.hpp>
#include <thread>

namespace perdure::apps {
namespace {

namespace json = boost::json;
using plugins::plugin_row;
using plugins::plugin_state;
using plugins::text_in;

constexpr std::chrono::milliseconds look_every{20};

std::string_view host_name(const plugin_row& row) noexcept {
    return row.host == static_cast<std::uint32_t>(plugins::host_kind::process) ? "process"
                                                                               : "inline";
}

json::object as_json(const plugin_row& row) {
    return {{"id", text_in(row.id)},
            {"version", text_in(row.version)},
            {"state", plugins::state_name(row.state)},
            {"host", host_name(row)},
            {"generation", row.generation},
            {"windows", row.window},
            {"done_of_window", row.done},
            {"from_ns", row.from_ns},
            {"cursor", row.cursor},
            {"crashes", row.crashes},
            {"cause", row.cause == 0 ? json::value(nullptr)
                                     : json::value(name(static_cast<errc>(row.cause)))},
            {"file", text_in(row.file)}};
}

std::optional<plugin_row> find(const world& in, std::string_view id) {
    for (const auto& each : plugins::list_plugins(in)) {
        if (text_in(each.id) == id) return each;
    }
    return std::nullopt;
}

plugin_row expect(const world& in, const std::string& id) {
    if (auto there = find(in, id)) return *there;
    throw failure(errc::unknown_plugin, "plugin " + id + ": it is not loaded in " + in.directory(),
                  std::string(remedy(errc::unknown_plugin)));
}

/// Waits until the keeper has followed, where there is one. False when the time was over.
template <class Condition>
bool await(const world& in, std::uint64_t milliseconds, Condition&& holds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
    while (!holds()) {
        if (in.status().keeper_pid == 0 || std::chrono::steady_clock::now() > end) return false;
        std::this_thread::sleep_for(look_every);
    }
    return true;
}

std::string cause_text(const plugin_row& row) {
    return row.cause == 0 ? ""
                          : std::string(", ") + std::string(name(static_cast<errc>(row.cause)));
}

/// What has become of a plugin that was to run.
int tell_running(const plugin_order& order, const world& in, const std::string& id) {
    plugin_row row{};
    await(in, order.wait_ms, [&] {
        row = expect(in, id);
        const auto state = static_cast<plugin_state>(row.state);
        return state == plugin_state::active || state == plugin_state::quarantined ||
               row.cause != 0;
    });
    row = expect(in, id);
    const bool is_kept = in.status().keeper_pid != 0;
    const bool is_well =
        row.cause == 0 || row.state == static_cast<std::uint32_t>(plugin_state::active);
    if (order.where.json) {
        auto out = as_json(row);
        out["kept"] = is_kept;
        print(out);
    } else {
        print(fmt::format("{} {}: {}{}{}", id, text_in(row.version), plugins::state_name(row.state),
                          cause_text(row),
                          is_kept ? "" : "; it runs when somebody keeps the world"));
        if (!is_well) print(fmt::format("see: perdure plugin logs {} {}", in.directory(), id));
    }
    return is_well ? exit_done : exit_refused;
}

/// A path, or the name of a plugin that came with Perdure.
std::string file_of(const std::string& given) {
    namespace fs = std::filesystem;
    std::error_code ignored;
    if (given.find('/') != std::string::npos || fs::exists(given, ignored)) return given;
    const auto self = fs::read_symlink("/proc/self/exe", ignored);
    const auto built_in = self.parent_path() / "../lib/perdure/plugins" / (given + ".so");
    return fs::exists(built_in, ignored) ? built_in.lexically_normal().string() : given;
}

std::string print_moment(std::uint64_t ns) {
    return fmt::format("{:.1f} s", static_cast<double>(ns) / 1e9);
}

std::string readable(const std::string& line) {
    json::error_code bad;
    const auto parsed = json::parse(line, bad);
    if (bad || !parsed.is_object()) return line;
    const auto& entry = parsed.as_object();
    const auto text = [&](const char* key) -> std::string {
        const auto* at = entry.if_contains(key);
        return at != nullptr && at->is_string() ? std::string(at->as_string()) : std::string();
    };
    auto out = fmt::format("{} {:<5} {}", text("time"), text("level"), text("message"));
    // A plugin's words do not command the terminal.
    for (char& c : out) c = static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
    return out;
}

}  // namespace

int plugin_load(const plugin_order& order) {
    world in = open_world(order.where);
    auto by = in.join();
    const auto file = plugins::load_plugin(
        in, by,
        {.path = file_of(order.file),
         .host = order.is_inline ? plugins::host_kind::embedded : plugins::host_kind::process,
         .config = order.config,
         .who = ::getuid()});
    return tell_running(order, in, file.what.id);
}

int plugin_unload(const plugin_order& order) {
    world in = open_world(order.where);
    auto by = in.join();
    plugins::unload_plugin(in, by, order.id, ::getuid());
    if (order.where.json) {
        print(json::object{{"id", order.id}, {"unloaded", true}});
    } else {
        print(order.id + ": unloaded; its account and its state stay");
    }
    return exit_done;
}

int plugin_disable(const plugin_order& order) {
    world in = open_world(order.where);
    auto by = in.join();
    plugins::set_enabled(in, by, order.id, order.is_enabling, ::getuid());
    if (order.is_enabling) return tell_running(order, in, order.id);
    if (order.where.json) {
        print(as_json(expect(in, order.id)));
    } else {
        print(order.id + ": disabled; its windows and events wait for it");
    }
    return exit_done;
}

int plugin_upgrade(const plugin_order& order) {
    world in = open_world(order.where);
    auto by = in.join();
    const auto file = plugins::upgrade_plugin(in, by,
                                              {.id = order.id,
                                               .path = file_of(order.file),
                                               .shadow = order.shadow,
                                               .grants_more = order.grants_more,
                                               .who = ::getuid()});
    // Its row goes with the end of the upgrade: what it says is remembered here.
    std::optional<plugins::upgrade_progress> last;
    std::string told;
    const bool is_followed = await(in, order.wait_ms, [&] {
        auto now = plugins::find_upgrade(in, order.id);
        if (now) last = std::move(now);
        if (last && last->report.size() > told.size() && !order.where.json) {
            std::string_view more = std::string_view(last->report).substr(told.size());
            print(more.substr(0, more.find_last_not_of('\n') + 1));
            told = last->report;
        }
        return !now ||
               last->row.stage == static_cast<std::uint32_t>(plugins::upgrade_stage::probation);
    });
    const auto row = expect(in, order.id);
    const bool has_taken_over = text_in(row.file) == file.hash;
    if (order.where.json) {
        auto out = as_json(row);
        out["upgraded"] = has_taken_over;
        out["compared"] = last ? last->row.compared : 0;
        out["differing"] = last ? last->row.differing : 0;
        out["report"] = last ? last->report : std::string();
        print(out);
    } else {
        if (last && last->row.compared != 0) {
            print(fmt::format("compared {} windows, {} differed", last->row.compared,
                              last->row.differing));
        }
        print(has_taken_over ? fmt::format("{} {} has taken over; the next windows are its "
                                           "probation",
                                           order.id, file.what.version)
              : is_followed
                  ? fmt::format("{} stays at {}{}; see: perdure plugin logs {} {}", order.id,
                                text_in(row.version), cause_text(row), in.directory(), order.id)
                  : fmt::format("{}: the upgrade waits for {}", order.id,
                                in.status().keeper_pid == 0 ? "somebody to keep the world"
                                                            : "its windows"));
    }
    return has_taken_over || !is_followed ? exit_done : exit_refused;
}

int plugin_list(const plugin_order& order) {
    const world in = open_reader(order.where);
    const auto rows = plugins::list_plugins(in);
    if (order.where.json) {
        json::array out;
        for (const auto& row : rows) out.push_back(as_json(row));
        print(json::object{{"world", in.directory()}, {"plugins", std::move(out)}});
        return exit_done;
    }
    if (rows.empty()) {
        print("no plugin is loaded in " + in.directory());
        return exit_done;
    }
    for (const auto& row : rows) {
        print(
            fmt::format("{:<32} {:<10} {:<12} {:<8} gen {:<4} windows {:<8} up to {:<12} "
                        "crashes {}{}",
                        text_in(row.id), text_in(row.version), plugins::state_name(row.state),
                        host_name(row), row.generation, grouped(row.window),
                        print_moment(row.from_ns), row.crashes, cause_text(row)));
    }
    return exit_done;
}

int plugin_logs(const plugin_order& order) {
    const auto path = plugin_log_path(order.where.directory, order.id);
    std::ifstream file(path);
    if (!file) {
        throw failure(errc::not_found, "plugin " + order.id + ": there is no " + path,
                      "the keeper writes it once the plugin has said something; `perdure plugin "
                      "list` shows which there are");
    }
    std::deque<std::string> last;
    for (std::string line; std::getline(file, line);) {
        last.push_back(std::move(line));
        if (last.size() > order.lines) last.pop_front();
    }
    for (const auto& line : last) print(order.where.json ? line : readable(line));
    return exit_done;
}

}  // namespace perdure::apps

// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/cli/command.hpp>

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>
#include <boost/json.hpp>
#include <perdure/apps/cli/configuration.hpp>
#include <perdure/apps/cli/console.hpp>
#include <perdure/apps/cli/gauges.hpp>
#include <perdure/io/digest.hpp>
#include <perdure/io/past.hpp>
#include <perdure/io/room.hpp>
#include <perdure/plugins/host/loading.hpp>

namespace perdure::apps {
namespace {

namespace json = boost::json;

/// Nothing where no plugin was ever loaded.
std::optional<component> plugins_of(const world& seen) {
    const auto rows = plugins::list_plugins(seen);
    if (rows.empty()) return std::nullopt;
    component out;
    out.name = "plugins";
    out.state = "running";
    out.health = 100;
    std::size_t active = 0;
    for (const auto& row : rows) {
        const auto state = static_cast<plugins::plugin_state>(row.state);
        if (state == plugins::plugin_state::active) ++active;
        if (state != plugins::plugin_state::quarantined) continue;
        const auto id = std::string(plugins::text_in(row.id));
        out.state = "warn";
        out.health = 50;
        out.alarm += fmt::format("{}{} is quarantined, {}: perdure plugin logs {} {}",
                                 out.alarm.empty() ? "" : "; ", id,
                                 name(static_cast<errc>(row.cause)), seen.directory(), id);
    }
    out.note = fmt::format("{} of {} active", active, rows.size());
    return out;
}

/// What the region says of the world's parts, and the kernel of its keeper.
std::vector<component> parts_of(const world& seen, const condition& now) {
    auto parts = components_of(now);
    if (auto loaded = plugins_of(seen)) parts.push_back(std::move(*loaded));
    if (now.keeper_pid == 0 || process_state(now.keeper_pid) != "stopped") return parts;
    auto& keeper = *std::ranges::find(parts, "keeper", &component::name);
    keeper.state = "stopped";
    keeper.health = 0;
    keeper.alarm = fmt::format(
        "process {} is stopped, and no other can take its place: kill -CONT {}, or kill it",
        now.keeper_pid, now.keeper_pid);
    return parts;
}

int health_of(const std::vector<component>& parts) {
    return std::ranges::min(parts, {}, &component::health).health;
}

json::object health_json(const std::vector<component>& parts) {
    json::array components;
    json::array alarms;
    for (const auto& each : parts) {
        components.push_back(json::object{{"name", each.name},
                                          {"state", each.state},
                                          {"health", each.health},
                                          {"note", each.note}});
        if (!each.alarm.empty()) alarms.push_back(json::string(each.name + ": " + each.alarm));
    }
    return {{"percent", health_of(parts)},
            {"components", std::move(components)},
            {"alarms", std::move(alarms)}};
}

void print_health(const std::vector<component>& parts) {
    std::string ill;
    for (const auto& each : parts) {
        if (each.health == 100) continue;
        ill += fmt::format("{}{} {} %: {}", ill.empty() ? "  (" : "; ", each.name, each.health,
                           each.note);
    }
    print(fmt::format("health        {} %{}{}", health_of(parts), ill, ill.empty() ? "" : ")"));
    for (const auto& each : parts) {
        if (!each.alarm.empty()) print(fmt::format("ALARM         {}: {}", each.name, each.alarm));
    }
}

json::object checkpoint_json(const condition& now) {
    const auto& mark = now.checkpoint;
    return {{"lsn", mark.lsn == 0 ? json::value(nullptr) : json::value(mark.lsn)},
            {"wall_ns", mark.wall_ns},
            {"next_ns", mark.next_ns},
            {"write_ms", static_cast<double>(mark.write_ns) / 1e6},
            {"failed", mark.refused == 0 ? json::value(nullptr)
                                         : json::value(name(static_cast<errc>(mark.refused)))},
            {"dirty_bytes", now.dirty_bytes},
            {"captures", now.captures.captures},
            {"aborts", now.captures.aborts},
            {"shadows_max", now.captures.shadows_max},
            {"cut_us_max", static_cast<double>(now.captures.cut_ns_max) / 1e3}};
}

json::object as_json(const world& seen, const condition& now) {
    json::array sitting;
    for (const auto& each : now.sitting) {
        sitting.push_back(json::object{{"slot", each.slot},
                                       {"process", each.pid},
                                       {"thread", each.thread},
                                       {"in_transaction", each.active}});
    }
    return {{"world", seen.directory()},
            {"open", true},
            {"region", seen.region().path()},
            {"keeper", now.keeper_pid == 0 ? json::value(nullptr) : json::value(now.keeper_pid)},
            {"keeper_epoch", now.keeper_epoch},
            {"last_lsn", now.last_lsn},
            {"durable_lsn", now.durable_lsn},
            {"lag_bytes", now.lag_bytes},
            {"ring_bytes", now.ring_bytes},
            {"region_bytes", now.region_bytes},
            {"capacity_bytes", now.capacity_bytes},
            {"repairs", now.repairs},
            {"repairs_undone", now.repairs_undone},
            {"incarnation", now.incarnation},
            {"fault", now.fault == 0 ? json::value(nullptr)
                                     : json::value(name(static_cast<errc>(now.fault)))},
            {"refusing", now.refusing == 0 ? json::value(nullptr)
                                           : json::value(name(static_cast<errc>(now.refusing)))},
            {"room", now.room == 0 ? json::value(nullptr)
                                   : json::value(name(static_cast<io::room_state>(now.room)))},
            {"free_bytes", now.free_bytes},
            {"health", health_json(parts_of(seen, now))},
            {"checkpoint", checkpoint_json(now)},
            {"participants", std::move(sitting)}};
}

/// "3 min 5 s ago", "in 2 min": a wall clock's time against now.
std::string distance_to(std::uint64_t then_ns) {
    const std::uint64_t now_ns = io::wall_clock_ns();
    const bool is_past = then_ns <= now_ns;
    const std::uint64_t seconds = (is_past ? now_ns - then_ns : then_ns - now_ns) / 1'000'000'000;
    const std::string text = seconds < 120    ? fmt::format("{} s", seconds)
                             : seconds < 7200 ? fmt::format("{} min", seconds / 60)
                                              : fmt::format("{} h", seconds / 3600);
    return is_past ? text + " ago" : "in " + text;
}

constexpr const char* no_checkpoint =
    "checkpoint    none yet: a recovery replays the whole journal";

void print_newest(const condition& now) {
    const auto& mark = now.checkpoint;
    if (mark.lsn == 0) return print(no_checkpoint);
    // Only who has seen one taken knows how long it took: not a region that was just recovered.
    const auto took = mark.write_ns == 0 ? ""
                                         : fmt::format(", took {:.0f} ms",
                                                       static_cast<double>(mark.write_ns) / 1e6);
    print(fmt::format("checkpoint    LSN {}, {}{}; {} commits since, {} of pages",
                      grouped(mark.lsn), distance_to(mark.wall_ns), took,
                      grouped(now.last_lsn - std::min(now.last_lsn, mark.lsn)),
                      rounded_bytes(now.dirty_bytes)));
}

void print_checkpoint(const condition& now) {
    const auto& mark = now.checkpoint;
    print_newest(now);
    if (mark.next_ns != 0 && now.keeper_pid != 0) {
        print("next          " + distance_to(mark.next_ns) + ", if anything has changed");
    }
    if (mark.refused != 0) {
        const auto cause = static_cast<errc>(mark.refused);
        print(fmt::format("              the last one FAILED: {}. {}", name(cause), remedy(cause)));
    }
}

void print_readable(const world& seen, const condition& now) {
    print(fmt::format("world         {}", seen.directory()));
    print_health(parts_of(seen, now));
    print(fmt::format("region        {}, {} of {}", seen.region().path(),
                      rounded_bytes(now.region_bytes), rounded_bytes(now.capacity_bytes)));
    print(now.keeper_pid != 0
              ? fmt::format("keeper        process {}, epoch {}", now.keeper_pid, now.keeper_epoch)
              : "keeper        none; whoever waits for `durable` writes the journal");
    print(fmt::format("commits       last {}, durable {}: {} behind, {} of the {} ring",
                      grouped(now.last_lsn), grouped(now.durable_lsn),
                      grouped(now.last_lsn - std::min(now.last_lsn, now.durable_lsn)),
                      rounded_bytes(now.lag_bytes), rounded_bytes(now.ring_bytes)));
    if (now.fault != 0) {
        const auto cause = static_cast<errc>(now.fault);
        print(
            fmt::format("durability    LOST: {}. {}", name(cause), remedy(errc::durability_lost)));
    }
    print_checkpoint(now);
    print(fmt::format("repairs       {}, of them {} rolled a transaction back", now.repairs,
                      now.repairs_undone));
    print(fmt::format("incarnation   {}", now.incarnation));
    print(fmt::format("participants  {}", now.participants));
    for (const auto& each : now.sitting) {
        print(fmt::format("  slot {:<4} process {:<8} thread {:<8}{}", each.slot, each.pid,
                          each.thread, each.active ? "in a transaction" : ""));
    }
}

json::object sleeping_json(const io::checkpoint_entry* newest) {
    if (newest == nullptr) return {{"lsn", nullptr}, {"version", nullptr}, {"wall_ns", 0}};
    return {{"lsn", newest->lsn}, {"version", newest->version}, {"wall_ns", newest->cut_ns}};
}

/// Without a region the MANIFEST alone says what there is.
void print_sleeping(const world_choice& where, const std::string& why) {
    io::kernel_calls calls;
    const io::past kept(calls, where.directory);
    const auto& all = kept.promised().checkpoints();
    const auto* newest = all.empty() ? nullptr : &all.back();
    if (where.json) {
        print(json::object{{"world", where.directory},
                           {"open", false},
                           {"why", why},
                           {"health", nullptr},
                           {"checkpoint", sleeping_json(newest)}});
        return;
    }
    print("world         " + where.directory);
    print("health        not known of a world that sleeps: perdure doctor " + where.directory);
    print("region        none: " + why);
    print(newest == nullptr ? no_checkpoint
                            : fmt::format("checkpoint    v{}, LSN {}, {}", newest->version,
                                          grouped(newest->lsn), distance_to(newest->cut_ns)));
    print("next          perdure serve " + where.directory + ", which recovers it");
}

}  // namespace

int status(const world_choice& where) {
    world_options options = options_from(read_config(where));
    options.may_recover = false;
    try {
        const world seen = world::open(where.directory, options);
        const condition now = seen.status();
        where.json ? print(as_json(seen, now)) : print_readable(seen, now);
        return exit_done;
    } catch (const failure& why) {
        // No region: the world sleeps. Whether there is a world at all is another question.
        if (why.reason() != errc::missing ||
            !std::filesystem::exists(where.directory + "/MANIFEST")) {
            throw;
        }
        print_sleeping(where, why.thing());
        return exit_done;
    }
}

}  // namespace perdure::apps

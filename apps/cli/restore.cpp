// SPDX-License-Identifier: Apache-2.0
//
// A new world made of a point in a world's history, and put in its place if that is wanted.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <perdure/apps/cli/command.hpp>
#include <perdure/apps/cli/configuration.hpp>
#include <perdure/apps/cli/console.hpp>
#include <perdure/apps/cli/event_text.hpp>
#include <perdure/apps/cli/gauges.hpp>
#include <perdure/apps/cli/long_work.hpp>
#include <perdure/io/audit.hpp>
#include <perdure/io/catalog.hpp>
#include <perdure/io/restore.hpp>

namespace perdure::apps {
namespace {

namespace json = boost::json;

constexpr std::chrono::seconds save_wait{60};
constexpr std::size_t validations_max = 10'000;

/// Of the events that this world declares, the game's and plugins' among them.
std::vector<event_declaration> declared_in(const world_choice& where) {
    const auto options = options_from(read_config(where));
    try {
        auto now = options;
        now.may_recover = false;
        now.mode = shm::access::read_only;
        return world::open(where.directory, now).events().all();
    } catch (const failure&) {  // No region, or a damaged one: then as the files tell it.
        return world::recall(where.directory, options, {}).events().all();
    }
}

/// By name, or by number where not even the names can be read.
std::uint16_t event_named(const restore_choice& order) {
    const std::string& name = *order.before_error;
    const auto core = economy_events();
    if (std::ranges::count(core, name, &event_declaration::name) != 0)
        return type_named(core, name);
    std::uint16_t number = 0;
    const auto* const end = name.data() + name.size();
    const auto [at, error] = std::from_chars(name.data(), end, number);
    if (at == end && error == std::errc() && number != 0) return number;
    std::vector<event_declaration> declared;
    try {
        declared = declared_in(order.where);
    } catch (const failure& why) {
        throw failure(why.reason(),
                      "--before-error " + name + ": what events this world declares cannot be " +
                          "read: " + why.thing(),
                      "name the event by its number, as in --before-error 1000");
    }
    return type_named(declared, name);
}

/// LSN of the last state that was validated and sound before the newest one that was not.
std::uint64_t last_sound(const std::string& directory) {
    bool has_failed = false;
    if (auto book = io::catalog::look(directory)) {
        const auto recoveries = book->recoveries(validations_max);
        // What was validated and not durable may be another state's LSN since.
        const auto is_lost = [&](const io::validation_fact& seen) {
            return std::ranges::any_of(recoveries, [&](const io::recovery_fact& each) {
                return each.at_ns > seen.at_ns && each.last_lsn < seen.lsn;
            });
        };
        for (const auto& each : book->validations(validations_max)) {  // Newest first.
            if ((each.kind != "verify" && each.kind != "deep") || is_lost(each)) continue;
            has_failed = has_failed || each.problems != 0;
            if (has_failed && each.problems == 0 && each.lsn != 0) return each.lsn;
        }
    }
    throw failure(errc::not_found,
                  "world " + directory + ": " +
                      (has_failed ? "no state before the one that failed its validation was found "
                                    "sound"
                                  : "its history knows of no failed validation"),
                  "name an event, or a point: --at, --lsn; `perdure history` shows what it knows");
}

io::past_point point_from(const restore_choice& order) {
    const int given = (order.latest ? 1 : 0) + (order.checkpoint.empty() ? 0 : 1) +
                      (order.before_error ? 1 : 0) + (is_past(order.where) ? 1 : 0);
    if (given != 1) {
        throw failure(errc::bad_query, "restore: which point in its history?",
                      "give one of --latest, --checkpoint, --at, --lsn, --before-error");
    }
    if (order.accepts_loss && !order.latest) {
        throw failure(errc::bad_query, "restore --accept-loss: of what?",
                      "it goes with --latest: the newest state that can still be had");
    }
    if (!order.checkpoint.empty()) {
        return {io::past_point::kind::checkpoint, 0, order.checkpoint};
    }
    if (order.before_error && order.before_error->empty()) {
        return {io::past_point::kind::lsn, last_sound(order.where.directory)};
    }
    if (order.before_error) {
        return {io::past_point::kind::before_event, event_named(order)};
    }
    return point_of(order.where);
}

/// What was committed by now becomes durable, and a checkpoint of it is taken, if that can be done.
std::string save_first(const world_choice& where) {
    try {
        auto options = options_from(read_config(where));
        options.may_recover = false;
        world present = world::open(where.directory, options);
        expect_running_keeper(present);
        const auto until = shm::deadline::in(save_wait);
        return present.checkpoint(false, until) ? "taken" : "not needed";
    } catch (const failure& why) {
        return "not taken: " + why.thing();
    }
}

void swap_in(io::kernel_calls& calls, const restore_choice& order) {
    try {
        io::swap_worlds(calls, order.where.directory, order.to);
    } catch (const failure& why) {
        throw failure(why.reason(), why.thing() + "; what was restored lies in " + order.to,
                      why.todo());
    }
}

}  // namespace

int restore(const restore_choice& order) {
    const auto options = options_from(read_config(order.where));
    io::restore_order what;
    what.from = order.where.directory;
    what.to = order.to;
    what.point = point_from(order);
    what.accepts_loss = order.accepts_loss;
    what.how.region_directory = options.region_directory;
    what.how.region.capacity_bytes = options.capacity_bytes;
    what.how.region.ring_bytes = 64 << 10;
    what.how.validators.emplace_back(io::why_unbalanced);
    what.tables.wanted = ledger::schemas();
    for (auto& each : documents::schemas()) what.tables.wanted.push_back(std::move(each));
    for (auto& each : stakes::schemas()) what.tables.wanted.push_back(std::move(each));
    io::kernel_calls calls;
    if (order.swap) io::check_swap(calls, order.where.directory, order.to);
    std::string first;
    const auto made = [&] {
        const long_work restoring("restoring " + order.to);
        first = save_first(order.where);
        return io::restore_world(calls, what);
    }();
    if (order.swap) swap_in(calls, order);
    const auto& here = order.swap ? order.where.directory : order.to;
    if (order.where.json) {
        json::array tried;
        for (const auto& each : made.recovery.tried) {
            tried.push_back(json::object{{"what", each.what}, {"verdict", each.verdict}});
        }
        json::array components;
        for (const auto& each : made.recovery.components) {
            components.push_back(json::object{
                {"name", each.name}, {"rows", each.rows}, {"milliseconds", each.milliseconds}});
        }
        print(
            json::object{{"world", here},
                         {"lsn", made.lsn},
                         {"checkpoint_before", first},
                         {"tried", std::move(tried)},
                         {"components", std::move(components)},
                         {"rows", made.recovery.rows},
                         {"transactions", made.recovery.transactions},
                         {"lost", made.recovery.lost},
                         {"damage", made.recovery.torn_tail},
                         {"milliseconds", made.recovery.milliseconds},
                         {"replaced", order.swap ? json::value(order.to) : json::value(nullptr)}});
        return exit_done;
    }
    if (made.lsn == 0) {
        print("restored      " + here + ", EMPTY: none of its state could be had");
    } else {
        print(fmt::format("restored      {}, the state behind LSN {}", here, grouped(made.lsn)));
        print(fmt::format(
            "from          checkpoint of LSN {}, and {} transactions replayed in {:.0f} ms",
            grouped(made.recovery.checkpoint_lsn), grouped(made.recovery.transactions),
            made.recovery.milliseconds));
    }
    if (made.recovery.lost != 0) {
        print(fmt::format("LOST          {} commits at least, behind LSN {}: {}",
                          grouped(made.recovery.lost), grouped(made.lsn), made.recovery.torn_tail));
    }
    for (const auto& each : made.recovery.tried) {
        if (each.verdict != "accepted") print("refused       " + each.what + ": " + each.verdict);
    }
    for (const auto& each : made.evolved) print("read by name  table " + each);
    print("before        a checkpoint of the world as it is: " + first);
    if (order.swap) print("the old one   " + order.to);
    print("next          perdure serve " + here);
    return exit_done;
}

}  // namespace perdure::apps

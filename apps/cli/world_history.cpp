// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/cli/world_history.hpp>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <thread>

#include <fmt/format.h>
#include <boost/json.hpp>
#include <perdure/apps/cli/console.hpp>
#include <perdure/apps/cli/event_text.hpp>
#include <perdure/io/catalog_facts.hpp>
#include <perdure/io/digest.hpp>
#include <perdure/io/past.hpp>

namespace perdure::apps {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;
using io::checkpoint_fact;

/// Whoever writes has it for some milliseconds, more where the disk is busy.
constexpr int tries_max = 20;
constexpr std::chrono::milliseconds try_pause{50};

/// By identifier: what `restore --checkpoint` takes of those that are kept.
using version_map = std::map<std::string, std::uint64_t, std::less<>>;

struct recorded {
    version_map versions;
    std::vector<checkpoint_fact> checkpoints;
    std::vector<io::recovery_fact> recoveries;
    std::vector<io::validation_fact> validations;
    std::vector<io::component_fact> components;
};

/// False: something could not be read.
bool read(io::catalog& from, std::size_t limit, recorded& into) {
    bool whole = true;
    const auto is_whole = [&] { return whole = whole && from.last_error().empty(); };
    into.checkpoints = from.checkpoints(limit);
    if (is_whole()) into.recoveries = from.recoveries(limit);
    if (is_whole()) into.validations = from.validations(limit);
    if (is_whole()) into.components = from.components();
    return is_whole();
}

recorded read_patiently(const std::string& directory, std::size_t limit) {
    std::string why = "it is no catalog, is in use, or may not be read";
    for (int turn = 0; turn < tries_max; ++turn) {
        if (turn != 0) std::this_thread::sleep_for(try_pause);
        auto from = io::catalog::look(directory);
        recorded out;
        if (from && read(*from, limit, out)) return out;
        if (from) why = from->last_error();
    }
    throw failure(errc::wrong_format, io::catalog_path(directory) + ": " + why,
                  "start `perdure serve`, which sets a broken one aside and makes a new one; "
                  "nothing depends on it");
}

/// Adds what the MANIFEST promises and the catalog does not know: nothing depends on a catalog, and
/// it may be younger than the checkpoints.
void add_promised(const std::string& directory, std::size_t limit, recorded& to) {
    io::kernel_calls calls;
    const io::past kept(calls, directory);
    const auto& promised = kept.promised().checkpoints();
    auto& all = to.checkpoints;
    std::set<std::string, std::less<>> known;
    for (const auto& each : all) known.insert(each.id);
    for (auto each = promised.rbegin(); each != promised.rend(); ++each) {
        auto fact = io::fact_of(*each);
        to.versions.emplace(fact.id, each->version);
        if (!known.contains(fact.id)) all.push_back(std::move(fact));
    }
    // The catalog's own order: what it knows and did not list falls behind the limit once more.
    std::ranges::stable_sort(all, std::greater(), &checkpoint_fact::created_ns);
    if (all.size() > limit) all.resize(limit);
}

std::string_view word(checkpoint_fact::extent kind) {
    return kind == checkpoint_fact::extent::full ? "full" : "incremental";
}

std::string_view word(checkpoint_fact::standing state) {
    switch (state) {
        case checkpoint_fact::standing::valid: return "valid";
        case checkpoint_fact::standing::retired: return "retired";
        case checkpoint_fact::standing::rejected: return "rejected";
        case checkpoint_fact::standing::failed: return "failed";
    }
    return "";
}

json::value time_or_null(std::uint64_t ns) {
    return ns == 0 ? json::value(nullptr) : json::value(time_text(ns));
}

/// 0: it is not kept.
std::uint64_t version_of(const checkpoint_fact& each, const version_map& versions) {
    const auto there = versions.find(each.id);
    return there == versions.end() ? 0 : there->second;
}

json::object as_json(const checkpoint_fact& each, const version_map& versions) {
    const auto version = version_of(each, versions);
    return {
        {"id", shown(each.id)},
        {"version", version == 0 ? json::value(nullptr) : json::value(version)},
        {"at", time_or_null(each.created_ns)},
        {"lsn", each.lsn},
        {"parent", each.parent.empty() ? json::value(nullptr) : json::value(shown(each.parent))},
        {"kind", word(each.kind)},
        {"state", word(each.state)},
        {"trigger", each.trigger.empty() ? json::value(nullptr) : json::value(shown(each.trigger))},
        {"rows", each.rows},
        {"row_bytes", each.raw_bytes},
        {"file_bytes", each.stored_bytes},
        {"capture_us", each.capture_us},
        {"cut_us", each.cut_us},
        {"write_ms", each.write_ms},
        {"note", shown(each.note)}};
}

json::object as_json(const io::recovery_fact& each) {
    json::array tried;
    for (const auto& one : each.tried) {
        tried.push_back(json::object{{"what", shown(one.what)}, {"verdict", shown(one.verdict)}});
    }
    json::object phases;
    for (const auto& one : each.phases) phases[shown(one.name)] = one.milliseconds;
    return {{"at", time_or_null(each.at_ns)},
            {"incarnation", each.incarnation},
            {"reason", shown(each.reason)},
            {"source", shown(each.source)},
            {"tried", std::move(tried)},
            {"last_lsn", each.last_lsn},
            {"lost_transactions", each.lost_transactions},
            {"milliseconds", each.milliseconds},
            {"phases_ms", std::move(phases)}};
}

json::object as_json(const io::validation_fact& each) {
    return {{"at", time_or_null(each.at_ns)},
            {"kind", shown(each.kind)},
            {"lsn", each.lsn},
            {"score", each.score},
            {"problems", each.problems},
            {"note", shown(each.note)}};
}

json::object as_json(const io::component_fact& each) {
    return {{"name", shown(each.name)},
            {"state", shown(each.state)},
            {"health", each.health},
            {"last_activity", time_or_null(each.last_activity_ns)},
            {"note", shown(each.note)}};
}

json::array as_json(const auto& facts, const auto&... more) {
    json::array out;
    for (const auto& each : facts) out.push_back(as_json(each, more...));
    return out;
}

/// "2026-11-22 05:41:32".
std::string time_of(std::uint64_t ns) {
    if (ns == 0) return "never              ";
    auto text = time_text(ns).substr(0, 19);
    text[10] = ' ';
    return text;
}

std::string line_of(const checkpoint_fact& each, const version_map& versions) {
    std::string out = fmt::format("  {}  ", time_of(each.created_ns));
    if (const auto version = version_of(each, versions); version != 0) {
        out += fmt::format("v{}, ", version);
    }
    if (each.lsn == 0) {
        out += fmt::format("{}, by {}", word(each.state), shown(each.trigger));
    } else {
        out += fmt::format("LSN {}, {}, {}, {}", grouped(each.lsn), word(each.kind),
                           word(each.state), rounded_bytes(each.stored_bytes));
    }
    if (each.raw_bytes != 0) {
        out += fmt::format(" of {} in {} rows, in {} ms, writers held up for {} µs, by {}",
                           rounded_bytes(each.raw_bytes), grouped(each.rows), each.write_ms,
                           each.cut_us, shown(each.trigger));
    }
    return each.note.empty() ? out : out + ": " + shown(each.note);
}

std::string line_of(const io::recovery_fact& each) {
    std::string out = fmt::format("  {}  incarnation {}, LSN {}, {} ms", time_of(each.at_ns),
                                  each.incarnation, grouped(each.last_lsn), each.milliseconds);
    for (std::size_t i = 0; i < each.phases.size(); ++i) {
        out += fmt::format("{}{} {}", i == 0 ? " (" : ", ", shown(each.phases[i].name),
                           each.phases[i].milliseconds);
    }
    if (!each.phases.empty()) out += ")";
    out += ": " + shown(each.reason);
    for (const auto& one : each.tried) {
        out += fmt::format("\n    {}: {}", shown(one.what), shown(one.verdict));
    }
    return out;
}

std::string line_of(const io::validation_fact& each) {
    const std::string out =
        fmt::format("  {}  {}, LSN {}: {} %, {} problems", time_of(each.at_ns), shown(each.kind),
                    grouped(each.lsn), each.score, each.problems);
    return each.note.empty() ? out : out + ": " + shown(each.note);
}

std::string line_of(const io::component_fact& each) {
    return fmt::format("  {}  {} {}: {} %, {}", time_of(each.last_activity_ns), shown(each.name),
                       shown(each.state), each.health, shown(each.note));
}

void print_all(std::string_view what, const auto& facts, const auto&... more) {
    print(fmt::format("{}{}", what, facts.empty() ? "  none" : ", newest first, UTC"));
    for (const auto& each : facts) print(line_of(each, more...));
}

[[noreturn]] void refuse_lost(const std::string& directory) {
    throw failure(
        errc::missing,
        "world " + directory + ": " + io::manifest_path(directory) + ": there is no such file",
        io::holds_history(directory) ? "put it back from a copy that is as new as the files; "
                                       "docs/operations.md: \"MANIFEST is lost or damaged\""
                                     : "make it with `perdure init`, or check the path");
}

}  // namespace

int world_history(const history_order& order) {
    const auto& directory = order.where.directory;
    if (!fs::exists(io::manifest_path(directory))) refuse_lost(directory);
    const std::string file = io::catalog_path(directory);
    const bool is_there = fs::symlink_status(file).type() != fs::file_type::not_found;
    const std::size_t limit = order.limit == 0 ? SIZE_MAX : order.limit;
    recorded all = is_there ? read_patiently(directory, limit) : recorded();
    add_promised(directory, limit, all);
    if (order.where.json) {
        print(json::object{{"world", directory},
                           {"catalog", is_there ? json::value(file) : json::value(nullptr)},
                           {"checkpoints", as_json(all.checkpoints, all.versions)},
                           {"recoveries", as_json(all.recoveries)},
                           {"validations", as_json(all.validations)},
                           {"components", as_json(all.components)}});
        return exit_done;
    }
    if (!is_there) {
        print("no history: there is no " + file + " yet; whoever keeps the world makes it");
        if (!all.checkpoints.empty()) print_all("checkpoints", all.checkpoints, all.versions);
        return exit_done;
    }
    print_all("checkpoints", all.checkpoints, all.versions);
    print_all("recoveries", all.recoveries);
    print_all("validations", all.validations);
    print_all("components", all.components);
    return exit_done;
}

}  // namespace perdure::apps

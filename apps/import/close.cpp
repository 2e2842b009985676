// SPDX-License-Identifier: Apache-2.0
//
// `perdure import list` and `import close`: which files were played, and when their keys may go.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <ctime>
#include <vector>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <boost/json.hpp>
#include <perdure/apps/cli/configuration.hpp>
#include <perdure/apps/cli/console.hpp>
#include <perdure/apps/import/plan.hpp>
#include <perdure/core/import_log.hpp>

namespace perdure::apps {
namespace {

/// Lines whose keys are erased in one transaction.
constexpr std::uint64_t lines_a_step = 64;
constexpr std::size_t identity_digits_least = 8;

import_identity identity_of(const import_entry& entry) noexcept {
    import_identity made;
    std::memcpy(made.data(), &entry.key, sizeof entry.key);
    std::memcpy(made.data() + sizeof entry.key, &entry.key_rest, sizeof entry.key_rest);
    return made;
}

std::string_view state_of(const import_entry& entry) noexcept {
    switch (static_cast<import_state>(entry.state)) {
        case import_state::begun: return "begun";
        case import_state::done: return "done";
        case import_state::closed: return "closed";
    }
    return "?";
}

template <std::size_t Size>
std::string text_of(const std::array<char, Size>& text) {
    return {text.data(), ::strnlen(text.data(), Size)};
}

std::string moment_of(std::uint64_t ns) {
    return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                       fmt::gmtime(static_cast<std::time_t>(ns / 1'000'000'000)));
}

/// By when they were begun. None when nothing was ever imported.
std::vector<import_entry> read_entries(world& in, session& by) {
    std::vector<import_entry> made;
    const auto log = import_log::find(in.region());
    if (!log) return made;
    const std::uint32_t table = log->numbers().imports;
    const std::uint64_t end = shm::peek(in.region().descriptor(table).row_high);
    for (std::uint64_t row = 0; row < end; ++row) {
        const auto entry = by.read([&](view& v) { return v.get<import_entry>(table, row); });
        if (entry && entry->header.live == 1) made.push_back(*entry);
    }
    std::ranges::sort(made, {}, &import_entry::begun_ns);
    return made;
}

boost::json::object as_object(const import_entry& entry) {
    return {{"identity", print_identity(identity_of(entry))},
            {"state", state_of(entry)},
            {"begun", moment_of(entry.begun_ns)},
            {"file", text_of(entry.file)},
            {"columns", text_of(entry.columns)},
            {"asset", text_of(entry.asset)},
            {"lines", entry.lines},
            {"applied", entry.applied},
            {"refused", entry.refused},
            {"malformed", entry.malformed},
            {"left_out", entry.left_out}};
}

import_entry find_entry(world& in, session& by, const std::string& digits) {
    if (digits.size() < identity_digits_least) {
        throw failure(errc::bad_setting, "import " + digits + ": that is too short",
                      "give at least 8 digits of what `perdure import list` shows");
    }
    for (const import_entry& each : read_entries(in, by)) {
        if (print_identity(identity_of(each)).starts_with(digits)) return each;
    }
    throw failure(errc::not_found, "import " + digits + ": there is none",
                  "`perdure import list " + in.directory() + "` shows those there are");
}

void must(const result<receipt>& written, const std::string& what) {
    if (written) return;
    throw failure(
        written.error(), what + ": it could not be closed to the end",
        std::string(remedy(written.error())) + " Then give the same command again: it goes on");
}

}  // namespace

int list_imports(const world_choice& where) {
    world in = open_world(where);
    session by = in.join();
    const auto entries = read_entries(in, by);
    if (where.json) {
        boost::json::array all;
        for (const import_entry& each : entries) all.push_back(as_object(each));
        print(boost::json::object{{"imports", std::move(all)}});
        return exit_done;
    }
    for (const import_entry& each : entries) {
        print(fmt::format("{}  {:<6}  {}  {}: {} lines, {} applied, {} refused, {} malformed",
                          print_identity(identity_of(each)).substr(0, 16), state_of(each),
                          moment_of(each.begun_ns), text_of(each.file), grouped(each.lines),
                          grouped(each.applied), grouped(each.refused), grouped(each.malformed)));
    }
    if (entries.empty()) print("nothing was imported");
    return exit_done;
}

int close_import(const close_order& order) {
    world in = open_world(order.where);
    session by = in.join();
    const import_entry entry = find_entry(in, by, order.identity);
    const auto identity = identity_of(entry);
    const std::string name = "import " + print_identity(identity).substr(0, 16);
    const import_log log = import_log::find(in.region()).value();
    const ledger& books = in.books();
    // First of all: from here on nobody plays it again, however far the forgetting has come.
    must(by.write([&](tx& t) { return log.close(t, entry.key); }), name);
    for (std::uint64_t line = 2; line <= entry.last_line; line += lines_a_step) {
        const std::uint64_t end = std::min(entry.last_line + 1, line + lines_a_step);
        must(by.write([&](tx& t) -> result<> {
            for (std::uint64_t at = line; at < end; ++at) {
                PERDURE_TRY(log.forget(t, books, key_of_line(identity, at)));
            }
            return {};
        }),
             name);
    }
    const condition now = in.status();
    const auto safe = in.wait(by, {now.last_lsn, now.incarnation}, durability::durable);
    if (!safe) {
        throw failure(safe.error(), name + ": closed, and not durable",
                      std::string(remedy(safe.error())));
    }
    if (order.where.json) {
        print(boost::json::object{{"closed", print_identity(identity)}});
    } else {
        print("closed " + name + ": its keys are gone, and it is not played again");
    }
    return exit_done;
}

}  // namespace perdure::apps

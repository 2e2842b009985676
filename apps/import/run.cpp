// SPDX-License-Identifier: Apache-2.0
//
// `perdure import transfers` and `import accounts`: reads the file once to know it, enters it in
// the log of imports, supervises the workers, says what they did.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>
#include <perdure/apps/cli/configuration.hpp>
#include <perdure/apps/import/outcome.hpp>
#include <perdure/apps/import/supervision.hpp>

namespace perdure::apps {
namespace {

using clock = std::chrono::steady_clock;

amount budget_of(const line_rules& rules) {
    return rules.budget.empty() ? 0 : parse_amount(rules.budget, rules.scale).value();
}

/// What comes into the world comes through it, within the budget of the import that began last.
void open_faucet(world& in, session& by, const line_rules& rules) {
    const ledger& books = in.books();
    const account_id treasury = account_id::of(import_treasury);
    const auto name = import_faucet(rules.asset);
    const faucet_terms terms{faucet_kind::faucet, asset_id::of(rules.asset), treasury,
                             budget_of(rules)};
    const auto opened = by.write([&](tx& t) -> result<> {
        const auto made = books.open_faucet(t, treasury, name, terms);
        if (made || made.error() != errc::exists) return made ? result<>() : made.error();
        const auto there = PERDURE_TRY(books.faucet(t, faucet_id::of(name)));
        if (there.budget == terms.budget) return {};
        return books.set_budget(t, treasury, faucet_id::of(name), terms.budget);
    });
    if (!opened) {
        throw failure(opened.error(), "faucet " + name + ": cannot be opened",
                      std::string(remedy(opened.error())));
    }
}

/// The treasury, the asset and its faucet: made, or found as this import needs them.
void prepare(world& in, session& by, const line_rules& rules) {
    const ledger& books = in.books();
    const account_id treasury = account_id::of(import_treasury);
    const auto made = by.write([&](tx& t) -> result<> {
        const auto opened = books.open_account(t, import_treasury, account_kind::treasury);
        if (!opened && opened.error() != errc::exists) return opened.error();
        const auto asset =
            books.create_asset(t, rules.asset, static_cast<std::uint32_t>(rules.scale), treasury);
        if (!asset && asset.error() != errc::exists) return asset.error();
        return {};
    });
    if (!made) {
        throw failure(made.error(), "asset " + rules.asset + ": cannot be made",
                      std::string(remedy(made.error())));
    }
    const auto row =
        by.read([&](shm::view& v) { return books.asset(v, asset_id::of(rules.asset)); });
    if (!row) {
        throw failure(row.error(), "asset " + rules.asset, std::string(remedy(row.error())));
    }
    if (row->scale != static_cast<std::uint32_t>(rules.scale)) {
        throw failure(errc::exists,
                      "asset " + rules.asset + ": it has " + std::to_string(row->scale) +
                          " digits behind the point, not " + std::to_string(rules.scale),
                      "give --scale " + std::to_string(row->scale) + " or another --asset");
    }
    if (row->authority.high != treasury.high || row->authority.low != treasury.low) {
        throw failure(errc::not_authorised, "asset " + rules.asset + ": the import may not mint it",
                      "give another --asset");
    }
    open_faucet(in, by, rules);
}

template <std::size_t Size>
void copy_text(std::string_view text, std::array<char, Size>& into) noexcept {
    std::memcpy(into.data(), text.data(), std::min(text.size(), Size));
}

import_entry entry_of(const import_order& order, const import_identity& identity,
                      const file_survey& seen) {
    import_entry made{};
    std::memcpy(&made.key, identity.data(), sizeof made.key);
    std::memcpy(&made.key_rest, identity.data() + sizeof made.key, sizeof made.key_rest);
    made.state = static_cast<std::uint32_t>(import_state::begun);
    made.scale = static_cast<std::uint32_t>(order.rules.scale);
    made.begun_ns = static_cast<std::uint64_t>(
        std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count());
    made.last_line = seen.last_line;
    made.lines = seen.lines;
    made.malformed = seen.malformed;
    made.left_out = seen.left_out;
    copy_text(order.rules.asset, made.asset);
    copy_text(std::filesystem::path(order.file).filename().string(), made.file);
    copy_text(order.rules.columns, made.columns);
    return made;
}

void store(session& by, const import_log& log, const import_entry& entry) {
    const auto stored = by.write([&](tx& in) { return log.put(in, entry); });
    if (stored) return;
    throw failure(stored.error(), "the log of imports", std::string(remedy(stored.error())));
}

/// True when a run of the same import has begun before. Throws failure: import_closed.
bool begin(session& by, const import_log& log, import_entry& entry) {
    const auto there = by.read([&](shm::view& v) { return log.get(v, entry.key); });
    if (there) entry.begun_ns = there->begun_ns;
    store(by, log, entry);
    return there.has_value();
}

/// Who decides the lines; one worker where their order decides what comes of them.
std::uint32_t choose_workers(const import_order& order) {
    const line_rules& rules = order.rules;
    const bool stops = rules.on_bad_line == "stop";
    const bool compares = rules.columns.find("after_") != std::string::npos;
    if ((stops || compares) && order.workers > 1) {
        throw failure(errc::bad_setting,
                      std::string(stops ? "--on-bad-line stop" : "an after_ column") + " and " +
                          std::to_string(order.workers) + " workers: lines then have no order",
                      "give --workers 1");
    }
    if (order.workers != 0) return order.workers;
    const bool in_order = stops || compares || rules.accounts || rules.opening != "grant" ||
                          !rules.budget.empty() ||
                          rules.columns.find("opening_") != std::string::npos;
    return in_order ? 1 : 2;
}

void check_budget(const line_rules& rules) {
    if (rules.budget.empty()) return;
    const auto limit = parse_amount(rules.budget, rules.scale);
    if (limit && *limit > 0) return;
    throw failure(errc::bad_setting, "--budget " + rules.budget + ": that is no amount",
                  "write a decimal number above 0");
}

part_order part_of(const import_order& order, const file_survey& seen,
                   const import_identity& identity) {
    part_order told;
    told.where = order.where;
    told.of = choose_workers(order);
    told.file = order.file;
    told.rules = order.rules;
    told.identity = print_identity(identity);
    const bool grants =
        !order.rules.accounts && opening_choice::of(order.rules).rule == opening_rule::grant;
    if (grants) told.grant = choose_grant(seen, order.grant);
    told.end_line = seen.stopped ? seen.last_line : 0;
    told.rate = order.rate;
    return told;
}

void make_durable(world& in, session& by, const std::string& directory) {
    const condition now = in.status();
    const auto safe = in.wait(by, {now.last_lsn, now.incarnation}, durability::durable);
    if (safe) return;
    throw failure(safe.error(), "world " + directory + ": the import is not durable",
                  std::string(remedy(safe.error())));
}

}  // namespace

int import_file(const import_order& order) {
    const auto began = clock::now();
    check_budget(order.rules);
    const file_survey seen = survey(order.file, order.rules);
    const auto identity = identify(order.file, order.rules);
    part_order told = part_of(order, seen, identity);

    world in = open_world(order.where);
    session by = in.join();
    prepare(in, by, order.rules);
    const auto log = import_log::open(by);
    if (!log) {
        throw failure(log.error(), "the log of imports", std::string(remedy(log.error())));
    }
    import_entry entry = entry_of(order, identity, seen);
    told.resumed = begin(by, *log, entry);
    const shared_page page = shared_page::make(sizeof(import_page));
    const auto& rows = page.as<import_page>();
    auto workers = start_workers(told, page);
    supervise(order, seen.lines, workers, rows);

    const import_totals sum = import_totals::of(rows);
    PERDURE_ASSERT(seen.stopped || sum.malformed == seen.malformed);
    if (!seen.stopped) {
        entry.state = static_cast<std::uint32_t>(import_state::done);
        entry.applied = sum.applied + sum.already_applied;
        entry.refused = sum.refused;
        store(by, *log, entry);
    }
    // What the command says it has done is safe from here on.
    make_durable(in, by, order.where.directory);
    if (seen.stopped) {
        const auto& bad = seen.first_malformed.front();
        throw failure(errc::bad_line,
                      fmt::format("{}: line {} is malformed: {}", order.file, bad.line, bad.cause),
                      std::string(what_to_do_at_a_stop));
    }
    const import_outcome outcome{order, identity, seen, rows,
                                 std::chrono::duration<double>(clock::now() - began).count()};
    if (!order.refused_file.empty()) list_refused(outcome, *log, by);
    report(outcome);
    return exit_done;
}

}  // namespace perdure::apps

// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <perdure/io/chain.hpp>
#include <perdure/io/checkpoint_file.hpp>
#include <perdure/io/recovery.hpp>
#include <perdure/io/replay.hpp>
#include <perdure/io/spread.hpp>
#include <perdure/shm/crash_point.hpp>

namespace perdure::io {
namespace {

double milliseconds_since(const shm::region& where, std::uint64_t from) {
    return static_cast<double>(where.waits().now_ns() - from) / 1e6;
}

bool is_damage(errc reason) noexcept {
    return reason == errc::damaged || reason == errc::missing || reason == errc::foreign ||
           reason == errc::wrong_format;
}

/// What files prove to have been durable: sealed segments by their end, checkpoints by what they
/// show.
std::uint64_t proven_lsn(const manifest& promised, std::uint64_t lsn_max) {
    std::uint64_t least = 0;
    for (const auto& each : promised.checkpoints()) {
        if (each.last_lsn <= lsn_max) least = std::max(least, each.last_lsn);
    }
    for (const auto& each : promised.segments()) {
        if (each.sealed && each.last_lsn <= lsn_max) least = std::max(least, each.last_lsn);
    }
    return least;
}

/// Less than what is proven is a loss, and refused.
result<> check_end(const manifest& promised, const recovery_plan& plan, std::uint64_t last_lsn,
                   opening_report& report) {
    auto& found = report.found;
    // Slices are of no one moment without the journal behind their cut.
    const std::uint64_t shown = plan.newest == nullptr ? 0 : plan.newest->last_lsn;
    const std::uint64_t proven = std::max(shown, proven_lsn(promised, plan.lsn_max));
    const std::uint64_t least = plan.accepts_loss ? shown : proven;
    if (last_lsn >= least) {
        report.lost = last_lsn < proven ? proven - last_lsn : 0;
        return {};
    }
    found = finding{errc::damaged, journal_directory(promised.directory()), 0,
                    "it ends at LSN " + std::to_string(last_lsn) + ", and a checkpoint proves " +
                        std::to_string(least) + " to have been durable"};
    return errc::damaged;
}

void list_components(const shm::region& where, const shm::loader& loading, opening_report& report) {
    report.components = {{"checkpoints", report.rows, report.load_ms},
                         {"journal", report.transactions, report.replay_ms}};
    for (const auto& table : loading.tables()) {
        const auto& row =
            *where.at<shm::schema_row>(shm::locate(where, shm::schemas_table, table.number));
        const auto shape = shm::from_row(row);
        const std::string name = shape ? shape->name : std::to_string(table.number);
        report.components.push_back(
            {"table " + name, table.rows, static_cast<double>(table.ns) / 1e6});
    }
}

}  // namespace

std::vector<recovery_plan> plans_for(const manifest& promised, std::uint64_t lsn_max) {
    std::vector<recovery_plan> plans;
    const auto& all = promised.checkpoints();
    for (auto each = all.rbegin(); each != all.rend(); ++each) {
        if (each->last_lsn <= lsn_max) plans.push_back({&*each, lsn_max});
    }
    const auto& segments = promised.segments();
    const bool is_whole = segments.empty() ? all.empty() : segments.front().first_lsn == 1;
    if (is_whole) plans.push_back({nullptr, lsn_max});
    return plans;
}

result<> recover(file_system& files, const manifest& promised, const recovery_plan& plan,
                 shm::region& into, opening_report& report) {
    auto& found = report.found;
    const std::uint64_t begun = into.waits().now_ns();
    shm::loader loading(into);
    if (plan.newest != nullptr) {
        report.rows =
            PERDURE_TRY(load_chain(files, promised, *plan.newest, {into, loading}, found));
    }
    report.load_ms = milliseconds_since(into, begun);
    const std::uint64_t loaded = into.waits().now_ns();
    if (loading.last_lsn() < plan.lsn_max) {  // Or the checkpoint alone is what is wanted.
        auto end = replay(files, promised, plan.lsn_max, loading, found);
        const bool is_end = plan.accepts_loss && loading.is_whole() && found;
        if (!end && !(is_end && is_damage(end.error()))) return end.error();
        report.torn_tail = end ? *end : "damage: " + found->file + ": " + found->cause;
    }
    PERDURE_TRY(check_end(promised, plan, loading.last_lsn(), report));
    report.transactions = loading.transactions();
    report.replay_ms = milliseconds_since(into, loaded);
    const std::uint64_t replayed = into.waits().now_ns();
    PERDURE_CRASH_POINT("rebuild.finish");
    PERDURE_TRY(loading.finish(spread));
    report.index_ms = milliseconds_since(into, replayed);
    list_components(into, loading, report);
    report.checkpoint_lsn = plan.newest == nullptr ? 0 : plan.newest->lsn;
    report.last_lsn = loading.last_lsn();
    report.milliseconds = milliseconds_since(into, begun);
    return {};
}

namespace {

result<> try_plan(file_system& files, const manifest& promised, const recovery_plan& plan,
                  shm::region& into, std::pair<const recovery_order&, opening_report&> how) {
    auto& [order, report] = how;
    const std::string what = plan.newest == nullptr
                                 ? "journal from LSN 1"
                                 : "checkpoint of LSN " + std::to_string(plan.newest->lsn);
    auto& found = report.found;
    found.reset();
    auto done = recover(files, promised, plan, into, report);
    const std::uint64_t recovered = into.waits().now_ns();
    for (const auto& ask : order.validators) {
        if (!done) break;
        if (const auto problem = ask(into); !problem.empty()) {
            found = finding{errc::damaged, what, 0, problem};
            done = errc::damaged;
        }
    }
    report.components.push_back(
        {"validators", order.validators.size(), milliseconds_since(into, recovered)});
    const auto why = [&] {
        return found
                   ? found->file + " at byte " + std::to_string(found->offset) + ": " + found->cause
                   : std::string(name(done.error()));
    };
    report.tried.push_back({what, done ? "accepted" : why()});
    return done;
}

}  // namespace

result<recovered_region> recover_best(file_system& files, const manifest& promised,
                                      const recovery_order& order, opening_report& report) {
    recovered_region out;
    std::optional<finding> first;
    result<> answer = errc::missing;
    auto plans = plans_for(promised, order.lsn_max);
    if (order.oldest_first) std::reverse(plans.begin(), plans.end());
    for (auto& plan : plans) {
        plan.accepts_loss = order.accepts_loss;
        const auto attempt = [&](bool more) {
            out.region.reset();  // Before the next: the file's name is the same.
            out.region = order.fresh(more);
            return try_plan(files, promised, plan, *out.region, {order, report});
        };
        auto done = attempt(false);
        if (!done && done.error() == errc::region_full) done = attempt(true);
        if (done) return out;
        if (plan.newest != nullptr && is_damage(done.error())) {
            out.rejected.push_back(*plan.newest);
        }
        if (!first) first = report.found, answer = done.error();
        if (done.error() == errc::no_memory) break;
    }
    report.found = first;
    return answer.error();
}

}  // namespace perdure::io

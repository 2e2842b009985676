// SPDX-License-Identifier: Apache-2.0
#include <perdure/io/catalog_facts.hpp>

#include <algorithm>
#include <utility>

#include <perdure/io/digest.hpp>

namespace perdure::io {
namespace {

using standing = checkpoint_fact::standing;

constexpr std::uint64_t points_a_problem = 25;
constexpr std::size_t problems_told_max = 3;

}  // namespace

checkpoint_fact fact_of(const checkpoint_entry& entry) {
    checkpoint_fact out;
    out.id = to_string(entry.id);
    out.lsn = entry.lsn;
    if (!entry.is_full()) {
        out.parent = to_string(entry.parent);
        out.kind = checkpoint_fact::extent::incremental;
    }
    out.created_ns = entry.cut_ns;
    out.stored_bytes = entry.file_bytes;
    out.note = "from the MANIFEST, which knows no more";
    return out;
}

checkpoint_fact fact_of(const checkpoint_news& news) {
    checkpoint_fact out;
    if (news.is_valid) {
        const auto& made = news.report;
        out = fact_of(made.entry);
        out.rows = made.rows;
        out.raw_bytes = made.row_bytes;
        out.capture_us = made.capture_ns / 1'000;
        out.cut_us = made.gate_ns / 1'000;
        out.write_ms = made.write_ns / 1'000'000;
        out.note = made.sliced ? "slice by slice" : "";
    } else {
        out.created_ns = wall_clock_ns();
        out.id = "failed-" + to_string(random_uuid());
        out.state = news.refused == errc::damaged ? standing::rejected : standing::failed;
        out.note = news.cause.empty() ? std::string(name(news.refused)) : news.cause;
    }
    out.trigger = news.trigger;
    return out;
}

std::vector<checkpoint_fact> facts_of(std::span<const checkpoint_entry> entries,
                                      checkpoint_fact::standing state) {
    std::vector<checkpoint_fact> out;
    for (const auto& each : entries) out.push_back(fact_of(each)), out.back().state = state;
    return out;
}

std::optional<validation_fact> verification_of(const checkpoint_news& news) {
    if (!news.is_valid && news.refused != errc::damaged) return std::nullopt;
    validation_fact out;
    out.at_ns = wall_clock_ns();
    out.kind = "checkpoint";
    out.lsn = news.report.entry.lsn;
    if (!news.is_valid) out.score = 0, out.problems = 1, out.note = news.cause;
    return out;
}

validation_fact fact_of(std::string_view kind, std::uint64_t lsn,
                        std::span<const std::string> problems) {
    validation_fact out;
    out.at_ns = wall_clock_ns();
    out.kind = kind;
    out.lsn = lsn;
    out.problems = problems.size();
    out.score = validation_score(out.problems);
    for (std::size_t i = 0; i < std::min(problems.size(), problems_told_max); ++i) {
        out.note += (i == 0 ? "" : "; ") + problems[i];
    }
    return out;
}

recovery_fact fact_of(const opening_report& report, std::uint64_t incarnation) {
    const auto whole = [](double ms) { return static_cast<std::uint64_t>(ms + 0.5); };
    recovery_fact out;
    const std::uint64_t now_ns = wall_clock_ns();
    out.milliseconds = whole(report.milliseconds);
    out.at_ns = now_ns - std::min(now_ns, out.milliseconds * 1'000'000);
    out.incarnation = incarnation;
    out.reason = report.reason;
    out.source = "journal";
    out.last_lsn = report.last_lsn;
    for (const auto& each : report.tried) out.tried.push_back({each.what, each.verdict});
    // Those that were lost were in the region, which is gone.
    std::string result = std::to_string(report.rows) + " rows loaded, " +
                         std::to_string(report.transactions) +
                         " transactions replayed; how many were applied, not yet durable and "
                         "are lost is unknown";
    if (!report.torn_tail.empty()) {
        result += "; the journal ended in an unfinished write: " + report.torn_tail;
    }
    out.tried.push_back({"result", std::move(result)});
    out.phases = {{"load", whole(report.load_ms)},
                  {"replay", whole(report.replay_ms)},
                  {"index", whole(report.index_ms)}};
    return out;
}

int validation_score(std::uint64_t problems) noexcept {
    return static_cast<int>(100 - std::min<std::uint64_t>(100, problems * points_a_problem));
}

}  // namespace perdure::io

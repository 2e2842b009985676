// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <perdure/io/checkpoint_policy.hpp>
#include <perdure/io/config.hpp>
#include <perdure/shm/crash_point.hpp>

namespace perdure::io {
namespace {

/// A full checkpoint with the incremental ones that hang on it: indexes into checkpoints().
struct generation {
    std::vector<std::size_t> members;  // The full one first.
    std::uint64_t bytes = 0;
};

std::vector<generation> generations_of(const manifest& promised) {
    std::vector<generation> out;
    const auto& all = promised.checkpoints();
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (all[i].is_full() || out.empty()) out.emplace_back();
        out.back().members.push_back(i);
        out.back().bytes += all[i].file_bytes;
    }
    return out;
}

/// True when the newest chain is to end.
bool is_long(const manifest& promised) noexcept {
    std::size_t length = 0;
    std::uint64_t increments = 0;
    const auto& all = promised.checkpoints();
    for (auto each = all.rbegin(); each != all.rend(); ++each) {
        ++length;
        if (each->is_full()) {
            return length >= chain_length_max ||
                   increments >= std::max(each->file_bytes, chain_bytes_free);
        }
        increments += each->file_bytes;
    }
    return true;  // Its full one is gone: nobody lets that happen, and a new one helps.
}

std::uint64_t newest_full_ns(const manifest& promised) noexcept {
    const auto& all = promised.checkpoints();
    for (auto each = all.rbegin(); each != all.rend(); ++each) {
        if (each->is_full()) return each->cut_ns;
    }
    return 0;
}

/// How long ago; a clock that was set back makes nothing older, nor younger.
std::uint64_t age(std::uint64_t now_ns, std::uint64_t then_ns) noexcept {
    return now_ns > then_ns ? now_ns - then_ns : 0;
}

std::string_view trigger_of(const checkpoint_policy& policy, const checkpoint_entry* newest,
                            const checkpoint_situation& now) noexcept {
    if (now.asked) return "request";
    const std::uint64_t since = newest == nullptr ? now.begun_ns : newest->cut_ns;
    if (policy.every_ns != 0 && age(now.now_ns, since) >= policy.every_ns) return "interval";
    if (policy.journal_bytes != 0 && now.journal_bytes >= policy.journal_bytes) return "journal";
    const std::uint64_t records = now.last_lsn - (newest == nullptr ? 0 : newest->lsn);
    if (policy.recovery_ns != 0 && records * replay_ns_a_record >= policy.recovery_ns) {
        return "recovery time";
    }
    return "";
}

}  // namespace

checkpoint_policy policy_from(const config& from) {
    constexpr std::uint64_t second = 1'000'000'000;
    checkpoint_policy out;
    const std::string& strategy = from.text("checkpoint.strategy");
    out.strategy = strategy == "snapshot_only"   ? keep_strategy::snapshot_only
                   : strategy == "event_sourced" ? keep_strategy::event_sourced
                   : strategy == "versioned"     ? keep_strategy::versioned
                                                 : keep_strategy::hybrid;
    out.every_ns = from.number("checkpoint.every") * second;
    out.full_every_ns = from.number("checkpoint.full_every") * second;
    out.journal_bytes = from.number("checkpoint.journal");
    out.recovery_ns = from.number("checkpoint.recovery") * second;
    out.at_shutdown = from.text("checkpoint.at_shutdown") == "yes";
    out.copy_bytes_max = from.number("checkpoint.copy");
    out.threads = static_cast<unsigned>(from.number("checkpoint.threads"));
    out.scrub_bytes = from.number("checkpoint.scrub");
    out.keep_count = from.number("retention.checkpoints");
    out.keep_ns = from.number("retention.age") * second;
    out.keep_bytes = from.number("retention.bytes");
    out.free_bytes = from.number("retention.free");
    out.pack_bytes = from.number("journal.pack");
    return out;
}

checkpoint_decision decide(const checkpoint_policy& policy, const manifest& promised,
                           const checkpoint_situation& now) noexcept {
    const auto& all = promised.checkpoints();
    const auto* newest = all.empty() ? nullptr : &all.back();
    // Nothing changed, nothing written.
    if (now.last_lsn == 0 || (newest != nullptr && newest->lsn >= now.last_lsn)) return {};
    const auto trigger = trigger_of(policy, newest, now);
    if (trigger.empty()) return {};
    const bool is_full = newest == nullptr || now.asked_full || is_long(promised) ||
                         age(now.now_ns, newest_full_ns(promised)) >= policy.full_every_ns ||
                         now.dirty_pages * 2 >= now.pages;  // As dear, and a chain less.
    return {is_full ? checkpoint_due::full : checkpoint_due::incremental, trigger};
}

std::uint64_t next_due_ns(const checkpoint_policy& policy, const manifest& promised) noexcept {
    if (policy.every_ns == 0 || promised.checkpoints().empty()) return 0;
    return promised.checkpoints().back().cut_ns + policy.every_ns;
}

removals what_may_go(const checkpoint_policy& policy, const manifest& promised,
                     std::uint64_t now_ns, std::uint64_t cursor_lsn) {
    removals out;
    const auto generations = generations_of(promised);
    if (generations.size() <= generations_min) return out;
    const auto& all = promised.checkpoints();
    const bool by_age =
        policy.strategy != keep_strategy::versioned || shm::planted(shm::bug::saves_forgotten);
    const bool keeps_increments =
        policy.strategy != keep_strategy::hybrid && !shm::planted(shm::bug::moments_forgotten);
    const std::size_t kept_count =
        policy.strategy == keep_strategy::event_sourced ? generations_min : policy.keep_count;
    std::uint64_t bytes = 0;
    std::size_t kept = 0;
    std::uint64_t oldest_lsn = ~0ULL;
    std::uint64_t oldest_of_two = ~0ULL;
    // Slices are of one moment only with the journal behind their cut.
    std::uint64_t oldest_sliced = ~0ULL;
    for (auto each = generations.rbegin(); each != generations.rend(); ++each) {
        const auto& full = all[each->members.front()];
        const bool is_safe = kept < generations_min;
        bytes += each->bytes;
        const bool is_old =
            by_age && (kept >= kept_count || age(now_ns, full.cut_ns) > policy.keep_ns);
        const bool is_too_much = policy.keep_bytes != 0 && bytes > policy.keep_bytes;
        const bool goes = !is_safe && (is_old || is_too_much);
        for (auto member = each->members.rbegin(); member != each->members.rend(); ++member) {
            const auto& entry = all[*member];
            // Between older full ones the journal leads to every LSN: increments only hasten it.
            const bool is_spare = !is_safe && !entry.is_full() && !keeps_increments;
            if (goes || is_spare) {
                out.checkpoints.push_back(entry);
            } else if (entry.last_lsn > entry.lsn) {
                oldest_sliced = std::min(oldest_sliced, entry.lsn);
            }
        }
        if (goes) continue;
        ++kept;
        oldest_lsn = std::min(oldest_lsn, full.lsn);
        if (is_safe) oldest_of_two = oldest_lsn;
    }
    const bool keeps_journal = policy.strategy == keep_strategy::event_sourced &&
                               !shm::planted(shm::bug::events_forgotten);
    if (keeps_journal) return out;
    const std::uint64_t from = policy.strategy == keep_strategy::snapshot_only
                                   ? std::min(oldest_of_two, oldest_sliced)
                                   : oldest_lsn;
    for (const auto& segment : promised.segments()) {
        if (!segment.sealed || segment.last_lsn > std::min(from, cursor_lsn)) break;
        out.segments.push_back(segment);
    }
    return out;
}

}  // namespace perdure::io

// SPDX-License-Identifier: Apache-2.0
#include <perdure/shm/crash_point.hpp>

#if defined(PERDURE_RIG)

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <perdure/shm/error.hpp>

namespace perdure::shm {
namespace {

constexpr std::array all_bugs{
    bug::none,
    bug::undo_count_first,
    bug::publish_before_copy,
    bug::life_consistent_first,
    bug::stripe_before_intent,
    bug::tail_before_claim,
    bug::reads_validated_first,
    bug::no_bump_on_abort,
    bug::padding_before_undo,
    bug::retry_after_failed_sync,
    bug::ack_at_write,
    bug::claim_dropped_before_undo,
    bug::release_before_publish,
    bug::drain_passes_claimed,
    bug::store_before_undo,
    bug::gate_ignored,
    bug::owner_unchecked,
    bug::key_left_behind,
    bug::leaf_not_noted,
    bug::chunks_leaked,
    bug::generation_kept,
    bug::cursor_apart,
    bug::ring_unchecked,
    bug::extent_unsettled,
    bug::page_not_marked,
    bug::tag_before_copy,
    bug::tag_after_store,
    bug::cursor_early,
    bug::original_gone_first,
    bug::packed_unsynced,
    bug::packed_unchecked,
    bug::shadow_ignored,
    bug::dirty_forgotten,
    bug::one_bitmap,
    bug::footer_before_sections,
    bug::checkpoint_unnamed,
    bug::stale_accepted,
    bug::link_ignored,
    bug::slice_replayed,
    bug::saves_forgotten,
    bug::events_forgotten,
    bug::moments_forgotten,
    bug::fields_by_place,
    bug::snapshot_unreplayed,
    bug::snapshot_begins_late,
    bug::snapshot_ends_early,
    bug::snapshot_replays_twice,
    bug::position_ignored,
    bug::position_apart,
    bug::generation_ignored,
    bug::grant_ignored,
    bug::allowance_ignored,
    bug::yield_repeated,
    bug::yield_early,
    bug::yield_rounded_apart,
};

constinit crash_tally own_tally{};
constinit std::atomic<crash_tally*> tally{&own_tally};
constinit std::atomic<bug> the_bug{bug::none};
constinit std::atomic<crash_hook> watcher{nullptr};

// An armed plan. `left` is written last and taken first, so that a hit sees a whole plan or none.
constinit std::atomic<std::uint64_t> armed_hash{0};  // 0: any point counts.
constinit std::atomic<std::uint64_t> armed_hit{0};
constinit std::atomic<crash_hook> armed_hook{nullptr};
constinit std::atomic<std::uint64_t> left{0};  // 0: nothing is armed.

std::uint64_t load(const std::uint64_t& word) noexcept {
    return std::atomic_ref(const_cast<std::uint64_t&>(word)).load(std::memory_order_acquire);
}

[[noreturn]] void refuse(const char* variable, const char* value, const char* why) noexcept {
    static_cast<void>(std::fprintf(stderr, "perdure: %s=%s: %s\n", variable, value, why));
    _exit(2);
}

/// Backwards, so that the first character says the rest is there. Written by everybody who finds it
/// missing: the first finder may have died here.
void write_text(crash_tally::entry& entry, std::string_view text) noexcept {
    if (std::atomic_ref(entry.text[0]).load(std::memory_order_acquire) != '\0') return;
    for (std::size_t i = text.size(); i-- > 0;) {
        std::atomic_ref(entry.text[i]).store(text[i], std::memory_order_release);
    }
}

crash_tally::entry& entry_of(crash_tally& counts, const crash_name& point) noexcept {
    for (std::size_t i = 0; i < crash_tally::names_max; ++i) {
        auto& entry = counts.entries[(point.hash() + i) % crash_tally::names_max];
        std::uint64_t found = 0;
        std::atomic_ref hash(entry.hash);
        if (hash.compare_exchange_strong(found, point.hash(), std::memory_order_acq_rel) ||
            found == point.hash()) {
            write_text(entry, point.text());
            return entry;
        }
    }
    invariant_broken("a tally has room for every crash point", __FILE__, __LINE__);
}

/// True for exactly one hit of an armed plan (C2).
bool is_the_armed_hit(std::uint64_t hash) noexcept {
    std::uint64_t before = left.load(std::memory_order_acquire);
    do {
        if (before == 0) return false;
        const std::uint64_t wanted = armed_hash.load(std::memory_order_relaxed);
        if (wanted != 0 && wanted != hash) return false;
    } while (!left.compare_exchange_weak(before, before - 1, std::memory_order_acq_rel));
    return before == 1;
}

[[noreturn]] void die() noexcept {
    static_cast<void>(::kill(::getpid(), SIGKILL));
    for (;;) ::pause();
}

/// "<point>:<k>" or "#<k>".
void arm_from(const char* value) noexcept {
    const std::string_view text = value;
    const bool any = text.starts_with('#');
    const std::size_t split = any ? 0 : text.rfind(':');
    if (split == std::string_view::npos || split > crash_name::text_max || (!any && split == 0)) {
        refuse("PERDURE_CRASH_AT", value, "expected <point>:<k> or #<k>");
    }
    std::uint64_t hit = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + split + 1, end, hit);
    if (error != std::errc{} || stop != end || hit == 0) {
        refuse("PERDURE_CRASH_AT", value, "the number of the hit is 1 or more");
    }
    arm({.point = text.substr(0, split), .hit = hit});
}

void count_into_file(const char* path) noexcept {
    const int file = ::open(path, O_RDWR | O_CLOEXEC);
    if (file < 0) refuse("PERDURE_CRASH_TALLY", path, std::strerror(errno));
    struct stat facts {};
    if (::fstat(file, &facts) != 0 || facts.st_size != sizeof(crash_tally)) {
        refuse("PERDURE_CRASH_TALLY", path, "not a file of sizeof(crash_tally) bytes");
    }
    void* const map =
        ::mmap(nullptr, sizeof(crash_tally), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (map == MAP_FAILED) refuse("PERDURE_CRASH_TALLY", path, std::strerror(errno));
    static_cast<void>(::close(file));
    count_into(static_cast<crash_tally*>(map));
}

/// C3: runs before main, so that no early point escapes what the environment asks for.
[[gnu::constructor]] void read_environment() noexcept {
    if (const char* file = std::getenv("PERDURE_CRASH_TALLY")) count_into_file(file);
    if (const char* where = std::getenv("PERDURE_CRASH_AT")) arm_from(where);
    if (const char* spelling = std::getenv("PERDURE_PLANT")) {
        const auto which = bug_named(spelling);
        if (!which)
            refuse("PERDURE_PLANT", spelling, "no such bug; shm/crash_point.hpp lists them");
        plant(*which);
    }
}

}  // namespace

std::string_view name(bug which) noexcept {
    switch (which) {
        case bug::none: return "none";
        case bug::undo_count_first: return "undo_count_first";
        case bug::publish_before_copy: return "publish_before_copy";
        case bug::life_consistent_first: return "life_consistent_first";
        case bug::stripe_before_intent: return "stripe_before_intent";
        case bug::tail_before_claim: return "tail_before_claim";
        case bug::reads_validated_first: return "reads_validated_first";
        case bug::no_bump_on_abort: return "no_bump_on_abort";
        case bug::padding_before_undo: return "padding_before_undo";
        case bug::retry_after_failed_sync: return "retry_after_failed_sync";
        case bug::ack_at_write: return "ack_at_write";
        case bug::claim_dropped_before_undo: return "claim_dropped_before_undo";
        case bug::release_before_publish: return "release_before_publish";
        case bug::drain_passes_claimed: return "drain_passes_claimed";
        case bug::store_before_undo: return "store_before_undo";
        case bug::gate_ignored: return "gate_ignored";
        case bug::owner_unchecked: return "owner_unchecked";
        case bug::key_left_behind: return "key_left_behind";
        case bug::leaf_not_noted: return "leaf_not_noted";
        case bug::chunks_leaked: return "chunks_leaked";
        case bug::generation_kept: return "generation_kept";
        case bug::cursor_apart: return "cursor_apart";
        case bug::ring_unchecked: return "ring_unchecked";
        case bug::extent_unsettled: return "extent_unsettled";
        case bug::page_not_marked: return "page_not_marked";
        case bug::tag_before_copy: return "tag_before_copy";
        case bug::tag_after_store: return "tag_after_store";
        case bug::cursor_early: return "cursor_early";
        case bug::original_gone_first: return "original_gone_first";
        case bug::packed_unsynced: return "packed_unsynced";
        case bug::packed_unchecked: return "packed_unchecked";
        case bug::shadow_ignored: return "shadow_ignored";
        case bug::dirty_forgotten: return "dirty_forgotten";
        case bug::one_bitmap: return "one_bitmap";
        case bug::footer_before_sections: return "footer_before_sections";
        case bug::checkpoint_unnamed: return "checkpoint_unnamed";
        case bug::stale_accepted: return "stale_accepted";
        case bug::link_ignored: return "link_ignored";
        case bug::slice_replayed: return "slice_replayed";
        case bug::saves_forgotten: return "saves_forgotten";
        case bug::events_forgotten: return "events_forgotten";
        case bug::moments_forgotten: return "moments_forgotten";
        case bug::fields_by_place: return "fields_by_place";
        case bug::snapshot_unreplayed: return "snapshot_unreplayed";
        case bug::snapshot_begins_late: return "snapshot_begins_late";
        case bug::snapshot_ends_early: return "snapshot_ends_early";
        case bug::snapshot_replays_twice: return "snapshot_replays_twice";
        case bug::position_ignored: return "position_ignored";
        case bug::position_apart: return "position_apart";
        case bug::generation_ignored: return "generation_ignored";
        case bug::grant_ignored: return "grant_ignored";
        case bug::allowance_ignored: return "allowance_ignored";
        case bug::yield_repeated: return "yield_repeated";
        case bug::yield_early: return "yield_early";
        case bug::yield_rounded_apart: return "yield_rounded_apart";
    }
    return "unknown";
}

std::optional<bug> bug_named(std::string_view spelling) noexcept {
    for (const bug which : all_bugs) {
        if (name(which) == spelling) return which;
    }
    return std::nullopt;
}

bool planted(bug which) noexcept {
    return which != bug::none && the_bug.load(std::memory_order_relaxed) == which;
}

void plant(bug which) noexcept { the_bug.store(which, std::memory_order_relaxed); }

std::uint64_t crash_tally::hits_of(std::string_view point) const noexcept {
    const std::uint64_t hash = crash_name::hash_of(point);
    const auto found =
        std::ranges::find_if(entries, [&](const entry& e) { return load(e.hash) == hash; });
    return found == std::end(entries) ? 0 : load(found->hits);
}

void count_into(crash_tally* counts) noexcept {
    tally.store(counts != nullptr ? counts : &own_tally, std::memory_order_release);
}

const crash_tally& current_tally() noexcept { return *tally.load(std::memory_order_acquire); }

void arm(const crash_plan& plan) noexcept {
    PERDURE_ASSERT(plan.point.size() <= crash_name::text_max && plan.hit > 0);
    disarm();
    armed_hash.store(plan.point.empty() ? 0 : crash_name::hash_of(plan.point),
                     std::memory_order_relaxed);
    armed_hit.store(plan.hit, std::memory_order_relaxed);
    armed_hook.store(plan.hook, std::memory_order_relaxed);
    left.store(plan.hit, std::memory_order_release);
}

void disarm() noexcept { left.store(0, std::memory_order_release); }

void watch(crash_hook hook) noexcept { watcher.store(hook, std::memory_order_release); }

void crash_point_hit(crash_name point) {
    auto& counts = *tally.load(std::memory_order_acquire);
    auto& entry = entry_of(counts, point);
    // Counted before the act: a death is among the hits of its point.
    const std::uint64_t all =
        std::atomic_ref(counts.hits).fetch_add(1, std::memory_order_relaxed) + 1;
    std::atomic_ref(entry.hits).fetch_add(1, std::memory_order_relaxed);

    if (const crash_hook look = watcher.load(std::memory_order_acquire)) look(point.text(), all);
    if (!is_the_armed_hit(point.hash())) return;
    const crash_hook act = armed_hook.load(std::memory_order_relaxed);
    if (act == nullptr) die();
    act(point.text(), armed_hit.load(std::memory_order_relaxed));
}

}  // namespace perdure::shm

#endif

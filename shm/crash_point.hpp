// SPDX-License-Identifier: Apache-2.0
//
// Places where a test may end the process, and faults a test may plant: how the crash rigs reach
// between two stores.
//
// Promise     A normal build contains nothing of this: a crash point is an empty statement, and
//             planted() is constant false. Only the rigged libraries (PERDURE_RIG=1) carry it.
// Death       An armed point ends its own process with SIGKILL, like any other death. The tally may
//             lie in shared memory, so that it outlives those it counted.
// Threads     Everything here may be called from any thread and from signal handlers: atomics only,
//             no allocation, no lock. Arming while other threads hit points is allowed.
// Invariants  C1 a name stands once in a tally.  C2 an armed action is taken once.
//             C3 what an environment variable asks for and nobody knows ends the process at start.
#pragma once

#include <cstdint>

#if defined(PERDURE_COMPILED_FOR_BOTH)
#error "this source had no crash points when the build was configured: run cmake again"
#endif
#if defined(PERDURE_RIG)
#include <atomic>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#endif

namespace perdure::shm {

/// Rules of the engine that a rig may break on purpose. Each must be caught by a named rig.
enum class bug : std::uint16_t {
    none,
    undo_count_first,           ///< The undo's count is raised before its payload is written.
    publish_before_copy,        ///< COMMITTED is stored before the record is whole.
    life_consistent_first,      ///< The life lock is made consistent before the repair has ended.
    stripe_before_intent,       ///< A stripe is taken before its number stands in the slot.
    tail_before_claim,          ///< The ring's tail moves before the slot knows its claim.
    reads_validated_first,      ///< Reads are validated before the claim gives the LSN.
    no_bump_on_abort,           ///< A roll back releases its stripes without a new version.
    padding_before_undo,        ///< Repair resolves the claim first, and loses its own verdict.
    retry_after_failed_sync,    ///< A failed sync is tried again and believed.
    ack_at_write,               ///< Durability is acknowledged at the write, before the sync.
    claim_dropped_before_undo,  ///< The slot forgets its claim before the undo is void.
    release_before_publish,     ///< Stripes are released before the record is committed.
    drain_passes_claimed,       ///< The drain moves the head past a claimed record.
    store_before_undo,          ///< A row is stored before its image is in the undo.
    gate_ignored,               ///< A transaction does not look at the gate.
    owner_unchecked,            ///< Release does not look whose stripe it is.
    key_left_behind,            ///< settle() forgets the old key of a row that moves in an index.
    leaf_not_noted,             ///< A scan does not note the leaves it has read.
    chunks_leaked,              ///< A shorter value keeps the chunks it does not need.
    generation_kept,            ///< A freed row keeps its generation.
    cursor_apart,               ///< A projection's cursor moves in a transaction of its own.
    ring_unchecked,             ///< What was copied out of the ring is not checked afterwards.
    extent_unsettled,           ///< An extent is remembered though it may yet be taken back.
    page_not_marked,            ///< A store leaves its page's dirty bit as it is.
    tag_before_copy,            ///< A capture word is stored before the shadow page is whole.
    tag_after_store,            ///< A page is shadowed after the first store to it.
    cursor_early,               ///< The cursor passes a page before it is copied.
    original_gone_first,        ///< A segment's own file goes before the packed one has its name.
    packed_unsynced,            ///< A packed segment gets its name before its bytes are durable.
    packed_unchecked,           ///< A packed segment is not read again before it counts.
    shadow_ignored,             ///< The keeper takes the page and not its shadow.
    dirty_forgotten,            ///< A failed capture clears its bitmap and marks nothing again.
    one_bitmap,                 ///< A finished capture forgets what was stored to meanwhile, too.
    footer_before_sections,     ///< A checkpoint's end is durable before what it promises.
    checkpoint_unnamed,         ///< A checkpoint counts before its name is durable.
    stale_accepted,             ///< A checkpoint is not compared with the MANIFEST.
    link_ignored,               ///< A checkpoint's parent is not compared with what it names.
    slice_replayed,             ///< Replay changes rows again that a slice shows later.
    saves_forgotten,            ///< `versioned` lets checkpoints go as the others do.
    events_forgotten,           ///< `event_sourced` lets segments of the journal go.
    moments_forgotten,          ///< `snapshot_only` lets increments go.
    fields_by_place,            ///< Stored fields go to their old places and not to their names.
    snapshot_unreplayed,        ///< A snapshot is what was copied, each row at its own moment.
    snapshot_begins_late,       ///< A snapshot's replay begins behind what was copied first.
    snapshot_ends_early,        ///< A snapshot's replay ends before what was copied last.
    snapshot_replays_twice,     ///< Rows that show a record are changed by it again.
    position_ignored,           ///< A plugin's commit is made again when its window is.
    position_apart,             ///< A plugin's position moves in a transaction of its own.
    generation_ignored,         ///< A plugin's older instance may still commit.
    grant_ignored,              ///< A plugin may do what it was not granted.
    allowance_ignored,          ///< What a plugin has minted in a window is not counted.
    yield_repeated,             ///< A payout does not look at what was paid before.
    yield_early,                ///< A payout does not wait for the end of its periods.
    yield_rounded_apart,        ///< Each payout is rounded for itself.
};

#if defined(PERDURE_RIG)

/// The spelling that PERDURE_PLANT takes: the enumerator's own.
std::string_view name(bug which) noexcept;
std::optional<bug> bug_named(std::string_view spelling) noexcept;

/// True while `which` is the planted bug of this process.
bool planted(bug which) noexcept;

/// Plants a bug, or none; the environment's PERDURE_PLANT=<name> does it at start.
void plant(bug which) noexcept;

/// The text of a crash point with its hash, made while compiling.
class crash_name {
  public:
    static constexpr std::size_t text_max = 47;

    template <std::size_t Size>
    consteval crash_name(const char (&text)[Size])  // NOLINT(google-explicit-constructor): literals
        : text_(text, Size - 1), hash_(hash_of({text, Size - 1})) {
        static_assert(Size > 1 && Size - 1 <= text_max, "a crash point has 1 to 47 characters");
    }

    [[nodiscard]] std::string_view text() const noexcept { return text_; }
    [[nodiscard]] std::uint64_t hash() const noexcept { return hash_; }

    /// FNV-1a, never 0: 0 marks a free entry of a tally.
    static constexpr std::uint64_t hash_of(std::string_view text) noexcept {
        std::uint64_t hash = 0xcbf29ce484222325ULL;
        for (const char c : text) {
            hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
        }
        return hash | 1U;
    }

  private:
    std::string_view text_;
    std::uint64_t hash_;
};

/// How often each point was hit. Zeroed memory is an empty tally, so a parent may map one shared
/// and hand it to the children it forks.
struct crash_tally {
    static constexpr std::size_t names_max = 256;
    struct entry {
        std::uint64_t hash;  ///< 0 while the entry is free.
        std::uint64_t hits;
        char text[crash_name::text_max + 1];
    };
    std::uint64_t hits;
    entry entries[names_max];

    [[nodiscard]] std::uint64_t hits_of(std::string_view point) const noexcept;

    /// Entries in use are those with a hash; a reader beside writers may see a count too few.
    [[nodiscard]] std::span<const entry> all() const noexcept { return entries; }
};

/// Counts go to `tally` from now on; nullptr means this process's own. The memory must outlive
/// every hit. PERDURE_CRASH_TALLY=<file> maps a file of sizeof(crash_tally) bytes at start.
void count_into(crash_tally* tally) noexcept;
const crash_tally& current_tally() noexcept;

/// Called at a hit, on the thread that hit it. It returns, or ends the thread or the process.
using crash_hook = void (*)(std::string_view point, std::uint64_t hit);

struct crash_plan {
    std::string_view point;     ///< Empty: any point counts.
    std::uint64_t hit = 1;      ///< The how-manieth, counted from arming; 1 is the next.
    crash_hook hook = nullptr;  ///< What to do instead of SIGKILL.
};

/// Arms one action for this process and replaces the one before. The environment's
/// PERDURE_CRASH_AT=<point>:<k> or #<k> does it at start. Requires: a point of at most 47
/// characters, a hit of 1 or more.
void arm(const crash_plan& plan) noexcept;
void disarm() noexcept;

/// Calls `hook` at every hit, nullptr ends it: rigs look at the region between two stores.
void watch(crash_hook hook) noexcept;

void crash_point_hit(crash_name point);

#define PERDURE_CRASH_POINT(name) ::perdure::shm::crash_point_hit(name)

#else

constexpr bool planted(bug) noexcept { return false; }

#define PERDURE_CRASH_POINT(name) static_cast<void>(0)

#endif

}  // namespace perdure::shm

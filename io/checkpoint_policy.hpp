// SPDX-License-Identifier: Apache-2.0
//
// When a checkpoint is due, of which kind, and what of the old ones may go.
//
// Promise     Decisions are functions of what is passed in: the same situation, the same answer.
//             Whatever the settings and the clock say, the two newest generations of checkpoints
//             stay, and every segment of the journal that a kept checkpoint or a cursor needs.
// Threads     Values.
#pragma once

#include <perdure/io/manifest.hpp>
#include <string_view>

namespace perdure::io {

/// What is kept of the past, by checkpoint.strategy.
enum class keep_strategy : std::uint8_t {
    hybrid = 1,  ///< Checkpoints and the journal behind the oldest of them: any LSN since.
    /// The journal only as far as two generations need it, and kept slices; checkpoints before.
    snapshot_only,
    event_sourced,  ///< All of the journal, for ever; checkpoints only to recover quickly.
    versioned,      ///< As hybrid, and no checkpoint ever goes by age or count.
};

struct checkpoint_policy {
    keep_strategy strategy = keep_strategy::hybrid;
    std::uint64_t every_ns = 300'000'000'000;        ///< 0: not by time.
    std::uint64_t full_every_ns = 3600'000'000'000;  ///< An incremental chain is no older.
    std::uint64_t journal_bytes = 1ULL << 30;        ///< Since the last one; 0: never.
    std::uint64_t recovery_ns = 20'000'000'000;      ///< Longest predicted replay; 0: any.
    bool at_shutdown = true;
    std::uint64_t copy_bytes_max = 1ULL << 30;
    unsigned threads = 1;
    std::uint64_t keep_count = 200;                     ///< Generations.
    std::uint64_t keep_ns = 7 * 86'400'000'000'000ULL;  ///< Age of the oldest.
    std::uint64_t scrub_bytes = 0;  ///< Read again a second, beside everything else; 0: nothing.
    std::uint64_t keep_bytes = 0;   ///< Of all checkpoints; 0: any.
    std::uint64_t pack_bytes = 0;   ///< Of sealed segments a second, to pack them; 0: none.
    std::uint64_t free_bytes = 0;   ///< Of the disk; with less, less is done (room.hpp).
};

class config;
/// What the sections checkpoint and retention say.
[[nodiscard]] checkpoint_policy policy_from(const config& from);

struct checkpoint_situation {
    std::uint64_t now_ns = 0;    ///< Wall clock; only its distance to the last cut counts.
    std::uint64_t begun_ns = 0;  ///< When the keeper began: where there is no checkpoint yet.
    std::uint64_t last_lsn = 0;
    std::uint64_t journal_bytes = 0;  ///< Written since the last checkpoint, or since it is known.
    std::uint64_t pages = 0;
    std::uint64_t dirty_pages = 0;
    bool asked = false;
    bool asked_full = false;
};

enum class checkpoint_due : std::uint8_t { none, incremental, full };

struct checkpoint_decision {
    checkpoint_due due = checkpoint_due::none;
    std::string_view trigger;  ///< "interval", "request", "journal", "recovery time".
};

/// What replaying a record takes at the most. Measured: perf/recovery.
inline constexpr std::uint64_t replay_ns_a_record = 1'000;
/// That stay whatever retention and the disk say.
inline constexpr std::size_t generations_min = 2;
/// A longer chain would make a recovery slow to open.
inline constexpr std::size_t chain_length_max = 24;
/// Increments that together hold more than the full one they hang on end their chain, so that no
/// recovery reads more than twice a full one; what is shorter than this is read in no time.
inline constexpr std::uint64_t chain_bytes_free = 16ULL << 20;

[[nodiscard]] checkpoint_decision decide(const checkpoint_policy& policy, const manifest& promised,
                                         const checkpoint_situation& now) noexcept;

/// Wall clock at which the next one is due by time, 0 = never.
[[nodiscard]] std::uint64_t next_due_ns(const checkpoint_policy& policy,
                                        const manifest& promised) noexcept;

/// What may go, in the order in which it has to.
struct removals {
    std::vector<checkpoint_entry> checkpoints;
    std::vector<segment_entry> segments;
};

[[nodiscard]] removals what_may_go(const checkpoint_policy& policy, const manifest& promised,
                                   std::uint64_t now_ns, std::uint64_t cursor_lsn);

}  // namespace perdure::io

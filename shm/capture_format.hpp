// SPDX-License-Identifier: Apache-2.0
//
// FORMAT what a checkpoint's capture keeps in the region: the state word, the dirty bitmaps, a
// capture word a page, the pool of shadow pages; and what the keeper says of checkpoints.
//
//   dirty_at     two bitmaps of bitmap_bytes each, bit p % 64 of word p / 64 is page p's
//   capture_at   a capture word of 8 bytes a page: {shadow slot:32, epoch:32}
//   shadow_at    shadow pages of 4096 bytes, numbered from 0
//
// All three lie behind capacity_bytes; memory stands behind them as far as pages are committed, and
// behind the shadow pages as far as `shadow_pages` says.
//
// Invariants  C1 the epoch only grows, and only while the gate is closed and no slot is active.
//             C2 bitmap epoch % 2 takes what is stored now; the other one is the old one: the pages
//                that the capture of this epoch copies, empty when none is under way.
//             C3 a capture word names an epoch only when the shadow page of its slot holds the page
//                as it was at that epoch's cut.
// Format      docs/formats/region.md#capture
#pragma once

#include <array>
#include <perdure/shm/record_format.hpp>

namespace perdure::shm {

enum class capture_phase : std::uint8_t {
    idle = 1,
    capture = 2,  ///< Writers shadow what the keeper has not copied yet.
    aborted = 3,  ///< The pool ran out: the keeper gives this capture up.
};

/// Words that writers look at before they store.
struct capture_mark {
    std::uint64_t state;         ///< {phase:8, whole:8, zero:16, epoch:32}
    std::uint64_t end;           ///< First page that was not there at the cut.
    std::uint64_t shadow_pages;  ///< Shadow pages that have memory.
    std::array<std::uint64_t, 5> reserved;
};
static_assert(mapped<capture_mark> && sizeof(capture_mark) == 64);

constexpr std::uint64_t capture_word(std::uint32_t epoch, std::uint32_t slot) noexcept {
    return slot | static_cast<std::uint64_t>(epoch) << 32;
}
constexpr std::uint32_t epoch_of(std::uint64_t capture) noexcept {
    return static_cast<std::uint32_t>(capture >> 32);
}
constexpr std::uint32_t shadow_of(std::uint64_t capture) noexcept {
    return static_cast<std::uint32_t>(capture);
}

/// What captures have cost, for people and for status.
struct capture_counters {
    std::uint64_t captures;  ///< Cuts that were made.
    std::uint64_t aborts;
    std::uint64_t shadows_last;  ///< Shadow pages that the last capture took.
    std::uint64_t shadows_max;
    std::uint64_t cut_ns_last;  ///< How long the gate was closed.
    std::uint64_t cut_ns_max;
    std::uint64_t slices;  ///< Parts that were copied behind the gate.
    std::uint64_t reserved;
};
static_assert(mapped<capture_counters> && sizeof(capture_counters) == 64);

/// What the keeper says of checkpoints, and what it is asked for.
struct checkpoint_mark {
    std::uint64_t asked;       ///< Requests so far; raised by whoever asks.
    std::uint64_t asked_full;  ///< The number of the last one for a full checkpoint.
    std::uint64_t served;    ///< The last request that was dealt with; a futex, woken at a change.
    std::uint64_t refused;   ///< errc of the last checkpoint that failed, 0 when it did not.
    std::uint64_t lsn;       ///< Of the newest valid checkpoint, 0 = none.
    std::uint64_t wall_ns;   ///< When its cut was made.
    std::uint64_t next_ns;   ///< Wall clock at which the next one is due, 0 = none is.
    std::uint64_t write_ns;  ///< How long the last one took from cut to MANIFEST.
};
static_assert(mapped<checkpoint_mark> && sizeof(checkpoint_mark) == 64);

}  // namespace perdure::shm

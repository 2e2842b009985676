// SPDX-License-Identifier: Apache-2.0
//
// Copy-on-write capture of all pages as they were at one moment, the cut, while writers go on.
//
// Promise     What copy() answers for a page is the page at the cut, whatever writers did since. A
//             writer never waits for a copy: it makes one of the page it is about to store to, or,
//             when the pool of shadow pages is used up, gives the capture up and goes on.
// Death       A writer that dies in the barrier leaves at most a shadow page nobody refers to, and
//             a dirty bit too many. A keeper that dies in a capture leaves it to the next one,
//             whose first duty is abandon_capture(): no page that was dirty is forgotten.
// Power loss  Nothing here survives it; checkpoints do (io/checkpoint.hpp).
// Threads     barrier: the transaction's own thread. capture: whoever keeps the world, one at a
//             time.
// Invariants  C1 to C3 of capture_format.hpp.
//             C4 a page that was stored to since the last cut is in the bitmap of this epoch before
//                the first store; one that no finished capture holds as it is, is in one of both.
// Format      capture_format.hpp. The protocol: docs/model/ckpt.pml
#pragma once

#include <perdure/shm/capture_state.hpp>
#include <perdure/shm/participant.hpp>
#include <perdure/shm/region.hpp>
#include <span>

namespace perdure::shm {

/// What a writer does before its first store to a page.
class barrier {
  public:
    explicit barrier(region& where) noexcept : where_(&where) {}

    /// Requires: the participant is active, the row at `at` is locked and its image in the undo.
    void before_store(std::uint64_t at) noexcept {
        const std::uint64_t page = (at - where_->geometry().pages_at) / page_bytes;
        // Constant while we are active but for its phase (C1).
        const auto state = state_of(load(where_->header().capture.state));
        auto& now = where_->dirty_word(state.epoch % 2, page);
        if ((peek(now) >> (page % 64) & 1) == 0) mark(now, page);
        if (state.phase == capture_phase::capture) [[unlikely]]
            keep(state, page);
    }

  private:
    static void mark(std::uint64_t& now, std::uint64_t page) noexcept;
    void keep(const capture_state& state, std::uint64_t page) noexcept;

    static constexpr std::uint64_t none = ~0ULL;
    region* where_;
    std::uint64_t spare_ = none;  // A shadow page that lost its race, good for the same epoch.
    std::uint32_t spare_epoch_ = 0;
};

struct cut_options {
    bool whole = false;   ///< All pages, not only those stored to since the last capture.
    bool sliced = false;  ///< No shadow pages: copy_slice() closes the gate for each part.
    deadline until = deadline::in(std::chrono::seconds(5));
};

/// The moment that a capture shows.
struct cut {
    std::uint32_t epoch = 0;
    std::uint64_t lsn = 0;  ///< Of the last record before it.
    std::uint64_t end = 0;  ///< Pages behind it were not there.
    std::uint64_t world_time = 0;
    std::uint64_t gate_ns = 0;  ///< How long the gate was closed.
};

class capture {
  public:
    /// Requires: `self` belongs to whoever keeps the world, and holds nothing.
    capture(region& where, participant& self) noexcept : where_(&where), self_(&self) {}

    /// Closes the gate, makes the cut, opens it. Requires: no capture is under way, and
    /// abandon_capture() came after the region was taken over. Errors: stalled; garbled, also where
    /// a slot was fenced: half a transaction of it may lie in the rows, which only a replay heals.
    result<cut> begin(const cut_options& options) noexcept;

    /// True when the capture has to copy this page.
    [[nodiscard]] bool wants(std::uint64_t page) const noexcept;

    /// Copies the page as it was at the cut. Requires: pages ascend, and wants(page).
    /// Errors: conflict when the pool ran out: give it up with abandon_capture().
    result<> copy(std::uint64_t page, std::span<std::byte> into) noexcept;

    /// Copies pages as they are now, at most slice_pages; the answer is the LSN that they show.
    /// Errors: stalled, garbled.
    static constexpr std::size_t slice_pages = 64;
    result<std::uint64_t> copy_slice(std::span<const std::uint64_t> pages,
                                     std::span<std::byte> into, deadline until) noexcept;

    /// All pages are copied: writers shadow no more. Errors: conflict as copy().
    result<> end() noexcept;

    /// What was captured is safe elsewhere: these pages are clean. Requires: end().
    void forget() noexcept;

  private:
    void prepare(const cut_options& options) noexcept;
    [[nodiscard]] bool is_under_way() const noexcept;
    [[nodiscard]] bool has_fenced() const noexcept;

    region* where_;
    participant* self_;
    cut cut_;
    bool whole_ = false;
    bool sliced_ = false;
};

/// Pages that the last capture wanted are dirty again, whatever had become of it: after a failure,
/// and the first thing that a new keeper does. Requires: the caller keeps the world.
void abandon_capture(region& where) noexcept;

/// Pages with rows that a checkpoint holds, about.
[[nodiscard]] std::uint64_t pages_with_rows(const region& where) noexcept;

/// Pages stored to since the last capture, and those of one that is under way.
[[nodiscard]] std::uint64_t dirty_pages(const region& where) noexcept;

}  // namespace perdure::shm

// SPDX-License-Identifier: Apache-2.0
#include <bit>
#include <perdure/shm/capture.hpp>
#include <perdure/shm/crash_point.hpp>
#include <perdure/shm/extent.hpp>
#include <perdure/shm/gate.hpp>
#include <perdure/shm/ring.hpp>
#include <perdure/shm/schema_format.hpp>

namespace perdure::shm {
namespace {

capture_state state_in(const region& where) noexcept {
    return state_of(load(where.header().capture.state));
}

constexpr std::uint32_t other(std::uint32_t epoch) noexcept { return (epoch + 1) % 2; }

/// Words of a bitmap that have memory behind them and may hold a bit.
std::uint64_t words_in_use(const region& where) noexcept {
    const auto& g = where.geometry();
    const std::uint64_t committed = load(where.header().committed_bytes.value);
    return ((committed - g.pages_at) / page_bytes + 63) / 64;
}

}  // namespace

void barrier::mark(std::uint64_t& now, std::uint64_t page) noexcept {
    // Before the store: a death behind it leaves a page that is copied for nothing, never one that
    // changed and is not.
    PERDURE_CRASH_POINT("capture.dirty");
    if (planted(bug::page_not_marked)) return;
    word(now).fetch_or(1ULL << (page % 64));
    step_fence();
}

void barrier::keep(const capture_state& state, std::uint64_t page) noexcept {
    const auto& header = where_->header();
    const auto& old = where_->dirty_word(other(state.epoch), page);
    // Stable while the capture lasts; when it is cleared, the capture has ended.
    if (!state.whole && (load(old) >> (page % 64) & 1) == 0) return;
    auto& tag = where_->capture_of(page);
    std::uint64_t seen = load(tag);
    if (epoch_of(seen) == state.epoch || page < load(header.capture_cursor.value) ||
        page >= peek(header.capture.end)) {
        return;
    }
    if (spare_epoch_ != state.epoch) spare_ = none;
    std::uint64_t slot = spare_;
    spare_ = none;
    if (slot == none) slot = word(header.shadow_next.value).fetch_add(1);
    if (slot >= load(header.capture.shadow_pages)) {
        // Before the store: the keeper must not believe that it copies the cut any more.
        PERDURE_CRASH_POINT("capture.abort");
        std::uint64_t under_way = pack(state);
        const auto given_up = pack({state.epoch, capture_phase::aborted, state.whole});
        word(header.capture.state).compare_exchange_strong(under_way, given_up);
        return;
    }
    const std::uint64_t named = capture_word(state.epoch, static_cast<std::uint32_t>(slot));
    if (planted(bug::tag_before_copy)) word(tag).store(named);
    PERDURE_CRASH_POINT("capture.shadow");
    copy_out(where_->shadow(slot), where_->at<std::byte>(where_->page_at(page)), page_bytes);
    // Behind the copy and before the store: who sees the word finds the whole page (C3).
    PERDURE_CRASH_POINT("capture.tag");
    if (planted(bug::tag_before_copy)) return;
    step_fence();
    if (word(tag).compare_exchange_strong(seen, named)) return;
    spare_ = slot;  // Another's copy is the same.
    spare_epoch_ = state.epoch;
}

/// What can be done before the gate is closed.
void capture::prepare(const cut_options& options) noexcept {
    if (options.sliced) return;
    const std::uint64_t pages = pages_with_rows(*where_);
    where_->commit_shadows(std::max(options.whole ? pages : dirty_pages(*where_), pages / 4));
}

result<cut> capture::begin(const cut_options& options) noexcept {
    auto& header = where_->header();
    prepare(options);
    PERDURE_TRY(close_gate(*self_, options.until));
    const std::uint64_t from = where_->waits().now_ns();
    if (has_fenced()) {
        open_gate(*self_);
        return errc::garbled;
    }
    const auto was = state_in(*where_);
    PERDURE_ASSERT(was.phase == capture_phase::idle);
    cut_ = {was.epoch + 1, next_lsn(*where_) - 1, load(header.page_next.value),
            load(header.world_time.value), 0};
    whole_ = options.whole;
    sliced_ = options.sliced;
    // A death before the state leaves words that nobody looks at while it says idle.
    PERDURE_CRASH_POINT("capture.cut");
    put(header.capture_cursor.value, 0);
    put(header.shadow_next.value, 0);
    put(header.capture.end, cut_.end);
    // The schemas stand in every checkpoint: a few words, their table never grows.
    for (std::uint64_t row = 0; row < table_count; row += page_bytes / sizeof(schema_row)) {
        const std::uint64_t at = locate(*where_, schemas_table, row);
        const std::uint64_t page = (at - where_->geometry().pages_at) / page_bytes;
        auto& now = where_->dirty_word(was.epoch % 2, page);
        put(now, peek(now) | 1ULL << (page % 64));
    }
    const auto phase = options.sliced ? capture_phase::idle : capture_phase::capture;
    // One store for epoch, phase and the roles of both bitmaps, the last before the gate opens.
    PERDURE_CRASH_POINT("capture.begin");
    step(header.capture.state, pack({cut_.epoch, phase, options.whole}));
    open_gate(*self_);
    cut_.gate_ns = where_->waits().now_ns() - from;
    auto& counters = header.captures;
    put(counters.captures, peek(counters.captures) + 1);
    put(counters.cut_ns_last, cut_.gate_ns);
    put(counters.cut_ns_max, std::max(peek(counters.cut_ns_max), cut_.gate_ns));
    return cut_;
}

bool capture::has_fenced() const noexcept {
    for (std::uint32_t i = 0; i < where_->geometry().slot_count; ++i) {
        if (load(where_->slot(i).active) == slot_fenced) return true;
    }
    return false;
}

/// False when it was given up, or when somebody else's is under way.
bool capture::is_under_way() const noexcept {
    const auto state = state_in(*where_);
    return state.phase == capture_phase::capture && state.epoch == cut_.epoch;
}

bool capture::wants(std::uint64_t page) const noexcept {
    if (page >= cut_.end) return false;
    return whole_ || (peek(where_->dirty_word(other(cut_.epoch), page)) >> (page % 64) & 1) != 0;
}

result<> capture::copy(std::uint64_t page, std::span<std::byte> into) noexcept {
    PERDURE_ASSERT(into.size() == page_bytes);
    auto& header = where_->header();
    if (planted(bug::cursor_early)) step(header.capture_cursor.value, page + 1);
    PERDURE_CRASH_POINT("capture.copy");
    copy_out(into.data(), where_->at<std::byte>(where_->page_at(page)), page_bytes);
    PERDURE_CRASH_POINT("capture.copied");
    // The page first, its word second: what of the copy a writer had stored already, its word told
    // before.
    std::atomic_thread_fence(std::memory_order_acquire);
    const std::uint64_t tag = load(where_->capture_of(page));
    if (epoch_of(tag) == cut_.epoch && !planted(bug::shadow_ignored)) {
        if (shadow_of(tag) >= load(header.capture.shadow_pages)) return errc::garbled;
        copy_out(into.data(), where_->shadow(shadow_of(tag)), page_bytes);
    }
    if (!is_under_way()) return errc::conflict;
    // Not before: until here a store had to leave the page as it was.
    step(header.capture_cursor.value, page + 1);
    return {};
}

result<std::uint64_t> capture::copy_slice(std::span<const std::uint64_t> pages,
                                          std::span<std::byte> into, deadline until) noexcept {
    PERDURE_ASSERT(pages.size() <= slice_pages && into.size() == pages.size() * page_bytes);
    PERDURE_TRY(close_gate(*self_, until));
    if (has_fenced()) {  // Half of its transaction may be in these pages, and no record tells.
        open_gate(*self_);
        return errc::garbled;
    }
    const std::uint64_t lsn = next_lsn(*where_) - 1;
    for (std::size_t i = 0; i < pages.size(); ++i) {
        std::memcpy(into.data() + i * page_bytes, where_->at<std::byte>(where_->page_at(pages[i])),
                    page_bytes);
    }
    open_gate(*self_);
    auto& slices = where_->header().captures.slices;
    put(slices, peek(slices) + 1);
    return lsn;
}

result<> capture::end() noexcept {
    auto& header = where_->header();
    auto& counters = header.captures;
    const std::uint64_t taken =
        std::min(load(header.shadow_next.value), load(header.capture.shadow_pages));
    put(counters.shadows_last, taken);
    put(counters.shadows_max, std::max(peek(counters.shadows_max), taken));
    std::uint64_t under_way = pack({cut_.epoch, capture_phase::capture, whole_});
    PERDURE_CRASH_POINT("capture.end");
    const auto idle = pack({cut_.epoch, capture_phase::idle, whole_});
    // By comparison: a writer that gave the capture up has changed the cut's pages since.
    if (word(header.capture.state).compare_exchange_strong(under_way, idle)) return {};
    return sliced_ && under_way == idle ? result<>() : errc::conflict;
}

void capture::forget() noexcept {
    const auto state = state_in(*where_);
    PERDURE_ASSERT(state.epoch == cut_.epoch && state.phase == capture_phase::idle);
    const std::uint64_t words = words_in_use(*where_);
    PERDURE_CRASH_POINT("capture.forget");
    for (std::uint64_t i = 0; i < words; ++i) {
        auto& old = where_->dirty_word(other(state.epoch), i * 64);
        if (peek(old) != 0) put(old, 0);
        if (planted(bug::one_bitmap)) put(where_->dirty_word(state.epoch % 2, i * 64), 0);
    }
}

void abandon_capture(region& where) noexcept {
    auto& header = where.header();
    const auto state = state_in(where);
    if (state.phase == capture_phase::aborted) {
        put(header.captures.aborts, peek(header.captures.aborts) + 1);
    }
    PERDURE_CRASH_POINT("capture.abandon");
    step(header.capture.state, pack({state.epoch, capture_phase::idle, false}));
    const std::uint64_t words = words_in_use(where);
    for (std::uint64_t i = 0; i < words; ++i) {
        auto& old = where.dirty_word(other(state.epoch), i * 64);
        const std::uint64_t bits = load(old);
        if (bits == 0) continue;
        // First here, then not there: a death in between leaves a page in both.
        PERDURE_CRASH_POINT("capture.dirty_again");
        if (!planted(bug::dirty_forgotten)) {
            word(where.dirty_word(state.epoch % 2, i * 64)).fetch_or(bits);
        }
        PERDURE_CRASH_POINT("capture.old_cleared");
        step(old, 0);
    }
}

std::uint64_t pages_with_rows(const region& where) noexcept {
    std::uint64_t count = 0;
    for (std::uint32_t table = schemas_table; table < table_count; ++table) {
        const auto& d = where.descriptor(table);
        const std::uint64_t rows_per_page = peek(d.rows_per_page);
        if (rows_per_page == 0 || (peek(d.flags) & derived) != 0) continue;
        count += peek(d.row_high) / rows_per_page + 1;
    }
    return count;
}

std::uint64_t dirty_pages(const region& where) noexcept {
    std::uint64_t count = 0;
    for (std::uint64_t i = 0; i < words_in_use(where); ++i) {
        const std::uint64_t either =
            peek(where.dirty_word(0, i * 64)) | peek(where.dirty_word(1, i * 64));
        count += static_cast<std::uint64_t>(std::popcount(either));
    }
    return count;
}

}  // namespace perdure::shm

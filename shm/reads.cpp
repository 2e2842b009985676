// SPDX-License-Identifier: Apache-2.0
#include <perdure/shm/crash_point.hpp>
#include <perdure/shm/reads.hpp>

namespace perdure::shm {
namespace {

constexpr int spin_turns = 100;  // About two microseconds.
// Up to here looking at all notes costs less than a look at the line that every commit writes.
constexpr std::size_t few_notes = 8;

}  // namespace

result<> reads::settle(std::uint32_t stripe) noexcept {
    const auto& place = where_->stripe(stripe);
    std::uint32_t owner = 0;
    for (int turn = 0; turn < spin_turns; ++turn) {
        owner = owner_of(load(place));
        if (owner == 0 || owner == self_) return {};
        where_->waits().pause();
    }
    // The word is checked before it is followed.
    if (owner > where_->geometry().slot_count) return errc::garbled;
    if (!where_->writable()) return errc::conflict;
    switch (try_repair(*where_, owner - 1)) {
        case life::alive: return errc::conflict;
        case life::gone: break;
        case life::unusable: return errc::garbled;
    }
    // Gone and clean, yet in the word: a slot that was handed on and locked again, or a leak.
    owner = owner_of(load(place));
    return owner == 0 || owner == self_ ? result<>() : result<>(errc::conflict);
}

result<> reads::copy(std::uint64_t at, std::uint32_t bytes, std::uint32_t stripe,
                     void* out) noexcept {
    const auto& place = where_->stripe(stripe);
    for (int turn = 0; turn < spin_turns; ++turn) {
        const std::uint64_t before = load(place);
        const std::uint32_t owner = owner_of(before);
        if (owner != 0 && owner != self_) {
            PERDURE_TRY(settle(stripe));
            continue;
        }
        copy_out(out, where_->at<std::byte>(at), bytes);
        std::atomic_thread_fence(
            std::memory_order_acquire);  // The copy ends before the second look.
        if (version_of(peek(place)) != version_of(before) || owner_of(peek(place)) != owner) {
            continue;
        }
        if (owner == 0) note(stripe, before);
        // What was seen before must still hold, so that no closure meets an impossible pair.
        return still_holds() ? result<>() : result<>(errc::conflict);
    }
    return errc::conflict;
}

bool reads::still_holds() noexcept {
    if (notes_.size() <= few_notes) return validate();
    // A commit moves the tail before it releases what it changed, so while the tail stands still
    // nothing that was seen can have changed. Looked at before the notes: what commits in between
    // is met by the next look.
    const std::uint64_t tail = load(where_->header().producer.tail);
    if (tail == tail_) return true;
    tail_ = tail;
    return validate();
}

bool reads::validate() const noexcept {
    for (const auto& each : notes_) {
        const std::uint64_t now = load(where_->stripe(each.stripe));
        const std::uint32_t owner = owner_of(now);
        if (version_of(now) != version_of(each.seen) || (owner != 0 && owner != self_)) {
            return false;
        }
    }
    return true;
}

}  // namespace perdure::shm

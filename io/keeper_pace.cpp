// SPDX-License-Identifier: Apache-2.0
//
// How the keeper waits between its rounds.
#include <algorithm>
#include <climits>
#include <perdure/io/keeper.hpp>
#include <thread>

namespace perdure::io {
namespace {

// While a round is written a writer may take as much as four.
constexpr std::uint64_t ahead_bytes_max = 4 * keeper::round_bytes_max;
constexpr std::chrono::microseconds idle_slice{500};
constexpr std::chrono::microseconds doze_slice{1000};
constexpr int spins_before_sleep = 400;
constexpr std::uint64_t gather_ns_max = 250'000;

}  // namespace

/// Says that nothing becomes durable for want of room, and does without history for some. Answers
/// what is final: the MANIFEST could not be written.
result<> keeper::refuse_for_now(shm::region& where) noexcept {
    auto& mark = where.header().durable;
    if (checkpoints_) {
        const auto went = checkpoints_->make_room(moment_of(where));
        if (!went && manifest_->is_failed()) return freeze(where, went.error());
        if (went && *went) return {};  // There may be room now: nobody is refused before that.
        checkpoints_->tell_room(moment_of(where), room_state::refusing, {});
    }
    shm::put(mark.refusing, static_cast<std::uint32_t>(errc::disk_full));
    where.waits().wake(shm::low_half(mark.lsn), INT_MAX);
    return {};
}

/// There is room again.
void keeper::take_on(shm::region& where) noexcept {
    shm::put(where.header().durable.refusing, 0);
    if (checkpoints_) checkpoints_->tell_room(moment_of(where), room_state::tight, {});
}

/// Whoever waited for the last sync will commit and wait again soon. A sync that begins with the
/// first of them lets all others wait for the next one: better wait for them, half a sync at most.
void keeper::gather(shm::region& where, std::uint64_t drained) const noexcept {
    const std::uint64_t expected = std::min<std::uint64_t>(woken_, drained);
    if (expected < 2) return;
    const auto& mark = where.header().durable;
    const auto until =
        where.waits().now_ns() + std::min<std::uint64_t>(sync_ns_ / 2, gather_ns_max);
    while (shm::next_lsn(where) - 1 - shm::load(mark.lsn) < expected &&
           where.waits().now_ns() < until) {
        std::this_thread::yield();  // To them, where cores are few.
    }
}

/// Sleeps until the bell rings, a slice at most, while there is nothing to drain.
void keeper::idle(shm::region& where) noexcept {
    auto& mark = where.header().keeper;
    const auto head = shm::load(where.header().head.value);
    for (int turn = 0; turn < spins_before_sleep; ++turn) {
        if (shm::load(where.header().producer.tail) != head) return;
        where.waits().pause();
    }
    const auto rung = shm::load(mark.bell);
    shm::word(mark.sleeping).store(1);
    // After the sign, so that who commits now either sees it or is seen.
    if (shm::load(where.header().producer.tail) == head) {
        where.waits().wait(mark.bell, rung, idle_slice);
    }
    shm::word(mark.sleeping).store(0);
}

/// Nobody waits for durability: a slice more of records makes a better block and saves syncs.
void keeper::doze(shm::region& where) noexcept {
    auto& mark = where.header().keeper;
    const auto rung = shm::load(mark.bell);
    shm::word(mark.sleeping).store(1);
    // After the sign, so that who waits now either sees it, and rings, or is seen.
    const auto lag = shm::load(where.header().producer.tail) - shm::load(where.header().head.value);
    if (shm::load(where.header().durable.sleepers) <= sleepers_ &&
        lag < where.geometry().ring_bytes / 8) {
        where.waits().wait(mark.bell, rung, doze_slice);
    }
    shm::word(mark.sleeping).store(0);
}

/// Makes memory ready for the tables while nobody waits for durability, as much as may be taken
/// while a round is written. False when there was nothing to do.
bool keeper::get_ahead(shm::region& where, shm::page_reserve& reserve) const noexcept {
    std::uint64_t made = 0;
    while (made < ahead_bytes_max && shm::load(where.header().durable.sleepers) <= sleepers_) {
        const std::uint64_t more = reserve.step();
        if (more == 0) break;
        made += more;
    }
    return made != 0;
}

}  // namespace perdure::io

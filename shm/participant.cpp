// SPDX-License-Identifier: Apache-2.0
#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <perdure/shm/crash_point.hpp>
#include <perdure/shm/participant.hpp>
#include <perdure/shm/ring.hpp>
#include <perdure/shm/stripe.hpp>
#include <utility>

namespace perdure::shm {
namespace {

pthread_mutex_t* life_of(slot_control& slot) noexcept {
    return reinterpret_cast<pthread_mutex_t*>(&slot.life);
}

std::uint64_t this_thread() noexcept { return static_cast<std::uint64_t>(pthread_self()); }

/// True when the claimed record is final, or its place was given to others long ago.
result<bool> is_resolved(region& where, std::uint64_t claim) noexcept {
    const auto tail = load(where.header().producer.tail);
    if (claim % record_alignment != 0 || claim > tail) return errc::garbled;
    // The state first, the head second: a head past the claim means it was final before.
    const auto state = state_in(load(state_word(ring_header(where, claim))));
    const auto head = load(where.header().head.value);
    return claim < head || state != record_state::claimed;
}

/// Checks one entry that ends at `used`; the answer is its length.
result<std::uint64_t> entry_before(const region& where, std::uint64_t area,
                                   std::uint64_t used) noexcept {
    const auto& g = where.geometry();
    if (used < sizeof(undo_entry) + 16 || used % 8 != 0) return errc::garbled;
    const std::uint64_t length = *where.at<std::uint64_t>(area + used - 8);
    if (length > used || length < sizeof(undo_entry) + 16 || length % 8 != 0) {
        return errc::garbled;
    }
    const auto& entry = *where.at<undo_entry>(area + used - length);
    const auto check = static_cast<std::uint32_t>(entry.at) ^ entry.bytes ^ undo_check;
    const bool sound = entry.check == check && entry.bytes % 8 == 0 && entry.at % 8 == 0 &&
                       length == sizeof(undo_entry) + entry.bytes + 8 &&
                       entry.at < g.capacity_bytes && entry.bytes <= page_bytes &&
                       entry.at + entry.bytes <= peek(where.header().committed_bytes.value);
    if (!sound) return errc::garbled;
    return length;
}

/// Requires: the caller holds the slot's life lock. The repairer may die at any step and the next
/// one begins again: each step leaves the ones before it repeatable.
result<> repair(region& where, std::uint32_t slot) noexcept {
    auto& control = where.slot(slot);
    auto& header = where.header();
    const std::uint64_t claim = load(control.claim);
    const bool claimed = claim != no_claim;
    const bool resolved = claimed && PERDURE_TRY(is_resolved(where, claim));
    if (claimed && !resolved && planted(bug::padding_before_undo)) {
        void_claim(where, slot, claim);
    }
    if (!resolved) {
        if (load(control.undo_used) != 0) word(header.counters.repairs_undone).fetch_add(1);
        PERDURE_TRY(undo_all(where, slot));
    }
    // The undo is void before the claim's verdict is stored: a repairer that dies in between finds
    // an unresolved claim and nothing to undo.
    PERDURE_CRASH_POINT("repair.undo_void");
    step(control.undo_used, 0);
    if (claimed && !resolved && !planted(bug::padding_before_undo)) {
        void_claim(where, slot, claim);
    }
    PERDURE_CRASH_POINT("repair.claim");
    step(control.claim, no_claim);
    if (load(header.producer.lock) == slot + 1) {
        PERDURE_CRASH_POINT("repair.ring_lock");
        step(header.producer.lock, 0);
    }
    if (load(header.gate.value) == slot + 1) {
        PERDURE_CRASH_POINT("repair.gate");
        step(header.gate.value, 0);
    }
    release_held(where, slot);
    PERDURE_CRASH_POINT("repair.active");
    step(control.active, 0);
    word(header.counters.repairs).fetch_add(1);
    return {};
}

/// A slot can own one thing more than its words say: a closed gate, which it closes while idle.
bool needs_repair(const region& where, std::uint32_t slot) noexcept {
    return !is_clean(where.slot(slot)) || load(where.header().gate.value) == slot + 1;
}

/// Requires: `answer` came from a lock attempt on the slot's life lock that took it.
result<> clean_taken(region& where, std::uint32_t slot, int answer) noexcept {
    auto& control = where.slot(slot);
    if (planted(bug::life_consistent_first) && answer == EOWNERDEAD) {
        pthread_mutex_consistent(life_of(control));
        pthread_mutex_unlock(life_of(control));
        const auto done = repair(where, slot);
        return pthread_mutex_trylock(life_of(control)) == 0 ? done : result<>(errc::busy);
    }
    if (needs_repair(where, slot)) PERDURE_TRY(repair(where, slot));
    if (answer == EOWNERDEAD) {
        PERDURE_CRASH_POINT("repair.consistent");
        PERDURE_ASSERT(pthread_mutex_consistent(life_of(control)) == 0);
    }
    return {};
}

/// True when a slot's own words stand in the undo of another that took rows from it and died: its
/// repair will store here, perhaps more than once. Requires: the caller holds the slot's life lock.
/// A living slot's undo changes under this walk, and none of it is ours: what is read is checked
/// before it is followed, and at worst a free slot is passed over. Hence no thread sanitizer here.
[[gnu::no_sanitize_thread]] bool is_in_undo(const region& where, std::uint32_t slot) noexcept {
    const std::uint64_t from = where.offset_of(&where.slot(slot));
    const auto* words = where.at<const volatile std::uint64_t>(0);
    for (std::uint32_t i = 0; i < where.geometry().slot_count; ++i) {
        std::uint64_t used = load(where.slot(i).undo_used);
        if (i == slot || used > where.geometry().undo_bytes || used % 8 != 0) continue;
        const std::uint64_t log = where.undo_at(i);
        while (used > 0) {
            const std::uint64_t length = words[(log + used) / 8 - 1];
            if (length < sizeof(undo_entry) + 16 || length > used || length % 8 != 0) break;
            used -= length;
            const std::uint64_t at = words[(log + used) / 8];  // undo_entry::at comes first.
            if (at >= from && at < from + sizeof(slot_control)) return true;
        }
    }
    return false;
}

/// Nobody sits in the slot or follows what stands in it for as long as this region lives.
/// Requires: the caller holds its life lock.
void fence(region& where, std::uint32_t slot) noexcept {
    auto& control = where.slot(slot);
    where.report_garbled(errc::garbled);
    step(control.active, slot_fenced);
    pthread_mutex_unlock(life_of(control));
}

}  // namespace

bool is_clean(const slot_control& slot) noexcept {
    return load(slot.active) == 0 && load(slot.claim) == no_claim && load(slot.undo_used) == 0 &&
           load(slot.held) == 0;
}

life try_repair(region& where, std::uint32_t slot) noexcept {
    auto& control = where.slot(slot);
    // Our own sign: a second trylock of a lock that was given up for lost answers EBUSY (glibc
    // 2.36).
    if (load(control.active) == slot_fenced) return life::unusable;
    const int answer = pthread_mutex_trylock(life_of(control));
    if (answer == EBUSY) return life::alive;
    if (answer != 0 && answer != EOWNERDEAD) return life::unusable;
    const auto done = clean_taken(where, slot, answer);
    if (!done && done.error() == errc::garbled) {
        fence(where, slot);
        return life::unusable;
    }
    if (!done) return life::alive;
    PERDURE_CRASH_POINT("repair.unlock");
    pthread_mutex_unlock(life_of(control));
    return life::gone;
}

void sweep(region& where) noexcept {
    for (std::uint32_t i = 0; i < where.geometry().slot_count; ++i) {
        if (needs_repair(where, i)) try_repair(where, i);
    }
}

result<> undo_all(region& where, std::uint32_t slot) noexcept {
    auto& control = where.slot(slot);
    const std::uint64_t area = where.undo_at(slot);
    const std::uint64_t all = load(control.undo_used);
    if (all > where.geometry().undo_bytes) return errc::garbled;
    for (std::uint64_t used = all; used > 0;) {  // Look before the first store.
        used -= PERDURE_TRY(entry_before(where, area, used));
    }
    for (std::uint64_t used = all; used > 0;) {
        const std::uint64_t length = *where.at<std::uint64_t>(area + used - 8);
        const auto& entry = *where.at<undo_entry>(area + used - length);
        PERDURE_CRASH_POINT("undo.restore");
        copy_in(where.at<std::byte>(entry.at), &entry + 1, entry.bytes);
        used -= length;
    }
    return {};
}

void release_held(region& where, std::uint32_t slot, bool raise_version) noexcept {
    auto& control = where.slot(slot);
    const std::uint32_t* list = where.held(slot);
    const std::uint64_t count = std::min<std::uint64_t>(load(control.held), held_max);
    for (std::uint64_t i = 0; i < count; ++i) {
        release_stripe(where, list[i] % stripe_count, slot + 1, raise_version);
    }
    PERDURE_CRASH_POINT("release.list");
    step(control.held, 0);
}

bool take_idle(region& where, std::uint32_t slot) noexcept {
    auto& control = where.slot(slot);
    if (load(control.active) == slot_fenced) return false;
    const int answer = pthread_mutex_trylock(life_of(control));
    if (answer != 0 && answer != EOWNERDEAD) return false;
    if (const auto done = clean_taken(where, slot, answer); !done) {
        if (done.error() == errc::garbled) fence(where, slot);
        return false;
    }
    if (!is_in_undo(where, slot)) return true;
    give_idle(where, slot);
    return false;
}

void give_idle(region& where, std::uint32_t slot) noexcept {
    pthread_mutex_unlock(life_of(where.slot(slot)));
}

result<participant> participant::join(region& where) noexcept {
    if (!where.writable()) return errc::read_only;
    if (!where.owned()) return errc::forked;
    for (int turn = 0; turn < 3; ++turn) {  // A slot briefly held by a tester is not "no slot".
        for (std::uint32_t i = 0; i < where.geometry().slot_count; ++i) {
            auto& control = where.slot(i);
            if (!take_idle(where, i)) continue;
            PERDURE_CRASH_POINT("join.slot");
            // A keeper that was killed here has left its sign: this is no keeper, and whoever waits
            // for durability must not wait for one.
            auto& keeper = where.header().keeper.slot;
            if (load(keeper) == i + 1) step(keeper, 0);
            put(control.pid, static_cast<std::uint64_t>(::getpid()));
            put(control.thread, static_cast<std::uint64_t>(::gettid()));
            put(control.joined_ns, where.waits().wall_ns());
            put(control.commits, 0);
            return participant(where, i, this_thread());
        }
        ::usleep(1000);
    }
    return errc::no_slot;
}

participant::participant(participant&& other) noexcept
    : where_(std::exchange(other.where_, nullptr)), slot_(other.slot_), thread_(other.thread_) {}

participant& participant::operator=(participant&& other) noexcept {
    if (this != &other) {
        leave();
        where_ = std::exchange(other.where_, nullptr);
        slot_ = other.slot_;
        thread_ = other.thread_;
    }
    return *this;
}

participant::~participant() { leave(); }

bool participant::is_here() const noexcept { return where_ != nullptr && thread_ == this_thread(); }

void participant::leave() noexcept {
    if (where_ == nullptr || !where_->owned()) return;
    auto& control = where_->slot(slot_);
    // A robust lock is its thread's to give back; from elsewhere it is left to the kernel's word.
    if (is_here()) {
        PERDURE_ASSERT(is_clean(control));
        PERDURE_CRASH_POINT("leave.slot");
        put(control.pid, 0);
        PERDURE_CRASH_POINT("leave.unlock");
        pthread_mutex_unlock(life_of(control));
    }
    where_ = nullptr;
}

}  // namespace perdure::shm

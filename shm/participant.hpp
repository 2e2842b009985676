// SPDX-License-Identifier: Apache-2.0
//
// One writing thread: its slot, its life lock, its undo area; and the repair of a dead one.
//
// Promise     A participant that dies at any instruction is repaired by whoever meets it: what it
//             committed stays, what it had not committed is undone, all it held is given back.
// Death       The kernel's word alone (a robust mutex) says who is dead. Repair is idempotent and
//             its caller may die anywhere in it: the life lock is unlocked last of all.
// Threads     A participant belongs to the thread that joined. try_repair and sweep: any thread.
// Invariants  P1 a clean slot owns nothing: not active, no claim, no undo, no held entry.
//             P2 a slot's words are written by its thread, or by who holds its life lock.
// Format      region_format.hpp, docs/formats/region.md#slots
#pragma once

#include <perdure/shm/region.hpp>

namespace perdure::shm {

enum class life {
    alive,     ///< Its thread holds the life lock.
    gone,      ///< Nobody holds it, and the slot is clean now (repaired if it had to be).
    unusable,  ///< Its undo was garbled: fenced until the region is rebuilt.
};

/// Tests slot `slot` and repairs it if its thread is dead. A slot that is not the caller's own.
life try_repair(region& where, std::uint32_t slot) noexcept;

/// Repairs every unclean slot whose thread is dead; the first duty of whoever attaches.
void sweep(region& where) noexcept;

/// Undoes everything in the slot's undo area, newest first, and makes the undo void.
/// Errors: garbled when an entry is out of bounds; nothing of it is followed then.
result<> undo_all(region& where, std::uint32_t slot) noexcept;

/// Gives back every stripe on the held list that the slot owns, then empties the list.
void release_held(region& where, std::uint32_t slot, bool raise_version = true) noexcept;

/// Takes the life lock of a slot that nobody sits in, repaired and in nobody's undo any more; false
/// when it is not to be had now. give_idle() on the same thread ends it.
bool take_idle(region& where, std::uint32_t slot) noexcept;
void give_idle(region& where, std::uint32_t slot) noexcept;

/// P1.
bool is_clean(const slot_control& slot) noexcept;

class participant {
  public:
    /// Takes a slot. Errors: no_slot, read_only, forked.
    static result<participant> join(region& where) noexcept;

    participant(const participant&) = delete;
    participant& operator=(const participant&) = delete;
    participant(participant&& other) noexcept;
    participant& operator=(participant&& other) noexcept;
    ~participant();

    [[nodiscard]] std::uint32_t slot() const noexcept { return slot_; }
    /// What stands in an owned stripe, gate or ring lock.
    [[nodiscard]] std::uint32_t owner() const noexcept { return slot_ + 1; }
    [[nodiscard]] slot_control& control() const noexcept { return where_->slot(slot_); }
    [[nodiscard]] region& where() const noexcept { return *where_; }
    [[nodiscard]] bool is_here() const noexcept;

  private:
    participant(region& where, std::uint32_t slot, std::uint64_t thread) noexcept
        : where_(&where), slot_(slot), thread_(thread) {}
    void leave() noexcept;

    region* where_ = nullptr;
    std::uint32_t slot_ = 0;
    std::uint64_t thread_ = 0;
};

}  // namespace perdure::shm

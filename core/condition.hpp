// SPDX-License-Identifier: Apache-2.0
//
// How a world is: its figures at one moment, and what they mean for its parts.
//
// Promise     Read from the region alone: it works without a keeper, without files and for who may
//             only read. The same figures give the same health.
// Threads     Pure functions and values; any thread may look.
#pragma once

#include <perdure/shm/region.hpp>
#include <string>
#include <vector>

namespace perdure {

/// A moment's figures, readable without joining.
struct condition {
    std::uint64_t last_lsn = 0;
    std::uint64_t durable_lsn = 0;
    std::uint64_t lag_bytes = 0;  ///< Ring bytes not yet durable.
    std::uint64_t ring_bytes = 0;
    std::uint64_t region_bytes = 0;  ///< Memory taken.
    std::uint64_t capacity_bytes = 0;
    std::uint64_t repairs = 0;
    std::uint64_t repairs_undone = 0;
    std::uint64_t incarnation = 0;
    std::uint64_t generation = 0;
    std::uint64_t keeper_epoch = 0;
    std::uint32_t keeper_pid = 0;  ///< 0 when none has signed or it is dead.
    std::uint32_t participants = 0;
    std::uint64_t fault = 0;       ///< errc that froze durability, 0 while all is well.
    std::uint64_t refusing = 0;    ///< errc that nothing becomes durable for at the moment, or 0.
    std::uint32_t room = 0;        ///< io::room_state of the disk, 0 while nobody has looked.
    std::uint64_t free_bytes = 0;  ///< Of the disk, when the keeper looked.
    std::uint64_t rotten = 0;      ///< Damaged places of its files that scrubbing knows of.
    shm::checkpoint_mark checkpoint{};
    shm::capture_counters captures{};
    std::uint64_t dirty_bytes = 0;      ///< Pages stored to since the last checkpoint.
    std::uint64_t wall_ns = 0;          ///< When this was read.
    std::uint64_t keeper_since_ns = 0;  ///< When the keeper came, by the wall clock.
    /// How far apart checkpoints are to be: as the keeper says; until there is one, as whoever
    /// looks is configured. 0: not by time.
    std::uint64_t checkpoint_every_ns = 0;
    struct participant {
        std::uint32_t slot;
        std::uint64_t pid;
        std::uint64_t thread;
        bool active;
    };
    std::vector<participant> sitting;
};

/// `every_ns` is what the reader knows of checkpoint.every.
[[nodiscard]] condition look_at(shm::region& where, std::uint64_t every_ns);

/// A part of a world that can be ill.
struct component {
    std::string name;
    std::string state;    ///< A word or two.
    int health = 100;     ///< 0 to 100; the world's own is the least of them.
    std::string note{};   ///< The figures behind it.
    std::string alarm{};  ///< What is wrong and what to do; empty while nobody has to do anything.
};

/// journal, checkpoint, files, region, keeper.
[[nodiscard]] std::vector<component> components_of(const condition& now);

}  // namespace perdure

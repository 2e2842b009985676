// SPDX-License-Identifier: Apache-2.0
//
// Where a simulated life takes place: machine, disk, region, and what is known of them.
#pragma once

#include <perdure/io/checkpoint_policy.hpp>
#include <perdure/tests/fault/checkpoint_scene.hpp>
#include <perdure/tests/simulation/chronicle.hpp>
#include <perdure/tests/simulation/shared_disk.hpp>

namespace perdure::tests {

/// How often something happened, over all lives. Lies in memory that processes share.
struct tally {
    std::uint64_t lives, steps, deeds, refusals, durable, reads;
    std::uint64_t tellers_killed, keepers_killed, all_killed, losses, takeovers, stalls;
    std::uint64_t full, incremental, sliced, given_up, failed, retired;
    std::uint64_t faults, stops, clocks, scrubbed;
    std::uint64_t recoveries, from_checkpoint, beyond, refused, moments;
};

struct site {
    explicit site(std::uint64_t seed, tally& into) : by(seed), counts(&into) {}

    machine by;
    tally* counts;
    std::unique_ptr<shared_disk> disk = std::make_unique<shared_disk>(by);
    region_memory memory;
    std::unique_ptr<shm::region> where;
    shm::region_options region;
    io::checkpoint_policy policy;
    std::uint64_t segment_bytes = 16 << 10;
    chronicle past;
    bool ends = false;  ///< Whoever works comes to an end.
    std::string fault;  ///< The first that was found; the life is over.

    void must(bool holds, const std::string& what) {
        if (!holds && fault.empty()) fault = what;
    }
    /// `found`: "" or a fault.
    void must(const std::string& found) { must(found.empty(), found); }
    std::uint64_t draw(std::uint64_t below) { return by.random()() % below; }
    bool in_one_of(std::uint64_t times) { return draw(times) == 0; }
    /// The running task does nothing for a while.
    void rest(std::uint64_t ns_max) {
        static constexpr std::uint32_t nothing = 0;
        by.wait(nothing, 0, std::chrono::nanoseconds(1 + draw(ns_max)));
    }
};

/// Only what the disk's own errors bring about.
inline bool is_of_the_disk(errc why) noexcept {
    return why == errc::durability_lost || why == errc::io_error || why == errc::disk_full ||
           why == errc::lease_lost;
}

}  // namespace perdure::tests

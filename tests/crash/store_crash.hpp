// SPDX-License-Identifier: Apache-2.0
//
// Numbered deaths: a child runs a primitive and dies at its k-th store, the repairer at its j-th,
// the next one at its l-th; whoever is left finishes, and the oracle looks.
#pragma once

#include <perdure/shm/crash_point.hpp>
#include <perdure/tests/crash/stage.hpp>

namespace perdure::tests {

/// The primitive, in a process that may be killed: dies at hit `k`, 0 = never.
void perform(stage& on, shm::region& where, std::uint64_t k);

struct crash_counts {
    std::uint64_t single = 0;
    std::uint64_t nested = 0;
    std::uint64_t twice = 0;
    std::uint64_t points = 0;
};

struct crash_report {
    crash_counts counts;
    std::vector<std::string> faults;  ///< In words, with how to see them again.
};

struct crash_limits {
    unsigned rounds = 1;
    unsigned nested_each = 1;  ///< Every how-manieth death is repaired by somebody who dies.
    unsigned twice_each = 1;   ///< Every how-manieth nested death has one more inside it.
    bool stop_at_fault = false;
    /// The parent's own repairs are counted here; the children count into it too.
    shm::crash_tally* tally = nullptr;
};

/// Takes one primitive through all its deaths.
void crash_everywhere(shared_bytes& memory, const primitive& what, unsigned round,
                      const crash_limits& limits, crash_report& report);

/// A tally that children share.
shm::crash_tally& shared_tally();

}  // namespace perdure::tests

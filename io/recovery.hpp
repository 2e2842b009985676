// SPDX-License-Identifier: Apache-2.0
//
// Checkpoints and journal into a region that nobody else can see.
//
// Promise     The region is the chain of checkpoints with the longest prefix of the journal behind
//             it that verifies, or with a prefix that was asked for; what lies behind is named.
//             Damage before the end is refused, never skipped.
// Threads     One calls; rows and indexes are loaded by as many as there are cores.
#pragma once

#include <perdure/io/manifest.hpp>
#include <perdure/io/opening.hpp>

namespace perdure::io {

/// What a recovery begins with, and where it ends.
struct recovery_plan {
    const checkpoint_entry* newest = nullptr;  ///< Of the chain; nullptr: the journal from LSN 1.
    std::uint64_t lsn_max = ~0ULL;             ///< The last record to be replayed.
    bool accepts_loss = false;                 ///< Damage ends the journal, whatever is behind it.
};

/// What could be begun with, the best first: every chain that was not retired and ends at lsn_max
/// or before it, then the journal alone where it begins with LSN 1.
std::vector<recovery_plan> plans_for(const manifest& promised, std::uint64_t lsn_max);

/// Fills the region and `report`; where the plan accepts loss, the report says what was lost.
/// Errors: damaged, missing, foreign, region_full, no_memory,
/// io_error; the report's `found` says where.
result<> recover(file_system& files, const manifest& promised, const recovery_plan& plan,
                 shm::region& into, opening_report& report);

/// How recover_best() gets regions, and what it asks them.
struct recovery_order {
    std::uint64_t lsn_max = ~0ULL;
    bool oldest_first = false;  ///< As much journal as there is: to check it, not to be quick.
    bool accepts_loss = false;  ///< Of what lies behind damage, and of what a checkpoint proves.
    /// A fresh region in place of the one before; with `more` one that may take more memory.
    std::function<std::unique_ptr<shm::region>(bool more)> fresh;
    std::span<const region_validator> validators{};
};

struct recovered_region {
    std::unique_ptr<shm::region> region;
    std::vector<checkpoint_entry> rejected;  ///< For damage; the newest first.
};

/// From the best of what is there, or the next best where that is refused; the report tells all
/// that was tried. Errors: of the best; its finding is the report's.
result<recovered_region> recover_best(file_system& files, const manifest& promised,
                                      const recovery_order& order, opening_report& report);

}  // namespace perdure::io

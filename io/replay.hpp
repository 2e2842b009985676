// SPDX-License-Identifier: Apache-2.0
//
// The journal's records, from the next one that a loader wants, into its region.
//
// Promise     The longest prefix that verifies, up to the LSN that was asked for; damage before its
//             end is refused, never skipped.
// Threads     One calls; blocks are decoded ahead by as many as there are cores, applied by one.
#pragma once

#include <perdure/io/finding.hpp>
#include <perdure/io/manifest.hpp>
#include <perdure/shm/loader.hpp>

namespace perdure::io {

/// Answers what lies behind the end and was taken for a write that did not finish; empty if
/// nothing. Errors: damaged, missing, foreign, wrong_format, region_full, no_memory, io_error.
result<std::string> replay(file_system& files, const manifest& promised, std::uint64_t lsn_max,
                           shm::loader& loading, std::optional<finding>& found);

}  // namespace perdure::io

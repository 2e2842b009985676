// SPDX-License-Identifier: Apache-2.0
//
// Replays the journal into a region that nobody else can see.
//
// Promise     The region is the replay of the longest prefix of the journal that verifies; what
//             lies behind it is named. Damage before the end is refused, never skipped.
// Threads     One.
#pragma once

#include <perdure/io/manifest.hpp>
#include <perdure/io/opening.hpp>

namespace perdure::io {

/// Errors: damaged, missing, foreign, region_full, no_memory, io_error; `found` says where.
result<> replay(file_system& files, const manifest& promised, shm::region& into,
                opening_report& report, std::optional<finding>& found);

}  // namespace perdure::io

// SPDX-License-Identifier: Apache-2.0
//
// A chain of checkpoints, from the full one to the newest, into a region that nobody else can see.
//
// Promise     The region has the rows of the newest checkpoint's moment, or the finding names the
//             file that does not say what the MANIFEST promises.
// Threads     One calls; sections are unpacked and stored by as many as there are cores.
// Format      docs/formats/checkpoint.md
#pragma once

#include <perdure/io/finding.hpp>
#include <perdure/io/manifest.hpp>
#include <perdure/shm/loader.hpp>

namespace perdure::io {

/// Where rows go.
struct chain_target {
    shm::region& region;
    shm::loader& loading;
};

/// Answers how many rows were read. Errors: damaged, missing, foreign, wrong_format, region_full,
/// no_memory, io_error.
result<std::uint64_t> load_chain(file_system& files, const manifest& promised,
                                 const checkpoint_entry& newest, chain_target into,
                                 std::optional<finding>& found);

}  // namespace perdure::io

// SPDX-License-Identifier: Apache-2.0
//
// From a world's directory to its attached region: finds the one that lives, or rebuilds it.
//
// Promise     A region of this boot that is whole is attached. Else a new one is made of the newest
//             checkpoint that verifies and the journal behind it, to the last block that verifies,
//             or of an older one and more of the journal; files with less than the MANIFEST
//             promises are refused and left as they are.
// Death       A rebuild that dies leaves a file without the region's name; the next one begins
//             again.
// Power loss  The only survivors are journal and checkpoints, and they are enough.
// Threads     One; other processes may open the same world at the same time.
// Invariants  O1 only the holder of the lease rebuilds.  O2 the region gets its name when it is
//             whole.
//             O3 a rebuilt region has a new incarnation, recorded in the MANIFEST before it has a
//             name.  O4 it says which checkpoint is the newest that the MANIFEST promises.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <perdure/io/journal_reader.hpp>
#include <perdure/io/lease.hpp>
#include <perdure/shm/region.hpp>

namespace perdure::io {

/// "" or what is wrong with a recovered region.
using region_validator = std::function<std::string(shm::region&)>;

struct opening_options {
    std::string region_directory;  ///< Empty: /dev/shm, or the world's own where that is too small.
    std::string boot;              ///< Empty: the kernel's boot id.
    /// How long to wait for a process that rebuilds the region, or keeps the world without one.
    std::chrono::milliseconds patience = std::chrono::minutes(1);
    bool may_rebuild = true;
    shm::access mode = shm::access::read_write;
    shm::region_options region;  ///< World, boot and numbers are filled in here.
    /// Asked of a rebuilt region before it is accepted.
    std::vector<region_validator> validators;
};

/// What was tried to bring the state back, and what became of it.
struct recovery_attempt {
    std::string what;     ///< "checkpoint of LSN 42", "journal from LSN 1".
    std::string verdict;  ///< "accepted", or why not.
};

/// What came back, and what that took.
struct recovered_component {
    std::string name;    ///< "checkpoints", "journal", "table balances", "validators".
    std::uint64_t rows;  ///< Of the journal: transactions; of validators: how many asked.
    double milliseconds;
};

struct opening_report {
    bool rebuilt = false;
    std::string reason;  ///< Why the region had to be rebuilt.
    std::string remark;  ///< E.g. that /dev/shm was too small.
    std::string torn_tail;
    std::uint64_t last_lsn = 0;
    std::uint64_t transactions = 0;    ///< That were replayed.
    std::uint64_t checkpoint_lsn = 0;  ///< Of the checkpoint that was loaded, 0 = none.
    std::uint64_t rows = 0;            ///< Loaded from checkpoints.
    std::uint64_t lost = 0;            ///< Records proven durable and given up; 0 unless allowed.
    std::vector<recovery_attempt> tried;
    std::vector<recovered_component> components;  ///< One behind those it needs.
    std::optional<finding> found;                 ///< Where and why the last one tried was refused.
    double load_ms = 0;
    double replay_ms = 0;
    double index_ms = 0;
    double milliseconds = 0;
};

/// Whether there is journal or a checkpoint, also without a MANIFEST: what a world has written is
/// nobody's to overwrite.
[[nodiscard]] bool holds_history(const std::string& directory);

/// Makes the directory, journal/ and MANIFEST of an empty world.
/// Throws failure: exists, disk_full, io_error.
void create_world(file_system& files, const std::string& directory);

/// Called on a rebuilt region before anybody else can see it: what core uses to lay its tables.
using region_dressing = std::function<void(shm::region&)>;

/// Throws failure: missing (no world), foreign, wrong_format, damaged, lease_held, no_memory,
/// io_error.
std::unique_ptr<shm::region> open_world(file_system& files, const std::string& directory,
                                        const opening_options& options, opening_report& report,
                                        const region_dressing& dress);

/// Where the world's region lies or would lie: name of the file, without looking for it.
std::string region_name(const std::string& directory, const uuid& world);

}  // namespace perdure::io

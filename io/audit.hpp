// SPDX-License-Identifier: Apache-2.0
//
// Reads every table by its schema and says whether the world is sound.
//
// Promise     Two worlds with the same logical content have the same state_hash, on any machine, in
//             any order of work; image_hash says the same of rows, their numbers, LSNs and
//             generations.
// Threads     One. take_image() wants the region still; everything else works on the copy.
// Format      docs/formats/hashes.md
#pragma once

#include <perdure/io/file.hpp>
#include <perdure/shm/region.hpp>
#include <perdure/shm/schema.hpp>
#include <string>
#include <vector>

namespace perdure::io {

/// One table's rows as they were at one moment, in row order.
struct table_image {
    std::uint32_t number;
    shm::schema shape;
    std::uint32_t heap;           ///< Table number of the chunks of its blobs, 0 = none.
    std::vector<std::byte> rows;  ///< row_bytes each, freed ones included.
    std::vector<std::string> problems;
};

struct image {
    std::vector<table_image> tables;  ///< Without derived ones.
    std::uint64_t last_lsn = 0;
};

struct audit {
    std::string state_hash;  ///< BLAKE2b-256, hexadecimal.
    std::string image_hash;
    bool conserved = false;
    std::vector<std::string> problems;
};

/// Copies all tables and checks each index against its rows. Requires: no transaction is active and
/// none begins: the gate is closed by the caller.
image take_image(shm::region& where);

/// Reads every promised checkpoint, byte for byte, and its links; what is wrong with them.
std::vector<std::string> check_checkpoints(file_system& files, const std::string& directory);

/// Reads the whole journal; what is wrong with it, or that it ends before `durable_lsn`.
std::vector<std::string> check_journal(file_system& files, const std::string& directory,
                                       std::uint64_t durable_lsn);

/// Hashes the copy, sums its balanced fields, looks for what cannot be.
audit examine(const image& taken);

/// Sums the balanced fields of all rows: "" when each group's sum is zero, else which is not.
/// Requires: nobody else can see the region, or the gate is closed.
std::string why_unbalanced(shm::region& where);

}  // namespace perdure::io

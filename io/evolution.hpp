// SPDX-License-Identifier: Apache-2.0
//
// Tables whose fields were reordered, moved or added since a checkpoint was taken: its rows are
// read by the names of their fields.
//
// Promise     Every field that both schemas have keeps its value, a new one is zero, rows keep
//             their numbers, generations and LSNs; indexes are built anew. What cannot be carried
//             over is refused before a row is read, never guessed: a field that would go (unless
//             that is allowed), another type or width, a lower version, a key that comes or goes.
// Death       The region is one that nobody else can see.
// Threads     Pure functions; load_evolved() by one thread.
// Invariants  V1 only a full checkpoint of one moment is read so. Records of the journal are words
//                of the old rows: they are replayed before, into the old layout.
#pragma once

#include <perdure/io/checkpoint_file.hpp>
#include <perdure/io/table_archive.hpp>
#include <perdure/shm/region.hpp>

namespace perdure::io {

struct evolution {
    std::vector<shm::schema> wanted;  ///< By name; tables that are not named stay as they are.
    bool may_drop = false;            ///< Fields that are not wanted any more may go.
};

/// A checkpoint's tables as they become.
struct evolved_tables {
    std::vector<stored_schema> tables;
    std::vector<std::string> changed;  ///< Names.
};

/// Errors: bad_schema, schema_mismatch, too_many_tables; `why` says which table and what of it.
result<evolved_tables> evolve(std::span<const stored_schema> stored, const evolution& to,
                              std::string& why);

/// True when a table of `where` is not as wanted. Errors: as shm::read_schema.
result<bool> is_evolved(shm::region& where, const evolution& to);

/// Fills a fresh region. Requires: a full checkpoint of one moment (V1).
/// Errors: as evolve(), and damaged, region_full, no_memory, io_error.
result<evolved_tables> load_evolved(const checkpoint_reader& from, const evolution& to,
                                    shm::region& into, std::string& why);

}  // namespace perdure::io

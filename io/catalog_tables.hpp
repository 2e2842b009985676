// SPDX-License-Identifier: Apache-2.0
//
// The schema of WORLD/catalog.db, as SQL. Changing it means another catalog_schema_version: files
// of the old one are set aside.
//
// Format      docs/formats/catalog.md
#pragma once

#include <array>

namespace perdure::io {

struct catalog_table {
    const char* name;
    const char* sql;  ///< To the letter as sqlite_master keeps it: that is how a file is known.
};

inline constexpr std::array<catalog_table, 4> catalog_tables{{
    {"checkpoints", R"(CREATE TABLE checkpoints (
    id TEXT NOT NULL PRIMARY KEY,
    lsn INTEGER NOT NULL,
    parent TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('full', 'incremental')),
    created_ns INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    raw_bytes INTEGER NOT NULL,
    stored_bytes INTEGER NOT NULL,
    capture_us INTEGER NOT NULL,
    cut_us INTEGER NOT NULL,
    write_ms INTEGER NOT NULL,
    "trigger" TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('valid', 'retired', 'rejected', 'failed')),
    note TEXT NOT NULL
))"},
    {"recoveries", R"(CREATE TABLE recoveries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ns INTEGER NOT NULL,
    incarnation INTEGER NOT NULL,
    reason TEXT NOT NULL,
    source TEXT NOT NULL,
    tried TEXT NOT NULL,
    last_lsn INTEGER NOT NULL,
    lost_transactions INTEGER NOT NULL,
    milliseconds INTEGER NOT NULL,
    phases TEXT NOT NULL
))"},
    {"components", R"(CREATE TABLE components (
    name TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL,
    health INTEGER NOT NULL CHECK (health BETWEEN 0 AND 100),
    last_activity_ns INTEGER NOT NULL,
    note TEXT NOT NULL
))"},
    {"validations", R"(CREATE TABLE validations (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ns INTEGER NOT NULL,
    kind TEXT NOT NULL,
    lsn INTEGER NOT NULL,
    score INTEGER NOT NULL CHECK (score BETWEEN 0 AND 100),
    problems INTEGER NOT NULL,
    note TEXT NOT NULL
))"},
}};

}  // namespace perdure::io

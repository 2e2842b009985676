// SPDX-License-Identifier: Apache-2.0
//
// What an import did, counted; for people, for programs, and line by line as a file.
//
// Threads     Values; the main thread prints.
#pragma once

#include <cstdint>
#include <string>

#include <perdure/apps/cli/command.hpp>
#include <perdure/apps/import/part.hpp>
#include <perdure/apps/import/plan.hpp>
#include <perdure/core/import_log.hpp>
#include <perdure/core/world.hpp>

namespace perdure::apps {

/// The sums over all workers.
struct import_totals {
    std::uint64_t done = 0;
    std::uint64_t applied = 0;
    std::uint64_t already_applied = 0;
    std::uint64_t refused = 0;
    std::uint64_t malformed = 0;
    std::array<std::uint64_t, refusal_reasons.size()> refused_by{};
    std::uint64_t compared = 0;
    std::uint64_t equal = 0;
    std::uint64_t departures = 0;
    std::uint64_t difference_max = 0;

    static import_totals of(const import_page& page);
};

struct import_outcome {
    const import_order& order;
    const import_identity& identity;
    const file_survey& seen;
    const import_page& page;
    double seconds;
};

/// To standard error what was left out, to standard output one line or one object.
void report(const import_outcome& outcome);

/// One CSV line for each line of the file that was refused or malformed, in their order.
/// Throws failure: io_error.
void list_refused(const import_outcome& outcome, const import_log& log, session& by);

}  // namespace perdure::apps

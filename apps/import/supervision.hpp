// SPDX-License-Identifier: Apache-2.0
//
// Starts an import's workers and watches them to their end.
//
// Death       A worker that dies ends the import with a failure; the others are killed then. What
//             they applied stays, and the next run goes on.
// Threads     The main thread.
#pragma once

#include <string_view>
#include <vector>

#include <perdure/apps/cli/child.hpp>
#include <perdure/apps/cli/command.hpp>
#include <perdure/apps/import/part.hpp>

namespace perdure::apps {

/// What --on-bad-line stop says to do.
inline constexpr std::string_view what_to_do_at_a_stop =
    "The lines before it are applied. With --on-bad-line skip the same command goes on behind it; "
    "a file that is mended is another import, and would apply them once more.";

/// `told.of` of them. Throws failure: io_error.
[[nodiscard]] std::vector<child> start_workers(part_order told, const shared_page& page);

/// Until all have ended. Throws failure when one did not end well; the others are stopped then.
void supervise(const import_order& order, std::uint64_t lines, std::vector<child>& workers,
               const import_page& page);

}  // namespace perdure::apps

// SPDX-License-Identifier: Apache-2.0
//
// The demo's world once more, as it was in the middle of the play.
//
// Threads     The parent's main thread.
#pragma once

#include <perdure/apps/demo/books.hpp>

namespace perdure::apps {

struct restored_past {
    std::uint64_t lsn = 0;
    double milliseconds = 0;
    std::uint64_t misplaced = 0;  ///< Trades that are there and should not be, or the reverse.
    bool conserved = false;
};

/// Restores the world in `directory` to record `lsn`, beside it, and compares it with the books.
/// Nothing of it is left behind. Throws failure.
[[nodiscard]] restored_past restore_then(const std::string& directory, std::uint64_t lsn,
                                         const outside_books& books);

}  // namespace perdure::apps

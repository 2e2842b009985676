// SPDX-License-Identifier: Apache-2.0
//
// Memory made ready before a table wants it: committed, cleared and mapped by somebody who has the
// time, so that who fills a table meets neither the file system nor a page fault for each page.
//
// Promise     Only time depends on it: who needs a page that is not ready commits it itself. At
//             most a quarter of what the tables have taken is held ready, and 64 MiB.
// Death       Committing is idempotent (region.hpp), clearing touches no byte that is in use.
// Threads     One object, one thread; beside any number of writers.
#pragma once

#include <perdure/shm/region.hpp>

namespace perdure::shm {

class page_reserve {
  public:
    explicit page_reserve(region& where) noexcept : where_(&where) {}

    /// Makes the next portion ready, 1 MiB at most, and says how many bytes that were; 0: there was
    /// nothing to do, or no memory.
    std::uint64_t step() noexcept;

  private:
    region* where_;
    std::uint64_t ready_ = 0;    ///< Offset up to which this object knows memory to be ready.
    std::uint64_t refused_ = 0;  ///< Pages that were taken when there was no memory for more.
};

}  // namespace perdure::shm

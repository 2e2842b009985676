// SPDX-License-Identifier: Apache-2.0
//
// What the keeper does about values that were replaced while they were long, and about those that
// dead processes had begun to write: frees them in bounded steps (shm/blob.hpp).
//
// Promise     No chunk of a value is lost for longer than the keeper is away.
// Death       Every step is a transaction.
// Threads     One object, one thread: the keeper's.
#pragma once

#include <optional>
#include <perdure/shm/blob.hpp>

namespace perdure {

class leftovers {
  public:
    leftovers(shm::region& where, const shm::blob_heap& blobs) noexcept
        : where_(&where), blobs_(blobs) {}

    /// A bounded piece of work. What cannot be done now is met again by the next step.
    void step() noexcept;

  private:
    shm::region* where_;
    shm::blob_heap blobs_;
    std::optional<shm::session> self_;  // Joined while there is something to free.
};

}  // namespace perdure

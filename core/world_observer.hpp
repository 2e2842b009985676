// SPDX-License-Identifier: Apache-2.0
//
// What a keeper tells the historian of its world's parts, while it keeps and when it ends.
//
// Promise     Nothing is told by a process that only stands by. The keeper waits for nobody here.
// Threads     The keeper's.
#pragma once

#include <perdure/core/condition.hpp>
#include <perdure/io/historian.hpp>

namespace perdure {

class observer {
  public:
    observer(shm::region& where, io::historian& to, std::uint64_t checkpoint_every_ns) noexcept
        : where_(&where), to_(&to), checkpoint_every_ns_(checkpoint_every_ns) {}
    observer(const observer&) = delete;
    observer& operator=(const observer&) = delete;
    ~observer() { to_->rest(); }

    /// At every turn of the keeper; looks every ten seconds.
    void step();
    /// When it keeps no more.
    void end();

  private:
    [[nodiscard]] std::vector<io::component_fact> look();

    shm::region* where_;
    io::historian* to_;
    std::uint64_t checkpoint_every_ns_;
    std::uint64_t next_ns_ = 0;
    bool is_keeping_ = false;
    condition before_{};
    std::uint64_t written_ns_ = 0;  ///< When the durable mark was seen to have moved.
};

}  // namespace perdure

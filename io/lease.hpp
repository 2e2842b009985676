// SPDX-License-Identifier: Apache-2.0
//
// The keeper's lease: an OFD lock on WORLD/lock. Whoever holds it may write the world's files.
//
// Promise     At most one holder. Raising the fencing epoch in the region is the new holder's first
//             act, so a holder that was replaced notices before its next write (keeper.hpp).
// Death       The lock dies with its process's descriptor; nobody has to declare anybody dead. A
//             child that was forked and not exec'd keeps it alive (docs/limits.md).
// Threads     One object, one thread at a time.
#pragma once

#include <perdure/io/file.hpp>

namespace perdure::io {

class lease {
  public:
    lease(file_system& files, std::string directory) noexcept
        : files_(&files), directory_(std::move(directory)) {}

    /// Errors: lease_held when somebody else has it, io_error, disk_full.
    result<> take();
    void give_back() noexcept;
    [[nodiscard]] bool is_held() const noexcept { return held_; }

  private:
    file_system* files_;
    std::string directory_;
    file lock_;
    bool held_ = false;
};

}  // namespace perdure::io

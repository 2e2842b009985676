// SPDX-License-Identifier: Apache-2.0
//
// The memory of a channel, made by the keeper as a file without a name and mapped by both sides.
//
// Promise     The plugin's side can neither shrink nor grow it: what the keeper has mapped stays
//             there.
// Death       It goes with the last of the two processes.
// Threads     As message_ring.hpp.
#pragma once

#include <perdure/plugins/host/message_ring.hpp>

namespace perdure::plugins {

class channel {
  public:
    /// Throws failure: no_memory, io_error.
    static channel create();
    /// Of a descriptor that was inherited; it is closed. Throws failure: foreign, io_error.
    static channel adopt(int file);

    channel(const channel&) = delete;
    channel& operator=(const channel&) = delete;
    channel(channel&& other) noexcept;
    channel& operator=(channel&& other) noexcept;
    ~channel();

    [[nodiscard]] channel_header& header() const noexcept { return *header_; }
    [[nodiscard]] ring_place down() const noexcept;
    [[nodiscard]] ring_place up() const noexcept;
    /// For the child; -1 on the side that adopted it.
    [[nodiscard]] int file() const noexcept { return file_; }

  private:
    channel() = default;
    void map();

    int file_ = -1;
    channel_header* header_ = nullptr;
};

}  // namespace perdure::plugins

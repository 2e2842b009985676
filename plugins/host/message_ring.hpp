// SPDX-License-Identifier: Apache-2.0
//
// One direction of a channel: messages of any length, one writer, one reader, two processes.
//
// Promise     A message arrives whole, in order, or not at all. The reader copies it before anybody
//             looks at it, so that nobody changes what was judged; what breaks M1 or M2 is garbled,
//             and nothing behind it is read.
// Death       Of either side: the other one's waits end with their time. A message whose writer
//             died before it was whole is not there.
// Threads     One writer, one reader; each end belongs to one thread.
// Invariants  M1 and M2 of channel_format.hpp.
#pragma once

#include <perdure/plugins/host/channel_format.hpp>
#include <perdure/shm/error.hpp>
#include <perdure/shm/park.hpp>
#include <span>
#include <vector>

namespace perdure::plugins {

struct message {
    message_kind kind{};
    std::uint64_t number = 0;
    std::span<const std::byte> payload;  ///< Until the next receive().
};

/// Where a ring lies.
struct ring_place {
    ring_marks* marks = nullptr;
    std::byte* bytes = nullptr;
};

class message_writer {
  public:
    explicit message_writer(ring_place where) noexcept;

    /// Errors: value_too_large; stalled when the reader makes no room in time; garbled.
    result<> send(message_kind kind, std::uint64_t number, std::span<const std::byte> front,
                  std::span<const std::byte> back, std::uint64_t until_ns) noexcept;

  private:
    result<> await_room(std::uint64_t bytes, std::uint64_t until_ns) noexcept;
    void store(std::uint64_t at, std::span<const std::byte> bytes) noexcept;

    ring_place ring_;
    std::uint64_t tail_;  // Our own: the shared one is what the reader is told.
};

class message_reader {
  public:
    explicit message_reader(ring_place where);

    /// The next message; kind 0 when there is none until then. Errors: garbled.
    result<message> receive(std::uint64_t until_ns) noexcept;

  private:
    result<bool> has_more() const noexcept;
    result<> take(message& out) noexcept;
    void copy(std::uint64_t at, std::span<std::byte> out) const noexcept;

    ring_place ring_;
    std::uint64_t head_;
    std::vector<std::byte> copy_;
};

}  // namespace perdure::plugins

// SPDX-License-Identifier: Apache-2.0
//
// The events that a plugin follows, from its cursor on, as messages for it.
//
// Promise     Every event of a followed type is handed over once by each feed, in order; a call's
//             events are those of whole records.
// Threads     One.
#pragma once

#include <perdure/core/event_catalogue.hpp>
#include <perdure/core/world.hpp>
#include <perdure/plugins/host/channel_format.hpp>
#include <set>

namespace perdure::plugins {

class event_feed {
  public:
    static constexpr std::size_t payload_bytes_max = 128U << 10;
    static constexpr std::uint64_t events_max = 512;

    /// `follow` empty: all types. `from` stands behind the cursor.
    event_feed(subscription from, const event_catalogue& known, const std::set<std::string>& follow,
               std::uint64_t cursor);

    struct batch {
        std::uint64_t first_lsn = 0;
        std::uint64_t last_lsn = 0;  ///< Everything up to it has been looked at.
        std::uint64_t events = 0;
        std::span<const std::byte> payload;  ///< An events_message. Until the next call.
    };
    /// What has come, up to some hundred events. Errors: the subscription's, garbled,
    /// value_too_large (a record whose events do not fit).
    result<batch> next(std::uint64_t world_ns);

  private:
    [[nodiscard]] bool is_followed(std::uint16_t type) const noexcept;
    result<bool> add(const shm::record_view& record);

    subscription from_;
    bool follows_all_;
    std::set<std::uint16_t> followed_;
    shm::record_walk rest_{std::span<const std::byte>()};
    std::optional<shm::record_view> held_;  // A record that did not fit any more.
    std::vector<std::byte> payload_;
    std::uint64_t lsn_;
    std::uint64_t count_ = 0;
};

}  // namespace perdure::plugins

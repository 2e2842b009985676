// SPDX-License-Identifier: Apache-2.0
//
// The events of one call of on_events, and what they carry.
//
// Threads     As perdure_plugin.h: gone when the call is.
#pragma once

#include <type_traits>

#include <perdure/plugins/sdk/service.hpp>

namespace perdure {

/// The events of one call: for (const perdure_event& each : events).
class event_list {
  public:
    event_list(const perdure_event* first, std::uint64_t count, std::uint64_t first_lsn,
               std::uint64_t last_lsn) noexcept
        : first_(reinterpret_cast<const char*>(first)),
          stride_(count == 0 ? 0 : first->size),
          count_(count),
          first_lsn_(first_lsn),
          last_lsn_(last_lsn) {}

    /// A newer host's events are longer than ours: they are stepped over by their own length.
    class iterator {
      public:
        iterator(const char* at, std::uint64_t stride) noexcept : at_(at), stride_(stride) {}
        perdure_event operator*() const noexcept {
            return sdk::known_part(reinterpret_cast<const perdure_event*>(at_));
        }
        iterator& operator++() noexcept {
            at_ += stride_;
            return *this;
        }
        bool operator!=(const iterator& other) const noexcept { return at_ != other.at_; }

      private:
        const char* at_;
        std::uint64_t stride_;
    };
    [[nodiscard]] iterator begin() const noexcept { return {first_, stride_}; }
    [[nodiscard]] iterator end() const noexcept { return {first_ + count_ * stride_, stride_}; }
    [[nodiscard]] std::uint64_t size() const noexcept { return count_; }
    [[nodiscard]] std::uint64_t first_lsn() const noexcept { return first_lsn_; }
    /// The position to commit when all of them are done.
    [[nodiscard]] std::uint64_t last_lsn() const noexcept { return last_lsn_; }

  private:
    const char* first_;
    std::uint64_t stride_;
    std::uint64_t count_;
    std::uint64_t first_lsn_;
    std::uint64_t last_lsn_;
};

/// The payload, as far as it goes; the rest is zero.
template <class Payload>
Payload payload_of(const perdure_event& event) noexcept {
    static_assert(std::is_trivially_copyable_v<Payload>, "a payload is copied as bytes");
    Payload out{};
    std::memcpy(&out, event.payload, std::min<std::size_t>(event.payload_bytes, sizeof out));
    return out;
}

}  // namespace perdure

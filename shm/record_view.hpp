// SPDX-License-Identifier: Apache-2.0
//
// A committed record as its readers see it: header, events, row changes, each bounds-checked.
//
// Promise     Nothing outside of the record's own bytes is ever read, whatever they hold. What is
//             not as record_format.hpp says answers garbled and is not handed out in part.
// Threads     Values over bytes that the caller keeps.
// Format      record_format.hpp
#pragma once

#include <cstring>
#include <optional>
#include <perdure/shm/error.hpp>
#include <perdure/shm/record_format.hpp>
#include <span>

namespace perdure::shm {

struct event_view {
    std::uint16_t type = 0;
    std::uint16_t version = 0;
    std::span<const std::byte> payload;

    /// The payload as a struct of this or of an older version: fields are only ever appended.
    /// Errors: garbled when the payload is shorter.
    template <mapped Event>
    [[nodiscard]] result<Event> as() const noexcept {
        if (payload.size() < sizeof(Event)) return errc::garbled;
        Event copy;
        std::memcpy(&copy, payload.data(), sizeof copy);
        return copy;
    }
};

/// The events of a record whose lengths have been checked.
class event_range {
  public:
    class iterator {
      public:
        iterator(const std::byte* at, std::uint32_t left) noexcept : at_(at), left_(left) {}
        event_view operator*() const noexcept {
            const event_header header = read();
            return {
                header.type, header.version, {at_ + sizeof header, header.bytes - sizeof header}};
        }
        iterator& operator++() noexcept {
            at_ += read().bytes;
            --left_;
            return *this;
        }
        friend bool operator==(const iterator& a, const iterator& b) noexcept {
            return a.left_ == b.left_;
        }

      private:
        [[nodiscard]] event_header read() const noexcept {
            event_header header;
            std::memcpy(&header, at_, sizeof header);
            return header;
        }
        const std::byte* at_;
        std::uint32_t left_;
    };

    event_range() = default;
    event_range(const std::byte* first, std::uint32_t count) noexcept
        : first_(first), count_(count) {}
    [[nodiscard]] iterator begin() const noexcept { return {first_, count_}; }
    [[nodiscard]] iterator end() const noexcept { return {first_, 0}; }
    [[nodiscard]] std::uint32_t size() const noexcept { return count_; }

  private:
    const std::byte* first_ = nullptr;
    std::uint32_t count_ = 0;
};

/// One row change: `words` follow it, one for each bit of the mask.
struct change_view {
    change_header header{};
    std::span<const std::byte> words;
    std::uint32_t number = 0;  ///< Counted from 1 in its record.

    /// What the row's word `index` gained, modulo 2^64; 0 when it did not change.
    [[nodiscard]] std::uint64_t gained(std::uint32_t index) const noexcept;
};

class record_view {
  public:
    /// The record at the front of `bytes`. Checks its lengths, up to the last event. The checksum
    /// is the business of who read it from a file. Errors: garbled.
    static result<record_view> front_of(std::span<const std::byte> bytes) noexcept;

    [[nodiscard]] std::uint64_t lsn() const noexcept { return header_.lsn; }
    /// The transaction died after its claim, or had to run again: nothing happened.
    [[nodiscard]] bool is_padding() const noexcept {
        return header_.state == static_cast<std::uint16_t>(record_state::padding);
    }
    [[nodiscard]] const transaction_header& transaction() const noexcept { return transaction_; }
    [[nodiscard]] const std::optional<transaction_key>& key() const noexcept { return key_; }
    [[nodiscard]] const event_range& events() const noexcept { return events_; }
    [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }

    /// Moves `change` to the next row change; begins with an empty one. False: there is no other.
    /// Errors: garbled.
    result<bool> next(change_view& change) const noexcept;

  private:
    record_header header_{};
    transaction_header transaction_{};
    std::optional<transaction_key> key_;
    event_range events_;
    std::span<const std::byte> bytes_;
    std::size_t changes_at_ = 0;
};

/// Walks records that stand behind each other.
class record_walk {
  public:
    explicit record_walk(std::span<const std::byte> records) noexcept : rest_(records) {}

    /// False: they are at their end. Errors: garbled; the walk ends there.
    result<bool> next(record_view& record) noexcept;

  private:
    std::span<const std::byte> rest_;
};

}  // namespace perdure::shm

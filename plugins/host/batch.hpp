// SPDX-License-Identifier: Apache-2.0
//
// A batch of commands and states: put together on the plugin's side, taken apart on the keeper's.
//
// Promise     What take_apart() accepts keeps A1 to A4 and every limit of batch_format.hpp: whoever
//             walks it afterwards checks no lengths. The bytes must be the reader's own: nobody may
//             change them meanwhile.
// Threads     Values.
// Format      batch_format.hpp
#pragma once

#include <perdure/plugins/abi/perdure_plugin.h>

#include <perdure/plugins/host/batch_format.hpp>
#include <perdure/shm/error.hpp>
#include <span>
#include <vector>

namespace perdure::plugins {

/// Whose batch it is, and which.
struct batch_origin {
    shm::transaction_key world;
    shm::transaction_key plugin;
    std::uint64_t generation = 0;
    std::uint64_t window = 0;
};

class batch_writer {
  public:
    /// Errors: bad_command (kind, size, payload), transaction_too_large. Nothing was added then.
    result<> add(const perdure_command& command);
    /// Errors: bad_name (the key's length), value_too_large, transaction_too_large.
    result<> put(std::span<const std::byte> key, std::span<const std::byte> value);
    result<> erase(std::span<const std::byte> key);
    void clear() noexcept;

    /// The whole of it. Valid until the next call.
    std::span<const std::byte> finish(const batch_origin& origin, std::uint64_t position);

  private:
    result<> add_state(std::span<const std::byte> key, std::span<const std::byte> value,
                       std::uint32_t value_bytes);
    void append(std::span<const std::byte> more);

    std::vector<std::byte> commands_;
    std::vector<std::byte> states_;
    std::vector<std::byte> whole_;
    std::uint32_t command_count_ = 0;
    std::uint32_t state_count_ = 0;
};

struct command_view {
    batch_command command;
    std::span<const std::byte> payload;
};

struct state_view {
    std::span<const std::byte> key;
    std::span<const std::byte> value;
    bool is_erased = false;
};

struct batch_view {
    batch_header header;
    std::vector<command_view> commands;
    std::vector<state_view> states;
};

/// Errors: garbled when it breaks a rule of the format. Memory is bounded by the batch's limits.
result<batch_view> take_apart(std::span<const std::byte> bytes);

}  // namespace perdure::plugins

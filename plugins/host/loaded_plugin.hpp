// SPDX-License-Identifier: Apache-2.0
//
// A plugin in this process: found, asked what it is, made, and called by messages.
//
// Promise     A plugin of another interface is refused field by field before any of it but its
//             constructors and its entry has run.
// Threads     One: the plugin's.
#pragma once

#include <perdure/plugins/host/channel_format.hpp>
#include <perdure/plugins/host/services.hpp>

namespace perdure::plugins {

class loaded_plugin {
  public:
    /// Loads the file and makes the plugin; never unloaded. Throws failure: bad_plugin, wrong_abi,
    /// plugin_failed.
    loaded_plugin(const std::string& path, std::unique_ptr<services> given);
    loaded_plugin(const loaded_plugin&) = delete;
    loaded_plugin& operator=(const loaded_plugin&) = delete;

    [[nodiscard]] ready_message about() const noexcept;

    /// Makes the call and answers the plugin's status; PERDURE_OK where it has no such function.
    /// Errors: garbled when the payload is not what its kind has.
    result<std::int32_t> call(message_kind kind, std::span<const std::byte> payload);

  private:
    void check(const perdure_plugin_api& api) const;
    result<std::int32_t> tick(std::span<const std::byte> payload);
    result<std::int32_t> told(std::span<const std::byte> payload);
    result<std::int32_t> change(message_kind kind, std::span<const std::byte> payload);

    std::string path_;
    std::unique_ptr<services> services_;
    perdure_plugin_api api_{};  // As far as the plugin's own reaches; what is behind is null.
    void* plugin_ = nullptr;
    std::uint64_t generation_ = 0;
    std::vector<perdure_event> events_;
};

}  // namespace perdure::plugins

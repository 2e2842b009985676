// SPDX-License-Identifier: Apache-2.0
//
// Events as people and programs read them: by the catalogue in the region, with the names of
// accounts and assets and amounts in the asset's scale.
//
// Promise     An event that nobody declared is printed as its number and its bytes. What is printed
//             has no control characters and is valid UTF-8, whatever the region holds.
// Threads     One thread.
#pragma once

#include <boost/json.hpp>
#include <perdure/core/world.hpp>
#include <string>
#include <unordered_map>

namespace perdure::apps {

/// "alice", "@17" or 24 hexadecimal digits back to an id. Throws failure: bad_setting.
[[nodiscard]] account_id account_named(const std::string& text);

/// "2026-11-21T18:03:11.123Z".
[[nodiscard]] std::string time_text(std::uint64_t wall_ns);

/// Without control characters and broken UTF-8.
[[nodiscard]] std::string shown(std::string_view text);

/// The type that bears this name among those declared. Throws failure: unknown_event.
[[nodiscard]] std::uint16_t type_named(std::span<const event_declaration> declared,
                                       const std::string& name);

class event_text {
  public:
    explicit event_text(const world& in) : in_(&in), by_(in.reader()) {}

    struct asset_facts {
        std::string code;
        int scale = 0;
    };
    [[nodiscard]] const asset_facts& asset(std::uint32_t asset);
    [[nodiscard]] const std::string& account(const account_words& account);

    /// The event's name and version, and its fields.
    [[nodiscard]] std::string name(const shm::event_view& event) const;
    [[nodiscard]] boost::json::object fields(const shm::event_view& event);
    /// "source=alice target=bob amount=2.50 …".
    [[nodiscard]] std::string line(const shm::event_view& event);

  private:
    [[nodiscard]] boost::json::value value(const event_declaration& known, const event_field& field,
                                           const shm::event_view& event);

    const world* in_;
    shm::reader by_;
    std::unordered_map<std::uint32_t, asset_facts> assets_;
    std::unordered_map<std::string, std::string> accounts_;
};

}  // namespace perdure::apps

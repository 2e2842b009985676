// SPDX-License-Identifier: Apache-2.0
//
// Which events a consumer wants: by type, by account, by asset, from the catalogue alone.
//
// Promise     An event of a type that nobody declared passes only a filter that asks for nothing,
//             or for its type by number.
// Threads     A value.
#pragma once

#include <perdure/core/event_catalogue.hpp>
#include <perdure/core/id.hpp>

namespace perdure {

struct event_filter {
    std::vector<std::uint16_t> only;    ///< Of these types; empty: of all.
    std::optional<account_id> account;  ///< Any of the event's accounts.
    std::optional<asset_id> asset;

    [[nodiscard]] bool passes(const event_catalogue& catalogue,
                              const shm::event_view& event) const noexcept;
};

}  // namespace perdure

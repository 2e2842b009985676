// SPDX-License-Identifier: Apache-2.0
//
// An author may use the engine's own headers beside the SDK: no name of one is a name of the other.
#include <perdure/core/world.hpp>

#include <perdure/core/event_catalogue.hpp>
#include <perdure/core/ledger_format.hpp>
#include <perdure/core/projection.hpp>
#include <perdure/plugins/host/manifest.hpp>
#include <perdure/plugins/sdk/plugin.hpp>

namespace perdure {

// Unqualified names mean the SDK's where both are seen.
static_assert(std::is_class_v<batch> && std::is_class_v<host> && std::is_class_v<money>);
static_assert(std::is_class_v<units> && std::is_class_v<remark> && std::is_class_v<refused>);
static_assert(std::is_enum_v<status> && std::is_class_v<event_list>);

// What a plugin is told in numbers is what the engine answers.
static_assert(static_cast<int>(status::busy) == static_cast<int>(errc::busy));
static_assert(static_cast<int>(status::not_found) == static_cast<int>(errc::not_found));
static_assert(static_cast<int>(status::insufficient_funds) ==
              static_cast<int>(errc::insufficient_funds));
static_assert(static_cast<int>(status::value_too_large) == static_cast<int>(errc::value_too_large));
static_assert(static_cast<int>(status::plugin_failed) == static_cast<int>(errc::plugin_failed));
static_assert(static_cast<int>(status::not_granted) == static_cast<int>(errc::not_granted));
static_assert(static_cast<int>(status::grant_exceeded) == static_cast<int>(errc::grant_exceeded));
static_assert(static_cast<int>(status::stale_generation) ==
              static_cast<int>(errc::stale_generation));
static_assert(static_cast<int>(status::out_of_step) == static_cast<int>(errc::out_of_step));
static_assert(static_cast<int>(status::bad_command) == static_cast<int>(errc::bad_command));

}  // namespace perdure

// SPDX-License-Identifier: Apache-2.0
//
// From world.toml, variables and flags to what core and io are opened with.
//
// Promise     The order is fixed: standard, world.toml, PERDURE_<SECTION>_<KEY>, --set.
// Threads     The main thread.
#pragma once

#include <perdure/apps/cli/command.hpp>
#include <perdure/core/world.hpp>
#include <perdure/io/config.hpp>
#include <perdure/io/log.hpp>

namespace perdure::apps {

/// Throws failure: bad_setting, io_error.
[[nodiscard]] io::config read_config(const world_choice& where);

[[nodiscard]] io::log_options log_from(const io::config& config, const std::string& directory);

/// Opens the world as configured. Throws failure: as world::open.
[[nodiscard]] world open_world(const world_choice& where);

/// The same for reading alone, from a region that is there: never recovers.
[[nodiscard]] world open_reader(const world_choice& where);

/// True when --at or --lsn was given.
[[nodiscard]] bool is_past(const world_choice& where) noexcept;

/// What --at and --lsn say. Throws failure: bad_query.
[[nodiscard]] io::past_point point_of(const world_choice& where);

}  // namespace perdure::apps

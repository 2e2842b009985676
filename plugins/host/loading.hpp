// SPDX-License-Identifier: Apache-2.0
//
// What an operator does with plugins of a world, whether or not anybody keeps it: whoever keeps it
// follows what stands in the registry.
//
// Promise     A plugin whose file, manifest or rights do not fit the world is refused by name
//             before anything changes. What it is granted is what its manifest lists.
// Death       Everything is one transaction, behind a file in the store that nobody misses.
// Threads     The session's.
#pragma once

#include <perdure/core/world.hpp>
#include <perdure/plugins/host/plugin_file.hpp>
#include <perdure/plugins/host/registry.hpp>

namespace perdure::plugins {

struct load_terms {
    std::string path;
    host_kind host = host_kind::process;
    std::string config = "{}";  ///< JSON by the manifest's schema.
    std::uint64_t who = 0;      ///< User id, for the event.
};

/// Copies the file into the world's store and enters the plugin, its account, the faucets and sinks
/// it may use; starts the world's clock for a plugin that needs ticks. Throws failure: bad_plugin,
/// wrong_abi, exists (its id is loaded), unknown_table, unknown_account, unknown_asset,
/// unknown_event, bad_setting, and those of the store and the session.
plugin_file load_plugin(world& in, session& by, const load_terms& terms);

/// Throws failure: unknown_plugin, and those of the session.
void unload_plugin(world& in, session& by, std::string_view id, std::uint64_t who);
/// A disabled plugin is not called; its windows and events wait. Throws failure: unknown_plugin.
void set_enabled(world& in, session& by, std::string_view id, bool enabled, std::uint64_t who);

struct plugin_upgrade {
    std::string id;
    std::string path;
    std::uint64_t shadow = 0;  ///< Windows that both versions run, the old one for real.
    bool grants_more = false;  ///< The operator grants what it wants beyond the old version.
    std::uint64_t who = 0;
};

/// Enters an upgrade, which whoever keeps the world carries out: the new version is started, asked
/// and compared, takes over between two windows and stands probation. Throws failure: as
/// load_plugin(), and not_granted when it wants more, naming it; exists when one is under way.
plugin_file upgrade_plugin(world& in, session& by, const plugin_upgrade& what);

/// The upgrade that is under way, and what differed so far. Throws failure.
struct upgrade_progress {
    upgrade_row row;
    std::string report;
};
std::optional<upgrade_progress> find_upgrade(const world& in, std::string_view id);

/// All of a world's plugins, by id; none where nobody has ever loaded one. Throws failure.
std::vector<plugin_row> list_plugins(const world& in);

/// The name of a state of plugin_row: "active".
std::string_view state_name(std::uint32_t state) noexcept;

}  // namespace perdure::plugins

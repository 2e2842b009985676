// SPDX-License-Identifier: Apache-2.0
//
// What a plugin wants and what a world's books say, as lines that people read and tests compare.
//
// Promise     Equal lines stand for equal bytes: nothing of a command or a state is left out.
// Threads     One: the reader's.
#pragma once

#include <perdure/core/world.hpp>
#include <perdure/plugins/host/batch.hpp>
#include <perdure/plugins/host/registry.hpp>

namespace perdure::plugins {

/// "@7" is the account with number 7, anything else a name.
account_id account_named(std::string_view text);

/// Its name, "@7", or its id in hexadecimal.
std::string account_text(const world& in, account_id account);
/// Its code, or its number.
std::string asset_text(const world& in, asset_id asset);
/// Printable bytes as they are, others in hexadecimal behind 0x.
std::string bytes_text(std::span<const std::byte> bytes);

/// A line each: its commands, then its states.
std::vector<std::string> lines_of(const world& in, const batch_view& batch);

/// Supplies, balances, holds, freezes; with `tables` the plugin's state and place as well.
std::string books_text(const world& in, const registry* tables, account_id plugin);

}  // namespace perdure::plugins

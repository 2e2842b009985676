// SPDX-License-Identifier: Apache-2.0
//
// A plugin's rights but for one, and where the program is that runs plugins.
//
// Threads     Pure functions.
#pragma once

#include <perdure/plugins/kit/stage.hpp>

namespace perdure::plugins {

/// `right` as stage_terms::without has it; empty: all of them. Throws stage_failure when there is
/// no such right.
capabilities without_right(capabilities all, const std::string& right);

/// The first perdure_plugin_host that is there. Throws stage_failure where none is.
std::string host_program_of(const stage_terms& terms);

}  // namespace perdure::plugins

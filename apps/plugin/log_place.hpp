// SPDX-License-Identifier: Apache-2.0
//
// Where the keeper writes what a plugin says.
#pragma once

#include <string>
#include <string_view>

namespace perdure::apps {

/// An id holds nothing that a path could stumble over (docs/formats/plugin_manifest.md).
inline std::string plugin_log_path(const std::string& directory, std::string_view id) {
    return directory + "/log/plugin-" + std::string(id) + ".log";
}

}  // namespace perdure::apps

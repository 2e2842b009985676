// SPDX-License-Identifier: Apache-2.0
//
// How much a rig shall do.
#pragma once

#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <string_view>

namespace perdure::tests {

/// True when the program was started with `-- --torture`: the sign-off counts, not CI's share.
inline bool is_torture() {
    const auto& suite = boost::unit_test::framework::master_test_suite();
    for (int i = 1; i < suite.argc; ++i) {
        if (std::string_view(suite.argv[i]) == "--torture") return true;
    }
    return false;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool is_sanitized = true;
#else
inline constexpr bool is_sanitized = false;
#endif

/// How often a rig turns: CI's share, which is an eighth where a turn takes ten times as long.
inline std::size_t turns(std::size_t torture, std::size_t share) {
    if (is_torture()) return torture;
    return is_sanitized ? (share + 7) / 8 : share;
}

}  // namespace perdure::tests

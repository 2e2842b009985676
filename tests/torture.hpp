// SPDX-License-Identifier: Apache-2.0
//
// How much a rig shall do.
#pragma once

#include <boost/test/unit_test.hpp>
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

}  // namespace perdure::tests

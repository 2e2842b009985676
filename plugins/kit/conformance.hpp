// SPDX-License-Identifier: Apache-2.0
//
// Whether a plugin's file keeps what every plugin must keep, tried in processes and worlds that are
// thrown away.
//
// Promise     Nothing of it touches a world of the user's. A check that fails does not keep the
//             others from being made, as far as they make sense without it.
// Death       Of the plugin: the check at hand has failed.
// Threads     One.
#pragma once

#include <perdure/plugins/kit/stage.hpp>

namespace perdure::plugins {

enum class check_end { passed, failed, not_applicable };

struct conformance_check {
    std::string name;
    check_end end = check_end::passed;
    std::string reason;
};

/// In the order in which they were made. Throws stage_failure when no world can be made.
std::vector<conformance_check> check_conformance(const std::string& file,
                                                 const std::string& host_program = {});

/// "passed", "failed", "not applicable".
std::string_view end_name(check_end end) noexcept;

}  // namespace perdure::plugins

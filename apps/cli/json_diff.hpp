// SPDX-License-Identifier: Apache-2.0
//
// What differs between two JSON values, place by place.
//
// Promise     Each place is a JSON Pointer (RFC 6901), in the order of the texts; equal values have
//             no differences.
// Threads     Pure functions.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <vector>

namespace perdure::apps {

struct json_difference {
    std::string path;
    const boost::json::value* before = nullptr;  ///< nullptr: added.
    const boost::json::value* after = nullptr;   ///< nullptr: removed.
};

/// The answers point into both values.
std::vector<json_difference> differences(const boost::json::value& before,
                                         const boost::json::value& after);

}  // namespace perdure::apps

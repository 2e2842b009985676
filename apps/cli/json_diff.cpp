// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <perdure/apps/cli/json_diff.hpp>

namespace perdure::apps {
namespace {

namespace json = boost::json;

std::string below(const std::string& path, std::string_view name) {
    std::string out = path + '/';
    for (const char letter : name) {
        if (letter == '~') {
            out += "~0";
        } else if (letter == '/') {
            out += "~1";
        } else {
            out += letter;
        }
    }
    return out;
}

/// Boost.JSON reads 0e99999 as NaN, which does not equal itself.
bool are_no_numbers(const json::value& before, const json::value& after) noexcept {
    return before.is_double() && after.is_double() && std::isnan(before.get_double()) &&
           std::isnan(after.get_double());
}

/// What lies in both values below `pair`, the last place first: a stack gives it back in order.
void descend(const json_difference& pair, std::vector<json_difference>& open) {
    const auto first_new = static_cast<std::ptrdiff_t>(open.size());
    if (pair.before->is_object()) {
        const auto& before = pair.before->get_object();
        const auto& after = pair.after->get_object();
        for (const auto& each : before) {
            open.push_back(
                {below(pair.path, each.key()), &each.value(), after.if_contains(each.key())});
        }
        for (const auto& each : after) {
            if (before.contains(each.key())) continue;
            open.push_back({below(pair.path, each.key()), nullptr, &each.value()});
        }
    } else {
        const auto& before = pair.before->get_array();
        const auto& after = pair.after->get_array();
        for (std::size_t i = 0; i < std::max(before.size(), after.size()); ++i) {
            open.push_back(
                {below(pair.path, std::to_string(i)), before.if_contains(i), after.if_contains(i)});
        }
    }
    std::reverse(open.begin() + first_new, open.end());
}

}  // namespace

std::vector<json_difference> differences(const json::value& before, const json::value& after) {
    std::vector<json_difference> found;
    std::vector<json_difference> open{{"", &before, &after}};
    while (!open.empty()) {
        const auto pair = std::move(open.back());
        open.pop_back();
        const bool both = pair.before != nullptr && pair.after != nullptr;
        if (both && *pair.before == *pair.after) continue;
        const bool nested = both && ((pair.before->is_object() && pair.after->is_object()) ||
                                     (pair.before->is_array() && pair.after->is_array()));
        if (nested) {
            descend(pair, open);
        } else if (!both || !are_no_numbers(*pair.before, *pair.after)) {
            found.push_back(pair);
        }
    }
    return found;
}

}  // namespace perdure::apps

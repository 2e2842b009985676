// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <fmt/format.h>
#include <boost/json.hpp>
#include <perdure/apps/cli/command.hpp>
#include <perdure/apps/cli/console.hpp>
#include <perdure/apps/plugin/command.hpp>
#include <perdure/plugins/kit/conformance.hpp>

namespace perdure::apps {

int plugin_validate(const plugin_validate_order& order) {
    std::vector<plugins::conformance_check> made;
    try {
        made = plugins::check_conformance(order.file);
    } catch (const plugins::stage_failure& why) {
        throw failure(errc::plugin_failed, order.file + ": " + why.what(),
                      "no check was made; mend this first");
    }
    const auto failed =
        std::ranges::count(made, plugins::check_end::failed, &plugins::conformance_check::end);
    if (order.json) {
        boost::json::array checks;
        for (const auto& each : made) {
            checks.push_back({{"check", each.name},
                              {"result", plugins::end_name(each.end)},
                              {"reason", each.reason}});
        }
        print(boost::json::object{
            {"file", order.file}, {"valid", failed == 0}, {"checks", std::move(checks)}});
    } else {
        for (const auto& each : made) {
            print(fmt::format("{:<15} {}{}{}", plugins::end_name(each.end), each.name,
                              each.reason.empty() ? "" : ": ", each.reason));
        }
        print(failed == 0 ? "valid" : fmt::format("not valid: {} failed", failed));
    }
    return failed == 0 ? exit_done : exit_refused;
}

}  // namespace perdure::apps

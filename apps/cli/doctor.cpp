// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/cli/reading.hpp>

#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>
#include <boost/json.hpp>
#include <perdure/apps/cli/configuration.hpp>
#include <perdure/apps/cli/console.hpp>
#include <perdure/apps/doctor/check.hpp>

namespace perdure::apps {
namespace {

/// The world's, or the standard where there is none or it cannot be read: check_world says so.
io::config config_for(const world_choice& where) {
    try {
        return read_config(where);
    } catch (const failure&) {
        return {};
    }
}

std::vector<check> look(const world_choice& where) {
    const io::config config = config_for(where);
    std::vector<check> all = check_machine(config);
    const std::string folder = where.directory.empty() ? "." : where.directory;
    if (where.directory.empty() || std::filesystem::is_directory(folder)) {
        all.push_back(check_disk_space(folder, config));
        all.push_back(check_disk_sync(folder));
    }
    if (where.directory.empty()) return all;
    for (auto& each : check_world(where)) all.push_back(std::move(each));
    return all;
}

boost::json::object as_json(const std::vector<check>& all, health worst) {
    boost::json::array checks;
    for (const auto& each : all) {
        checks.push_back(boost::json::object{{"check", each.name},
                                             {"verdict", spelled(each.found)},
                                             {"seen", each.seen},
                                             {"to_do", each.todo}});
    }
    return {{"verdict", spelled(worst)}, {"checks", std::move(checks)}};
}

void print_readable(const std::vector<check>& all) {
    for (const auto& each : all) {
        print(fmt::format("{:<8} {:<14} {}", spelled(each.found), each.name, each.seen));
        if (!each.todo.empty()) print(fmt::format("{:<8} {:<14} -> {}", "", "", each.todo));
    }
    const auto count = [&](health found) { return std::ranges::count(all, found, &check::found); };
    print(fmt::format("{} checks: {} ok, {} to look at, {} bad, {} damaged", all.size(),
                      count(health::ok), count(health::warn), count(health::bad),
                      count(health::damaged)));
}

}  // namespace

int doctor(const doctor_order& order) {
    const auto all = look(order.where);
    const health worst = std::ranges::max_element(all, {}, &check::found)->found;
    boost::json::object findings = as_json(all, worst);
    if (!order.bundle.empty()) {
        const auto names =
            write_bundle(order.bundle, order.where, boost::json::serialize(findings));
        findings["bundle"] = order.bundle;
        findings["bundle_holds"] = boost::json::array(names.begin(), names.end());
    }
    if (order.where.json) {
        print(findings);
    } else {
        print_readable(all);
        if (!order.bundle.empty()) {
            print("made " + order.bundle + ": no rows, names or balances; it holds");
            for (const auto& name : findings["bundle_holds"].as_array()) {
                print("  " + std::string(name.as_string()));
            }
        }
    }
    if (worst == health::damaged) return exit_damage;
    return worst == health::bad ? exit_refused : exit_done;
}

}  // namespace perdure::apps

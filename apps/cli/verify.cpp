// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/cli/command.hpp>

#include <fmt/format.h>
#include <boost/json.hpp>
#include <perdure/apps/cli/configuration.hpp>
#include <perdure/apps/cli/console.hpp>
#include <perdure/apps/cli/long_work.hpp>

namespace perdure::apps {
namespace {

verdict look(const world_choice& where, bool deep) {
    try {
        world seen = open_world(where);
        session by = seen.join();
        const long_work reading("verifying " + where.directory);
        return seen.verify(by, {.deep = deep});
    } catch (const failure& why) {
        // Damage is what was asked for: it is an answer here, not a failure.
        if (!is_damage(why, where.directory)) throw;
        verdict found;
        found.problems.push_back(why.thing());
        return found;
    }
}

}  // namespace

int verify(const verify_order& order) {
    const auto& where = order.where;
    const verdict found = look(where, order.deep);
    if (where.json) {
        print(boost::json::object{
            {"verdict", found.sound ? "sound" : "damaged"},
            {"state_hash", found.state_hash},
            {"image_hash", found.image_hash},
            {"last_lsn", found.last_lsn},
            {"durable_lsn", found.durable_lsn},
            {"conserved", found.conserved},
            {"problems", boost::json::array(found.problems.begin(), found.problems.end())}});
    } else if (found.state_hash.empty()) {
        print("verdict      damaged: it cannot be opened");
    } else {
        print(fmt::format("verdict      {}", found.sound ? "sound" : "damaged"));
        print(fmt::format("state hash   {}", found.state_hash));
        print(fmt::format("image hash   {}", found.image_hash));
        print(fmt::format("commits      last {}, durable {}", grouped(found.last_lsn),
                          grouped(found.durable_lsn)));
        if (order.deep && found.sound) {
            print(
                "files        every checkpoint whole; built again from them, the state is the "
                "same");
        }
        print(fmt::format("money        {}", found.conserved ? "conserved" : "NOT conserved"));
    }
    if (!where.json && !found.sound) {
        for (const std::string& problem : found.problems) print("problem      " + problem);
        print("to do        docs/operations.md has a recipe for each kind of damage");
    }
    return found.sound ? exit_done : exit_damage;
}

}  // namespace perdure::apps

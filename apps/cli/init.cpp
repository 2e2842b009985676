// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/cli/command.hpp>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <boost/json.hpp>
#include <perdure/apps/cli/configuration.hpp>
#include <perdure/apps/cli/console.hpp>

namespace perdure::apps {

int init(const world_choice& where) {
    io::config config;
    for (const std::string& assignment : where.assignments) config.assign(assignment);
    // A group nobody knows is refused before anything is made.
    static_cast<void>(options_from(config));
    world::create(where.directory);

    // A world without it runs on standard values, so it may come last.
    const std::string path = where.directory + "/world.toml";
    if (!std::filesystem::exists(path)) {
        std::ofstream stream(path);
        stream << config.print();
        if (!stream.flush()) {
            throw failure(errc::io_error, path + ": " + std::strerror(errno),
                          "the world is made and works without it; write it when there is space");
        }
    }
    if (where.json) {
        print(boost::json::object{{"world", where.directory}, {"configuration", path}});
    } else {
        print("made " + where.directory + ", configured by " + path);
        print("next: perdure serve " + where.directory);
    }
    return exit_done;
}

}  // namespace perdure::apps

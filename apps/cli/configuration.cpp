// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/cli/configuration.hpp>

namespace perdure::apps {
io::config read_config(const world_choice& where) {
    io::config config;
    config.read_file(where.directory + "/world.toml");
    config.read_environment();
    for (const std::string& assignment : where.assignments) config.assign(assignment);
    return config;
}

io::log_options log_from(const io::config& config, const std::string& directory) {
    io::log_options options;
    options.least = io::level_named(config.text("log.level"));
    const std::string& file = config.text("log.file");
    if (!file.empty()) options.file = directory + "/log/" + file;
    options.rotate_bytes = config.number("log.rotate_bytes");
    options.rotate_count = static_cast<std::uint32_t>(config.number("log.rotate_count"));
    return options;
}

world open_world(const world_choice& where) {
    return world::open(where.directory, options_from(read_config(where)));
}

world open_reader(const world_choice& where) {
    world_options options = options_from(read_config(where));
    options.may_recover = false;
    options.mode = shm::access::read_only;
    return world::open(where.directory, options);
}

}  // namespace perdure::apps

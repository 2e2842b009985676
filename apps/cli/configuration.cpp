// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/cli/configuration.hpp>

#include <perdure/apps/cli/long_work.hpp>

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
    const long_work recovery("opening " + where.directory);
    return world::open(where.directory, options_from(read_config(where)));
}

bool is_past(const world_choice& where) noexcept { return where.lsn || where.at; }

io::past_point point_of(const world_choice& where) {
    if (where.lsn && where.at) {
        throw failure(errc::bad_query, "--at and --lsn: two points", "give one of them");
    }
    if (where.lsn) return {io::past_point::kind::lsn, *where.lsn};
    if (!where.at) return {};
    const auto time = io::parse_time(*where.at);
    if (!time) {
        throw failure(errc::bad_query, "--at " + *where.at + ": no time",
                      "give \"2026-11-22 14:03:05.250\", in UTC, or seconds since 1970");
    }
    return {io::past_point::kind::time, *time};
}

world open_reader(const world_choice& where) {
    world_options options = options_from(read_config(where));
    if (is_past(where)) {
        const long_work looking_back("looking back in " + where.directory);
        return world::recall(where.directory, options, point_of(where));
    }
    options.may_recover = false;
    options.mode = shm::access::read_only;
    return world::open(where.directory, options);
}

}  // namespace perdure::apps

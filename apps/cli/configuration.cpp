// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/cli/configuration.hpp>

#include <grp.h>
#include <unistd.h>

#include <array>
#include <charconv>

namespace perdure::apps {
namespace {

std::uint32_t group_named(const std::string& name) {
    std::uint32_t number = 0;
    const char* end = name.data() + name.size();
    const auto [rest, error] = std::from_chars(name.data(), end, number);
    if (error == std::errc() && rest == end) return number;
    std::array<char, 16384> room{};
    group entry{};
    group* found = nullptr;
    ::getgrnam_r(name.c_str(), &entry, room.data(), room.size(), &found);
    if (found == nullptr) {
        throw failure(errc::bad_setting, "access.group: no group is called " + name,
                      "give a group of this machine by name or number");
    }
    return found->gr_gid;
}

}  // namespace

io::config read_config(const world_choice& where) {
    io::config config;
    config.read_file(where.directory + "/world.toml");
    std::vector<const char*> variables;
    for (char** each = ::environ; *each != nullptr; ++each) variables.push_back(*each);
    config.read_environment(variables);
    for (const std::string& assignment : where.assignments) config.assign(assignment);
    return config;
}

world_options options_from(const io::config& config) {
    world_options options;
    options.region_directory = config.text("region.directory");
    options.capacity_bytes = config.number("region.capacity");
    options.ring_bytes = config.number("region.ring");
    options.undo_bytes = config.number("region.undo");
    options.slot_count = static_cast<std::uint32_t>(config.number("region.slots"));
    options.segment_bytes = config.number("journal.segment");
    const std::string& group = config.text("access.group");
    if (!group.empty()) options.group = group_named(group);
    return options;
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

}  // namespace perdure::apps

// SPDX-License-Identifier: Apache-2.0
#include <perdure/core/world.hpp>
#include <perdure/io/config.hpp>
#include <perdure/io/group.hpp>

namespace perdure {
namespace {

constexpr std::uint64_t ns_a_millisecond = 1'000'000;
constexpr std::uint64_t ns_a_second = 1'000'000'000;

}  // namespace

world_options options_from(const io::config& config) {
    world_options options;
    options.region_directory = config.text("region.directory");
    options.capacity_bytes = config.number("region.capacity");
    options.ring_bytes = config.number("region.ring");
    options.undo_bytes = config.number("region.undo");
    options.slot_count = static_cast<std::uint32_t>(config.number("region.slots"));
    options.segment_bytes = config.number("journal.segment");
    options.keys_kept = config.number("ledger.keys_kept");
    options.clock.tick_ns = config.number("clock.tick") * ns_a_millisecond;
    options.clock.missed_max_ns = config.number("clock.missed_max") * ns_a_second;
    if (config.text("clock.missed") == "skip") options.clock.missed = missed_policy::skip;
    options.shadow_bytes = config.number("checkpoint.shadow");
    options.checkpoints = io::policy_from(config);
    const std::string& group = config.text("access.group");
    if (!group.empty()) options.group = io::group_named(group);
    if (config.text("access.rights") == "read") options.group_may = shm::access::read_only;
    return options;
}

}  // namespace perdure

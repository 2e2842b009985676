// SPDX-License-Identifier: Apache-2.0
//
// What doctor looks at: each check says what was seen, and what to change.
//
// Promise     A check changes nothing but a scratch file of its own, which is gone afterwards. What
//             cannot be found out is said to be so, and is no fault.
// Threads     One thread.
#pragma once

#include <perdure/apps/cli/command.hpp>
#include <perdure/io/config.hpp>
#include <string>
#include <vector>

namespace perdure::apps {

enum class health { ok, warn, bad, damaged };

struct check {
    std::string name;
    health found = health::ok;
    std::string seen;
    std::string todo;  ///< Empty where nothing is to be done.
};

[[nodiscard]] constexpr std::string_view spelled(health found) noexcept {
    switch (found) {
        case health::ok: return "ok";
        case health::warn: return "warn";
        case health::bad: return "bad";
        case health::damaged: break;
    }
    return "damaged";
}

/// What the syncs of a small overwrite took.
struct sync_times {
    double median_us = 0;
    double worst_us = 0;
};

/// The verdict alone, so that tests can give it figures. `folder` and `mount` are for people.
[[nodiscard]] check judge_sync(const sync_times& took, const std::string& folder,
                               const std::string& mount);

/// Measures in a scratch file in `folder`, and says which file system that is.
[[nodiscard]] check check_disk_sync(const std::string& folder);
[[nodiscard]] check check_disk_space(const std::string& folder, const io::config& config);
[[nodiscard]] check check_shared_memory(const io::config& config);

/// Kernel, processor, huge pages, clock, PID namespace, limits, control group.
[[nodiscard]] std::vector<check> check_machine(const io::config& config);

/// Configuration, MANIFEST, journal, region, lease of the world.
[[nodiscard]] std::vector<check> check_world(const world_choice& where);

/// "ext4 on /dev/vda1, rw,relatime": the mount that `path` lies on; empty when unknown.
[[nodiscard]] std::string mount_of(const std::string& path);

/// The first line of a small file, empty when there is none.
[[nodiscard]] std::string first_line(const std::string& path);

/// Writes a tar packed by zstd: doctor's findings, the world's configuration and MANIFEST, its
/// figures and schemas, facts of the kernel. No rows, names or balances. Answers what is in it.
/// Throws failure: disk_full, io_error.
std::vector<std::string> write_bundle(const std::string& path, const world_choice& where,
                                      const std::string& findings);

}  // namespace perdure::apps

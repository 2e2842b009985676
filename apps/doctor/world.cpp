// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/doctor/check.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>
#include <perdure/apps/cli/configuration.hpp>
#include <perdure/apps/cli/console.hpp>
#include <perdure/apps/cli/gauges.hpp>
#include <perdure/io/manifest.hpp>
#include <perdure/io/segment_stream.hpp>

namespace perdure::apps {
namespace {

health health_of(errc reason) noexcept {
    return reason == errc::damaged || reason == errc::garbled ? health::damaged : health::bad;
}

check refused(const std::string& name, const failure& why) {
    return {name, health_of(why.reason()), why.thing(), why.todo()};
}

/// MANIFEST, and that each segment it promises is there.
check check_journal_files(const std::string& directory) {
    io::kernel_calls calls;
    io::file_system files(calls);
    std::optional<io::finding> found;
    const auto promised = io::manifest::open(files, directory, io::open_mode::read, found);
    if (!promised) {
        const errc reason = promised.error();
        const bool is_world = std::filesystem::exists(io::journal_directory(directory));
        return {"MANIFEST",
                reason == errc::damaged || (reason == errc::missing && is_world) ? health::damaged
                                                                                 : health::bad,
                found ? found->file + ": " + found->cause : files.last_error(),
                reason == errc::missing && !is_world
                    ? "make a world with `perdure init`, or check the path"
                    : "put the file back from a copy; nothing was changed"};
    }
    std::uint64_t bytes = 0;
    for (const auto& each : promised->segments()) {
        const auto path = io::segment_path(directory, each.first_lsn);
        const auto packed = io::packed_path(directory, each.first_lsn);
        struct stat facts {};
        if (::stat(path.c_str(), &facts) == 0 ||
            (errno == ENOENT && ::stat(packed.c_str(), &facts) == 0)) {
            bytes += static_cast<std::uint64_t>(facts.st_size);
        } else if (errno == ENOENT) {
            return {"journal", health::damaged, path + ": promised by the MANIFEST, and not there",
                    "put the file back from a copy; nothing was changed"};
        } else {
            return {"journal", health::warn, path + ": " + std::strerror(errno),
                    "run doctor as the world's owner to see its journal"};
        }
    }
    return {"journal", health::ok,
            fmt::format("{} segments, {}, incarnation {}", promised->segments().size(),
                        rounded_bytes(bytes), promised->incarnation()),
            ""};
}

/// Asks who could not take the lease; takes nothing, so that no keeper is in the way.
check check_lease(const std::string& directory) {
    const std::string path = directory + "/lock";
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0 && errno == ENOENT) return {"lease", health::ok, "never taken", ""};
    if (file < 0) {
        return {"lease", health::ok, path + ": " + std::strerror(errno) + "; not to be seen", ""};
    }
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    const int answer = ::fcntl(file, F_OFD_GETLK, &lock);
    ::close(file);
    if (answer != 0) return {"lease", health::ok, "unknown on this file system", ""};
    return {"lease", health::ok, lock.l_type == F_UNLCK ? "free" : "held: somebody keeps the world",
            ""};
}

std::vector<check> judge_region(const gauges& now, const std::string& path) {
    std::vector<check> out;
    out.push_back({"region", health::ok,
                   fmt::format("{}, {} of {}; {} participants; last LSN {}, durable {}", path,
                               rounded_bytes(now.region_bytes), rounded_bytes(now.capacity_bytes),
                               now.participants.size(), now.last_lsn, now.durable_lsn),
                   ""});
    if (now.capacity_bytes - now.region_bytes < now.capacity_bytes / 10) {
        out.back().found = health::warn;
        out.back().todo = "raise region.capacity and restart: it is nearly used up";
    }
    if (now.fault != 0) {
        const auto cause = static_cast<errc>(now.fault);
        out.push_back({"durability", health::bad, "lost: " + std::string(name(cause)),
                       std::string(remedy(errc::durability_lost))});
    }
    if (now.garbled != 0) {
        out.push_back({"structures", health::damaged,
                       fmt::format("{} were not what they must be, the last: {}", now.garbled,
                                   name(static_cast<errc>(now.last_error))),
                       "run `perdure verify`; then stop the world's processes and remove the "
                       "region: it comes back from its journal"});
    }
    if (now.keeper_pid != 0 && now.keeper_process == "stopped") {
        out.push_back({"keeper", health::bad, fmt::format("process {} is stopped", now.keeper_pid),
                       "let it go on (kill -CONT), or end it: another one takes over"});
    } else if (now.keeper_pid == 0 && now.last_lsn != now.durable_lsn) {
        out.push_back(
            {"keeper", health::warn,
             fmt::format("none, and {} commits are not durable", now.last_lsn - now.durable_lsn),
             "start `perdure serve`"});
    }
    for (const auto& each : now.participants) {
        if (!each.active || each.process != "stopped") continue;
        out.push_back({"participant", health::bad,
                       fmt::format("process {} in slot {} is stopped inside of a transaction",
                                   each.pid, each.slot),
                       "let it go on (kill -CONT), or end it: who needs its rows waits"});
    }
    return out;
}

std::vector<check> check_region(const world_choice& where) {
    std::error_code ignored;
    const auto link = std::filesystem::read_symlink(where.directory + "/region", ignored);
    if (ignored || !std::filesystem::exists(link)) {
        return {{"region", health::ok, "none: the world sleeps; opening it recovers it", ""}};
    }
    try {
        world_reader in(where);
        return judge_region(read_gauges(in), in.region().path());
    } catch (const failure& why) {
        // One of an earlier boot is no fault: the next open replaces it.
        if (why.reason() == errc::missing) return {{"region", health::ok, why.thing(), ""}};
        return {refused("region", why)};
    }
}

}  // namespace

std::vector<check> check_world(const world_choice& where) {
    std::vector<check> out;
    try {
        const io::config config = read_config(where);
        static_cast<void>(options_from(config));
        out.push_back({"configuration", health::ok, where.directory + "/world.toml", ""});
    } catch (const failure& why) {
        out.push_back(refused("configuration", why));
    }
    out.push_back(check_journal_files(where.directory));
    if (out.back().found != health::ok) return out;
    out.push_back(check_lease(where.directory));
    if (out.front().found != health::ok) return out;
    for (auto& each : check_region(where)) out.push_back(std::move(each));
    return out;
}

}  // namespace perdure::apps

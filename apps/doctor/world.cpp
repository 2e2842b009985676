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
#include <perdure/io/checkpoint_file.hpp>
#include <perdure/io/segment_stream.hpp>

namespace perdure::apps {
namespace {

health health_of(errc reason) noexcept {
    return reason == errc::damaged || reason == errc::garbled ? health::damaged : health::bad;
}

check refused(const std::string& name, const failure& why) {
    return {name, health_of(why.reason()), why.thing(), why.todo()};
}

check refused_manifest(const std::string& directory, errc reason, const std::string& seen) {
    const bool is_world = std::filesystem::exists(io::journal_directory(directory));
    return {"MANIFEST",
            reason == errc::damaged || (reason == errc::missing && is_world) ? health::damaged
                                                                             : health::bad,
            seen,
            reason == errc::missing && !is_world
                ? "make a world with `perdure init`, or check the path"
                : "put the file back from a copy; nothing was changed"};
}

/// Each segment that the MANIFEST promises is there.
check check_journal_files(const io::manifest& promised) {
    const auto& directory = promised.directory();
    std::uint64_t bytes = 0;
    for (const auto& each : promised.segments()) {
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
            fmt::format("{} segments, {}, incarnation {}", promised.segments().size(),
                        rounded_bytes(bytes), promised.incarnation()),
            ""};
}

check refused_checkpoint(const std::string& directory, const std::string& path, errc reason,
                         const std::optional<io::finding>& found) {
    const std::string seen =
        found ? fmt::format("{} at byte {}: {}", found->file, found->offset, found->cause)
              : path + ": " + std::string(name(reason));
    if (reason == errc::io_error && ::access(path.c_str(), R_OK) != 0 && errno == EACCES) {
        return {"checkpoints", health::warn, seen,
                "run doctor as the world's owner to see its checkpoints"};
    }
    if (reason == errc::wrong_format || reason == errc::io_error) {
        return {"checkpoints", health::bad, seen, std::string(remedy(reason))};
    }
    return {"checkpoints", health::damaged, seen,
            "run `perdure verify " + directory +
                " --deep`, which reads all; then docs/operations.md: \"A checkpoint is damaged, or "
                "rot was found\""};
}

/// Header, index and footer of the newest checkpoint and of those that it was made from: what a
/// recovery begins with. Their sections are left to `verify --deep`, so that doctor stays quick.
check check_checkpoints(io::file_system& files, const io::manifest& promised) {
    const auto& all = promised.checkpoints();
    if (all.empty()) {
        return {"checkpoints", health::ok, "none yet: a recovery replays the whole journal", ""};
    }
    std::size_t looked = 0;
    const auto* each = &all.back();
    while (each != nullptr && looked < all.size()) {
        std::optional<io::finding> found;
        const auto path = io::checkpoint_path(promised.directory(), each->lsn);
        const auto reader = io::checkpoint_reader::open(files, path, found);
        const auto same =
            reader ? reader->compare(promised, *each, found) : result<>(reader.error());
        if (!same) return refused_checkpoint(promised.directory(), path, same.error(), found);
        each = each->is_full() ? nullptr : promised.checkpoint(each->parent);
        ++looked;
    }
    return {"checkpoints", health::ok,
            fmt::format("{}, the newest v{} of LSN {}; of the {} that a recovery begins with, "
                        "header, index and footer are sound",
                        all.size(), all.back().version, all.back().lsn, looked),
            ""};
}

/// MANIFEST; then the journal and the checkpoints that it promises.
std::vector<check> check_files(const std::string& directory) {
    io::kernel_calls calls;
    io::file_system files(calls);
    std::optional<io::finding> found;
    const auto promised = io::manifest::open(files, directory, io::open_mode::read, found);
    if (!promised) {
        return {refused_manifest(directory, promised.error(),
                                 found ? found->file + ": " + found->cause : files.last_error())};
    }
    return {check_journal_files(*promised), check_checkpoints(files, *promised)};
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
    const auto files = check_files(where.directory);
    for (const auto& each : files) out.push_back(each);
    // Of a world without a sound MANIFEST and journal the rest says nothing.
    if (files.front().found != health::ok) return out;
    out.push_back(check_lease(where.directory));
    if (out.front().found != health::ok) return out;
    for (auto& each : check_region(where)) out.push_back(std::move(each));
    return out;
}

}  // namespace perdure::apps

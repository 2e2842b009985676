// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/doctor/check.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>

#include <fmt/format.h>
#include <perdure/apps/cli/console.hpp>

namespace perdure::apps {
namespace {

constexpr int sync_turns = 64;
// A flash disk with a capacitor takes about 20 us (measured: perf/limit); less is a cache that
// forgets, or a host that answers for a disk it has not asked.
constexpr double believable_us = 20;
constexpr double slow_us = 20'000;
constexpr std::uint64_t disk_free_min = 1ULL << 30;

/// An open scratch file without a name for long.
class scratch_file {
  public:
    explicit scratch_file(const std::string& folder) : path_(folder + "/.perdure-doctor-XXXXXX") {
        descriptor_ = ::mkostemp(path_.data(), O_CLOEXEC);
        if (descriptor_ >= 0) ::unlink(path_.c_str());
    }
    scratch_file(const scratch_file&) = delete;
    scratch_file& operator=(const scratch_file&) = delete;
    ~scratch_file() {
        if (descriptor_ >= 0) ::close(descriptor_);
    }
    [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

  private:
    std::string path_;
    int descriptor_;
};

/// Nothing when the disk refuses; errno says why.
std::optional<sync_times> measure_sync(const std::string& folder) {
    using clock = std::chrono::steady_clock;
    const scratch_file file(folder);
    std::array<char, 4096> block{};
    if (file.descriptor() < 0) return std::nullopt;
    std::vector<double> took;
    // The first ones give the file its blocks; from then on only bytes change.
    for (int i = -4; i < sync_turns; ++i) {
        block.fill(static_cast<char>(i));
        const auto from = clock::now();
        if (::pwrite(file.descriptor(), block.data(), block.size(), 0) !=
                static_cast<ssize_t>(block.size()) ||
            ::fdatasync(file.descriptor()) != 0) {
            return std::nullopt;
        }
        const std::chrono::duration<double, std::micro> span = clock::now() - from;
        if (i >= 0) took.push_back(span.count());
    }
    std::ranges::sort(took);
    return sync_times{took[took.size() / 2], took.back()};
}

}  // namespace

std::string first_line(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

std::string mount_of(const std::string& path) {
    struct stat facts {};
    if (::stat(path.c_str(), &facts) != 0) return "";
    const std::string device =
        std::to_string(major(facts.st_dev)) + ":" + std::to_string(minor(facts.st_dev));
    std::ifstream mounts("/proc/self/mountinfo");
    for (std::string line; std::getline(mounts, line);) {
        // id parent major:minor root place options ... - type source options
        std::istringstream words(line);
        std::string id;
        std::string parent;
        std::string number;
        std::string root;
        std::string place;
        std::string options;
        words >> id >> parent >> number >> root >> place >> options;
        if (number != device) continue;
        const auto dash = line.find(" - ");
        if (dash == std::string::npos) continue;
        std::istringstream rest(line.substr(dash + 3));
        std::string type;
        std::string source;
        std::string more;
        rest >> type >> source >> more;
        return type + " on " + source + ", " + options + (more.empty() ? "" : "," + more);
    }
    return "";
}

check judge_sync(const sync_times& took, const std::string& folder, const std::string& mount) {
    check out{
        "disk sync", health::ok,
        fmt::format("{}: a synced overwrite takes {:.0f} µs, at worst {:.0f} µs ({})", folder,
                    took.median_us, took.worst_us, mount.empty() ? "file system unknown" : mount),
        ""};
    if (mount.starts_with("tmpfs") || mount.starts_with("ramfs")) {
        out.found = health::bad;
        out.todo = "this file system is memory: put the world on a disk";
    } else if (took.median_us < believable_us) {
        out.found = health::bad;
        out.todo =
            "no disk writes that fast: a cache without a battery, a VM or a mount option "
            "(nobarrier, eatmydata) answers for it. Switch the write cache off (hdparm -W0) or "
            "choose the VM's cache mode none; then pull the plug once to be sure";
    } else if (mount.find("nobarrier") != std::string::npos ||
               mount.find("barrier=0") != std::string::npos) {
        out.found = health::bad;
        out.todo = "mount it with barriers";
    } else if (took.median_us > slow_us) {
        out.found = health::warn;
        out.todo = "a commit that waits for durable takes that long; a disk of its own is better";
    }
    return out;
}

check check_disk_sync(const std::string& folder) {
    const auto took = measure_sync(folder);
    if (took) return judge_sync(*took, folder, mount_of(folder));
    return {"disk sync", health::bad, folder + ": " + std::strerror(errno),
            "give this user write permission there, or mend the disk"};
}

check check_disk_space(const std::string& folder, const io::config& config) {
    struct statvfs facts {};
    if (::statvfs(folder.c_str(), &facts) != 0) {
        return {"disk space", health::bad, folder + ": " + std::strerror(errno), "check the path"};
    }
    const std::uint64_t free = facts.f_bavail * facts.f_frsize;
    check out{"disk space", health::ok, rounded_bytes(free) + " free under " + folder, ""};
    if (free < disk_free_min) out.found = health::warn;
    if (free < 2 * config.number("journal.segment")) out.found = health::bad;
    if (out.found != health::ok) {
        out.todo = "free space: the journal is kept whole, and a full disk stops durability";
    }
    return out;
}

check check_shared_memory(const io::config& config) {
    const std::string& set = config.text("region.directory");
    const std::string folder = set.empty() ? "/dev/shm" : set;
    struct statvfs facts {};
    if (::statvfs(folder.c_str(), &facts) != 0) {
        return {"region memory", set.empty() ? health::warn : health::bad,
                folder + ": " + std::strerror(errno),
                "mount a tmpfs there; without one the region lies in the world's directory, which "
                "is slow"};
    }
    const std::uint64_t size = facts.f_blocks * facts.f_frsize;
    const std::uint64_t free = facts.f_bavail * facts.f_frsize;
    const std::uint64_t wanted = config.number("region.capacity");
    check out{"region memory", health::ok,
              fmt::format("{}: {} free of {}; region.capacity is {}", folder, rounded_bytes(free),
                          rounded_bytes(size), rounded_bytes(wanted)),
              ""};
    if (free < wanted) {
        out.found = health::warn;
        out.todo = fmt::format(
            "the region may grow to its capacity, and memory ends before: mount -o "
            "remount,size={}G {} (docker: --shm-size), or lower region.capacity",
            (wanted >> 30) + 1, folder);
    }
    return out;
}

}  // namespace perdure::apps

// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/doctor/check.hpp>

#include <sys/resource.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <perdure/apps/cli/console.hpp>

namespace perdure::apps {
namespace {

check check_kernel() {
    utsname facts{};
    ::uname(&facts);
    int major = 0;
    int minor = 0;
    static_cast<void>(std::sscanf(facts.release, "%d.%d", &major, &minor));
    check out{"kernel", health::ok, std::string("Linux ") + facts.release, ""};
    if (major < 5 || (major == 5 && minor < 10)) {
        out.found = health::bad;
        out.todo = "Perdure needs Linux 5.10 or newer";
    }
    return out;
}

check check_cpu() {
    check out{"processor", health::ok, "x86-64 with SSE4.2", ""};
    if (__builtin_cpu_supports("sse4.2") == 0) {
        out.found = health::bad;
        out.seen = "no SSE4.2";
        out.todo = "run on a processor with SSE4.2, or let the VM pass it on";
    }
    return out;
}

/// "[never]" of "always within_size advise [never]".
std::string chosen_word(const std::string& path) {
    const std::string line = first_line(path);
    const auto from = line.find('[');
    const auto to = line.find(']', from);
    return from == std::string::npos || to == std::string::npos
               ? ""
               : line.substr(from + 1, to - from - 1);
}

check check_huge_pages() {
    const std::string folder = "/sys/kernel/mm/transparent_hugepage/";
    const std::string memory = chosen_word(folder + "enabled");
    const std::string shared = chosen_word(folder + "shmem_enabled");
    utsname facts{};
    ::uname(&facts);
    int major = 0;
    int minor = 0;
    static_cast<void>(std::sscanf(facts.release, "%d.%d", &major, &minor));
    const bool collapses = major > 6 || (major == 6 && minor >= 1);
    check out{
        "huge pages", health::ok,
        memory.empty()
            ? "not in this kernel"
            : fmt::format("enabled {}, shmem {}, {}", memory, shared.empty() ? "unknown" : shared,
                          collapses ? "warm() collapses into them" : "no MADV_COLLAPSE before 6.1"),
        ""};
    const bool by_mount = shared == "always" || shared == "within_size" || shared == "force";
    if (!by_mount && (!collapses || memory.empty() || memory == "never")) {
        out.found = health::warn;
        out.todo = "a quarter faster with them: echo within_size > " + folder +
                   "shmem_enabled, or a kernel from 6.1 on";
    }
    return out;
}

check check_clock() {
    timex facts{};
    const int state = ::adjtimex(&facts);
    check out{"clock", health::ok, "synchronised", ""};
    if (state < 0) return {"clock", health::ok, "its state cannot be read here", ""};
    if (state == TIME_ERROR || (facts.status & STA_UNSYNC) != 0) {
        out.found = health::warn;
        out.seen = "the kernel says it is not synchronised";
        out.todo =
            "run chrony or systemd-timesyncd: journal times are for people, but they compare "
            "them";
    }
    // Realtime minus boottime is when the machine was booted: /proc/stat knows that too.
    timespec real{};
    timespec boot{};
    ::clock_gettime(CLOCK_REALTIME, &real);
    ::clock_gettime(CLOCK_BOOTTIME, &boot);
    std::ifstream file("/proc/stat");
    for (std::string word; file >> word;) {
        long long booted = 0;
        if (word != "btime" || !(file >> booted)) continue;
        const long long off = real.tv_sec - boot.tv_sec - booted;
        if (off > 5 || off < -5) {
            out.found = health::warn;
            out.seen += fmt::format("; it and the boot time differ by {} s", off);
            out.todo =
                "look who sets the clock by hand, or whether a container has a time "
                "namespace";
        }
    }
    return out;
}

check check_namespace() {
    std::error_code unknown;
    const auto own = std::filesystem::read_symlink("/proc/self/ns/pid", unknown);
    // The first namespace has a number of its own (linux/proc_ns.h).
    const bool is_first = own == "pid:[4026531836]";
    if (unknown) return {"PID namespace", health::ok, "unknown: /proc is not readable", ""};
    if (is_first) return {"PID namespace", health::ok, "the machine's own", ""};
    return {"PID namespace", health::ok,
            "its own: process numbers differ inside and outside; deaths are noticed all the same, "
            "by robust locks",
            ""};
}

std::string limit_text(rlim_t limit) {
    return limit == RLIM_INFINITY ? "unlimited" : std::to_string(limit);
}

std::vector<check> check_limits() {
    std::vector<check> out;
    rlimit core{};
    ::getrlimit(RLIMIT_CORE, &core);
    out.push_back({"limit core", health::ok, limit_text(core.rlim_cur) + " bytes", ""});
    const bool piped = first_line("/proc/sys/kernel/core_pattern").starts_with('|');
    if (core.rlim_cur != 0) {
        out.back().found = health::warn;
        out.back().todo =
            "the kernel reports a death after the dump is written, and others wait that long: "
            "ulimit -c 0, or LimitCORE=0, for what trades";
        if (piped) out.back().seen += ", given to a program";
    }
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    out.push_back({"limit files", health::ok, limit_text(files.rlim_cur), ""});
    if (files.rlim_cur < 256) {
        out.back().found = health::warn;
        out.back().todo = "ulimit -n 1024: keeper, logs and journal take a few dozen";
    }
    rlimit locked{};
    ::getrlimit(RLIMIT_MEMLOCK, &locked);
    out.push_back({"limit memlock", health::ok,
                   limit_text(locked.rlim_cur) + " bytes; nothing is locked", ""});
    return out;
}

/// Files of both versions of control groups; the path inside of a container is "/".
check check_control_group(const io::config& config) {
    std::string limit;
    std::ifstream own("/proc/self/cgroup");
    for (std::string line; limit.empty() && std::getline(own, line);) {
        if (line.starts_with("0::")) {
            limit = first_line("/sys/fs/cgroup" + line.substr(3) + "/memory.max");
        } else if (const auto at = line.find(":memory:"); at != std::string::npos) {
            limit = first_line("/sys/fs/cgroup/memory" + line.substr(at + 8) +
                               "/memory.limit_in_bytes");
        }
    }
    if (limit.empty()) limit = first_line("/sys/fs/cgroup/memory.max");
    const auto bytes = std::strtoull(limit.c_str(), nullptr, 10);
    // Version 1 writes "none" as a number near 2^63.
    if (bytes == 0 || bytes > 1ULL << 60)
        return {"control group", health::ok, "no memory limit", ""};
    check out{"control group", health::ok, rounded_bytes(bytes) + " memory limit", ""};
    if (bytes < config.number("region.capacity") + (256ULL << 20)) {
        out.found = health::warn;
        out.todo =
            "shared memory counts: beyond the limit the kernel kills. Raise it above "
            "region.capacity and 256 MiB, or lower region.capacity";
    }
    return out;
}

}  // namespace

std::vector<check> check_machine(const io::config& config) {
    std::vector<check> out{check_kernel(),
                           check_cpu(),
                           check_huge_pages(),
                           check_clock(),
                           check_namespace(),
                           check_shared_memory(config),
                           check_control_group(config)};
    for (auto& each : check_limits()) out.push_back(std::move(each));
    return out;
}

}  // namespace perdure::apps

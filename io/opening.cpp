// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <perdure/io/manifest.hpp>
#include <perdure/io/opening.hpp>
#include <perdure/io/recovery.hpp>
#include <perdure/shm/word.hpp>
#include <random>
#include <thread>

namespace perdure::io {
namespace {

constexpr std::chrono::milliseconds lease_pause{50};

constexpr const char* put_back =
    "put the file back from a copy; nothing was changed or deleted. "
    "docs/operations.md has a recipe for each kind of damage";

bool exists(const std::string& path) noexcept {
    struct stat facts {};
    return ::stat(path.c_str(), &facts) == 0;
}

[[noreturn]] void refuse(const file_system& files, const std::string& directory, errc reason,
                         const std::optional<finding>& found) {
    std::string what = "world " + directory + ": ";
    if (found) {
        what += found->file + " at byte " + std::to_string(found->offset) + ": " + found->cause;
    } else {
        what += files.last_error().empty() ? std::string(remedy(reason)) : files.last_error();
    }
    const char* todo = "check the path and its file system";
    switch (reason) {
        case errc::missing:
        case errc::not_found:
            todo = "make it with `perdure init`, or check the path";
            if (holds_history(directory)) todo = put_back;
            break;
        case errc::damaged: todo = put_back; break;
        case errc::exists:
            todo = "choose another directory, or use the world that is there";
            if (!exists(manifest_path(directory))) todo = "put MANIFEST back from a copy";
            break;
        case errc::disk_full: todo = "free space on that file system"; break;
        case errc::wrong_format: todo = "use the build that made it"; break;
        case errc::foreign: todo = "choose the world's own directory"; break;
        default: break;
    }
    throw failure(reason, what, todo);
}

/// The kernel's boot id as two words.
std::array<std::uint64_t, 2> boot_id(const std::string& given) {
    std::string text = given;
    if (text.empty()) {
        std::array<char, 64> buffer{};
        const int file = ::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
        const auto got = file < 0 ? -1 : ::read(file, buffer.data(), buffer.size() - 1);
        if (file >= 0) ::close(file);
        if (got <= 0) {
            throw failure(errc::io_error, "boot id: /proc/sys/kernel/random/boot_id is unreadable",
                          "mount /proc");
        }
        text.assign(buffer.data(), static_cast<std::size_t>(got));
    }
    std::array<std::uint64_t, 2> id{};
    for (const char c : text) {  // Any text works: a boot is only ever compared.
        if (c == '-' || c == '\n') continue;
        id[0] = (id[0] ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
        id[1] = (id[1] + static_cast<unsigned char>(c)) * 0x9e3779b97f4a7c15ULL ^ id[0];
    }
    return id;
}

/// Bytes a region needs before its first row.
std::uint64_t region_bytes_min(const shm::region_options& options) noexcept {
    return options.ring_bytes + options.slot_count * (options.undo_bytes + 64 * 1024) +
           (32ULL << 20);
}

/// The directory the region goes to.
std::string choose_directory(const std::string& world, const opening_options& options,
                             opening_report& report) {
    if (!options.region_directory.empty()) return options.region_directory;
    struct statvfs facts {};
    const std::string memory = "/dev/shm";
    if (::statvfs(memory.c_str(), &facts) == 0 && ::access(memory.c_str(), W_OK) == 0 &&
        facts.f_bavail * facts.f_frsize >= region_bytes_min(options.region)) {
        return memory;
    }
    report.remark =
        "/dev/shm is missing or too small; the region lies in the world's directory, "
        "where the kernel writes it back and slows it down";
    return world;
}

/// Path of the live region as WORLD/region says, if that name is this directory's own.
std::string linked_region(const std::string& directory, const std::string& name) {
    std::array<char, 4096> buffer{};
    const auto got = ::readlink((directory + "/region").c_str(), buffer.data(), buffer.size() - 1);
    if (got <= 0) return {};
    std::string target(buffer.data(), static_cast<std::size_t>(got));
    const auto slash = target.rfind('/');
    // A copied directory brings the original's link along: that region is not its own.
    return target.substr(slash == std::string::npos ? 0 : slash + 1) == name ? target : "";
}

void link_region(const std::string& directory, const std::string& path) {
    const std::string fresh = directory + "/region.new";
    ::unlink(fresh.c_str());
    if (::symlink(path.c_str(), fresh.c_str()) != 0 ||
        ::rename(fresh.c_str(), (directory + "/region").c_str()) != 0) {
        throw failure(errc::io_error,
                      "world " + directory + ": link to the region: " + std::strerror(errno),
                      "give this user write permission there");
    }
}

struct attempt {
    std::unique_ptr<shm::region> attached;
    std::string reason;
};

/// Attaches to what is there; a refusal that a rebuild can mend is an answer, any other is thrown.
attempt try_attach(const std::string& path, const shm::region_identity& identity,
                   shm::access mode) {
    if (path.empty() || !exists(path)) return {nullptr, "there is no region"};
    try {
        return {std::make_unique<shm::region>(shm::region::attach(path, identity, mode)), ""};
    } catch (const failure& why) {
        if (why.reason() == errc::missing || why.reason() == errc::damaged) {
            return {nullptr, why.thing()};
        }
        throw;
    }
}

/// Lets a group into the world's directory as far as attaching takes it: the MANIFEST, world.toml
/// and the link to the region may be read; the journal may not.
void share_directory(const std::string& directory, std::uint32_t group) {
    const auto share = [&](const std::string& path, mode_t rights) {
        struct stat facts {};
        if (::stat(path.c_str(), &facts) != 0) return;  // world.toml may be missing.
        const bool owned = facts.st_uid == ::geteuid() || ::geteuid() == 0;
        if (facts.st_gid == group && (facts.st_mode & rights) == rights) return;
        if (owned && ::chown(path.c_str(), static_cast<uid_t>(-1), group) == 0 &&
            ::chmod(path.c_str(), (facts.st_mode & 07700) | rights) == 0) {
            return;
        }
        throw failure(errc::io_error,
                      path + ": cannot be shared with group " + std::to_string(group) + ": " +
                          std::strerror(errno),
                      "be a member of access.group, or let the owner open the world first");
    };
    share(directory, 0050);
    share(manifest_path(directory), 0040);
    share(directory + "/world.toml", 0040);
}

class opener {
  public:
    opener(file_system& files, const std::string& directory, const opening_options& options,
           opening_report& report)
        : files_(files), directory_(directory), options_(options), report_(report) {}

    std::unique_ptr<shm::region> open(const region_dressing& dress) {
        read_identity();
        for (auto waited = lease_pause * 0;; waited += lease_pause) {
            auto found = try_attach(path(), identity_, options_.mode);
            if (found.attached) return std::move(found.attached);
            if (!options_.may_rebuild || options_.mode == shm::access::read_only) {
                throw failure(errc::missing, "world " + directory_ + ": " + found.reason,
                              "start `perdure serve` or a process that may recover it");
            }
            lease mine(files_, directory_);
            const auto taken = mine.take();
            if (taken) {
                // Somebody may have been quicker between the two looks.
                found = try_attach(path(), identity_, options_.mode);
                if (found.attached) return std::move(found.attached);
                report_.reason = found.reason;
                return rebuild(dress);
            }
            if (taken.error() != errc::lease_held) refuse(files_, directory_, taken.error(), {});
            if (waited >= options_.patience) {
                throw failure(errc::lease_held,
                              "world " + directory_ +
                                  ": its region is gone, and a process that has it still keeps it",
                              "stop that process; then open the world again");
            }
            std::this_thread::sleep_for(std::min(lease_pause, options_.patience));
        }
    }

  private:
    void read_identity() {
        std::optional<finding> found;
        auto promised = manifest::open(files_, directory_, open_mode::read, found);
        if (!promised) refuse(files_, directory_, promised.error(), found);
        identity_.world = promised->world();
        identity_.boot = boot_id(options_.boot);
        name_ = region_name(directory_, promised->world());
    }

    [[nodiscard]] std::string path() const { return linked_region(directory_, name_); }

    std::unique_ptr<shm::region> rebuild(const region_dressing& dress) {
        std::optional<finding> found;
        auto promised = manifest::open(files_, directory_, open_mode::read_write, found);
        if (!promised) refuse(files_, directory_, promised.error(), found);
        shm::region_options fresh = options_.region;
        fresh.world = identity_.world;
        fresh.boot = identity_.boot;
        fresh.incarnation = fresh.generation = promised->incarnation() + 1;
        if (fresh.group) share_directory(directory_, *fresh.group);
        const std::string target = choose_directory(directory_, options_, report_) + "/" + name_;
        const std::string nameless = target + ".new";
        std::unique_ptr<shm::region> made;
        try {
            made = recover(*promised, nameless, fresh);
            // Before the name (O3): a region of the old incarnation may not write from here on.
            const auto raised = promised->raise_incarnation();
            if (!raised) refuse(files_, directory_, raised.error(), {});
            dress(*made);
            note_checkpoint(*made, *promised);
            set_aside(target);
            made->rename(target);
        } catch (...) {
            ::unlink(nameless.c_str());
            throw;
        }
        link_region(directory_, target);
        report_.rebuilt = true;
        return made;
    }

    std::unique_ptr<shm::region> recover(manifest& promised, const std::string& path,
                                         shm::region_options& fresh) {
        recovery_order order;
        order.validators = options_.validators;
        order.fresh = [&](bool more) {
            if (more) {
                // A full world takes a little more when it is laid out anew, and must come back.
                fresh.capacity_bytes += fresh.capacity_bytes / 4 + (16ULL << 20);
                report_.remark = "region.capacity was too small to recover in and was exceeded";
            }
            return fresh_region(path, fresh);
        };
        auto best = recover_best(files_, promised, order, report_);
        if (!best) refuse(files_, directory_, best.error(), report_.found);
        set_checkpoints_aside(promised, best->rejected);
        return std::move(best->region);
    }

    /// Until somebody keeps the world nobody else tells the region what there is to recover from.
    static void note_checkpoint(shm::region& made, const manifest& promised) {
        if (promised.checkpoints().empty()) return;
        const auto& newest = promised.checkpoints().back();
        auto& mark = made.header().checkpoint;
        shm::put(mark.lsn, newest.lsn);
        shm::put(mark.wall_ns, newest.cut_ns);
    }

    /// Damaged checkpoints count no more, and are kept under another name for whoever wants to know
    /// why. One that an accepted one still needs stays: then it was not it that was damaged.
    void set_checkpoints_aside(manifest& promised, const std::vector<checkpoint_entry>& rejected) {
        for (const auto& each : rejected) {
            const bool is_needed =
                std::ranges::find(promised.checkpoints(), each.id, &checkpoint_entry::parent) !=
                promised.checkpoints().end();
            if (is_needed || !promised.retire_checkpoint(each.id)) continue;
            const auto path = checkpoint_path(directory_, each.lsn);
            static_cast<void>(files_.rename(path, path + ".rejected"));
        }
    }

    static std::unique_ptr<shm::region> fresh_region(const std::string& path,
                                                     const shm::region_options& options) {
        ::unlink(path.c_str());  // What a rebuild that died has left.
        return std::make_unique<shm::region>(shm::region::create(path, options));
    }

    /// A region that was refused is kept once, for whoever wants to know why.
    static void set_aside(const std::string& path) {
        if (exists(path)) ::rename(path.c_str(), (path + ".rejected").c_str());
    }

    file_system& files_;
    const std::string& directory_;
    const opening_options& options_;
    opening_report& report_;
    shm::region_identity identity_;
    std::string name_;
};

uuid fresh_uuid() {
    std::random_device source;
    uuid made{};
    for (auto& half : made) half = static_cast<std::uint64_t>(source()) << 32 | source();
    return made;
}

}  // namespace

std::string region_name(const std::string& directory, const uuid& world) {
    struct stat facts {};
    ::stat(directory.c_str(), &facts);
    std::array<char, 96> text{};
    // Device and inode make a copied directory another world, as far as its memory is concerned.
    std::snprintf(text.data(), text.size(), "perdure-%016llx%016llx-%llx-%llx",
                  static_cast<unsigned long long>(world[0]),
                  static_cast<unsigned long long>(world[1]),
                  static_cast<unsigned long long>(facts.st_dev),
                  static_cast<unsigned long long>(facts.st_ino));
    return text.data();
}

bool holds_history(const std::string& directory) {
    const auto holds = [](const std::string& folder, std::string_view ending) {
        std::error_code ignored;
        for (const auto& each : std::filesystem::directory_iterator(folder, ignored)) {
            if (each.path().native().ends_with(ending)) return true;
        }
        return false;
    };
    return holds(journal_directory(directory), ".pj") ||
           holds(checkpoint_directory(directory), ".pcp");
}

void create_world(file_system& files, const std::string& directory) {
    const auto fail = [&](errc reason) { refuse(files, directory, reason, {}); };
    const auto there = manifest_path(directory);
    if (exists(there)) {
        refuse(files, directory, errc::exists, finding{errc::exists, there, 0, "it is there"});
    }
    if (holds_history(directory)) {
        refuse(
            files, directory, errc::exists,
            finding{errc::exists, there, 0, "it is gone, but what a world has written is there"});
    }
    if (const auto made = files.make_directory(directory); !made) fail(made.error());
    if (const auto made = files.make_directory(journal_directory(directory)); !made) {
        fail(made.error());
    }
    if (const auto made = manifest::create(files, directory, fresh_uuid()); !made) {
        fail(made.error());
    }
    if (const auto synced = files.sync_directory(directory); !synced) fail(synced.error());
    if (const auto synced = files.sync_directory(folder_of(directory)); !synced) {
        fail(synced.error());
    }
}

std::unique_ptr<shm::region> open_world(file_system& files, const std::string& directory,
                                        const opening_options& options, opening_report& report,
                                        const region_dressing& dress) {
    return opener(files, directory, options, report).open(dress);
}

}  // namespace perdure::io

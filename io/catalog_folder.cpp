// SPDX-License-Identifier: Apache-2.0
#include <perdure/io/catalog_folder.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <thread>

namespace perdure::io {
namespace {

constexpr unsigned file_mode = 0600;
constexpr int lock_poll_ms = 5;
/// What SQLite puts beside a file; it belongs to that file and would spoil another.
constexpr std::array<const char*, 3> side_names{"-journal", "-wal", "-shm"};

[[noreturn]] void refuse(const char* thing) {
    throw std::system_error(errno, std::generic_category(), thing);
}

}  // namespace

catalog_folder::catalog_folder(const std::string& path)
    : number_(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    if (number_ < 0) refuse("its directory");
}

catalog_folder::~catalog_folder() {
    // Not left to close(): a child that was forked meanwhile would hold the lock on.
    ::flock(number_, LOCK_UN);
    ::close(number_);
}

void catalog_folder::lock(int wait_ms) {
    for (int waited = 0; ::flock(number_, LOCK_EX | LOCK_NB) != 0; waited += lock_poll_ms) {
        if (waited >= wait_ms) refuse("somebody else is opening it");
        std::this_thread::sleep_for(std::chrono::milliseconds(lock_poll_ms));
    }
}

std::optional<struct stat> catalog_folder::entry() const {
    struct stat found {};
    if (::fstatat(number_, catalog_name, &found, AT_SYMLINK_NOFOLLOW) == 0) return found;
    if (errno != ENOENT) refuse("what is there cannot be seen");
    return std::nullopt;
}

void catalog_folder::make_file() {
    for (const char* side : side_names) remove(std::string(catalog_name) + side);
    if (::mknodat(number_, catalog_name, S_IFREG | file_mode, 0) != 0) {
        refuse("a new file cannot be made");
    }
}

void catalog_folder::set_aside() {
    if (!move(catalog_name, broken_catalog_name)) refuse("it cannot be set aside");
    // Behind it: a file that has lost its journal might pass for a sound one.
    for (const char* side : side_names) {
        const std::string target = std::string(broken_catalog_name) + side;
        if (!move(std::string(catalog_name) + side, target)) remove(target);
    }
}

std::string catalog_folder::file_path() const {
    return "/proc/self/fd/" + std::to_string(number_) + "/" + catalog_name;
}

bool catalog_folder::move(const std::string& from, const std::string& to) noexcept {
    const auto rename = [&] { return ::renameat(number_, from.c_str(), number_, to.c_str()) == 0; };
    if (rename()) return true;
    // Only of one kind replaces the other: a file a file, a directory an empty directory.
    if (errno != EISDIR && errno != ENOTDIR) return false;
    remove(to);
    return rename();
}

void catalog_folder::remove(const std::string& name) noexcept {
    if (::unlinkat(number_, name.c_str(), 0) == 0 || errno != EISDIR) return;
    ::unlinkat(number_, name.c_str(), AT_REMOVEDIR);
}

bool is_same_file(const struct stat& one, const struct stat& other) noexcept {
    return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

}  // namespace perdure::io

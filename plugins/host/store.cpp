// SPDX-License-Identifier: Apache-2.0
#include <perdure/plugins/host/store.hpp>

#include <algorithm>

namespace perdure::plugins {
namespace {

constexpr std::string_view temporary = ".adding";
constexpr std::size_t hash_digits = 64;

bool is_hash(std::string_view text) noexcept {
    return text.size() == hash_digits && std::ranges::all_of(text, [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

}  // namespace

result<std::string> store::hash_at(const std::string& path) {
    const io::file opened = PERDURE_TRY(files_.open(path, io::open_mode::read));
    const std::uint64_t size = PERDURE_TRY(opened.size());
    if (size > plugin_bytes_max) return errc::damaged;
    std::vector<std::byte> content(size);
    content.resize(PERDURE_TRY(opened.read(content, 0)));
    return hash_of(content);
}

result<> store::remove_leftovers() {
    for (const std::string& name : PERDURE_TRY(files_.list(directory_))) {
        if (name.ends_with(temporary)) PERDURE_TRY(files_.unlink(directory_ + '/' + name));
    }
    return {};
}

result<> store::write(std::span<const std::byte> content, const std::string& to) {
    io::file made =
        PERDURE_TRY(files_.open(to + std::string(temporary), io::open_mode::create_read_only));
    // The whole of it before any of it, so that a full disk is met here.
    PERDURE_TRY(made.allocate(content.size()));
    PERDURE_TRY(made.write(content, 0));
    PERDURE_TRY(made.sync());
    PERDURE_TRY(made.rename(to));
    return files_.sync_directory(directory_);
}

result<> store::add(std::span<const std::byte> content, const std::string& hash) {
    PERDURE_TRY(files_.make_directory(directory_));
    PERDURE_TRY(files_.sync_directory(io::folder_of(directory_)));
    io::file lock = PERDURE_TRY(files_.open(directory_ + "/lock", io::open_mode::open_or_create));
    if (!PERDURE_TRY(lock.try_lock(true))) return errc::busy;
    PERDURE_TRY(remove_leftovers());
    const auto there = hash_at(name_of(hash));
    // A name is given to synced bytes alone, but its folder may not have been synced yet.
    if (there && *there == hash) return files_.sync_directory(directory_);
    const auto written = write(content, name_of(hash));
    if (written) return {};
    why_ = files_.last_error();
    static_cast<void>(files_.unlink(name_of(hash) + std::string(temporary)));
    return written;
}

plugin_file store::add(const std::string& path) {
    const std::vector<std::byte> content = read_plugin(path);
    plugin_file made = inspect(content, path);
    why_.clear();
    const auto added = add(content, made.hash);
    if (added) return made;
    if (added.error() == errc::busy) {
        throw failure(errc::busy, directory_ + ": another process adds a plugin",
                      "try again in a moment");
    }
    const bool is_full = added.error() == errc::disk_full;
    throw failure(is_full ? errc::disk_full : errc::io_error,
                  path + " was not stored: " + (why_.empty() ? files_.last_error() : why_),
                  is_full ? "free space on the world's disk, then add it again"
                          : "mend what the message names, then add it again");
}

std::string store::path_of(const std::string& hash) {
    std::string path = name_of(hash);
    const auto found = is_hash(hash) ? hash_at(path) : errc::not_found;
    if (found && *found == hash) return path;
    if (found || found.error() == errc::damaged) {
        throw failure(errc::damaged, path + ": its content is not what its name says",
                      "add the plugin again from its file");
    }
    if (found.error() == errc::not_found) {
        throw failure(errc::unknown_plugin, path + ": no such plugin is stored",
                      "add it from its file");
    }
    throw failure(errc::io_error, path + ": " + files_.last_error(),
                  "make the file readable for this user");
}

}  // namespace perdure::plugins

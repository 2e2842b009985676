// SPDX-License-Identifier: Apache-2.0
#include <perdure/tests/io/simulated_disk.hpp>

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

namespace perdure::tests {
namespace {

constexpr std::size_t sector_bytes = 512;

}  // namespace

/// 0, or the errno with which this call fails. A short write is said by -1.
int simulated_disk::fault_of(bool is_write) noexcept {
    ++calls_;
    if (!fault_) return 0;
    const bool due = fault_->for_ever ? calls_ >= fault_->call : calls_ == fault_->call;
    if (!due) return 0;
    if (fault_->kind == fault_kind::short_write && !is_write) return 0;
    faulted_ = true;
    switch (fault_->kind) {
        case fault_kind::input_output: return EIO;
        case fault_kind::no_space: return ENOSPC;
        case fault_kind::short_write: return -1;
        case fault_kind::interrupted: return EINTR;
    }
    return 0;
}

void simulated_disk::put(const std::string& path, std::vector<std::byte> bytes) {
    names_[path] = files_.size();
    names_born_[path] = files_.size();
    born_.push_back(bytes);
    files_.push_back(std::move(bytes));
}

std::vector<std::string> simulated_disk::paths() const {
    std::vector<std::string> all;
    for (const auto& [path, inode] : names_) all.push_back(path);
    return all;
}

bool simulated_disk::is_synced(const std::string& path) const {
    const auto found = names_.find(path);
    if (found == names_.end()) return false;
    for (auto one = trace_.rbegin(); one != trace_.rend(); ++one) {
        if (one->inode != found->second) continue;
        if (one->kind == what::sync) return true;
        if (one->kind == what::write || one->kind == what::resize) return false;
    }
    return true;
}

int simulated_disk::open(const char* path, int flags, unsigned) noexcept {
    const std::lock_guard one_at_a_time(one_at_a_time_);
    if (const int error = fault_of()) return error == -1 ? 0 : -error;
    auto found = names_.find(path);
    if (found == names_.end()) {
        if ((flags & O_CREAT) == 0) return -ENOENT;
        found = names_.emplace(path, files_.size()).first;
        trace_.push_back({what::create, files_.size(), 0, {}, path, {}, false});
        files_.emplace_back();
        born_.emplace_back();
    } else if ((flags & O_EXCL) != 0) {
        return -EEXIST;
    }
    open_[++next_descriptor_] = found->second;
    return next_descriptor_;
}

int simulated_disk::close(int descriptor) noexcept {
    const std::lock_guard one_at_a_time(one_at_a_time_);
    return open_.erase(descriptor) == 1 ? 0 : -EBADF;
}

std::int64_t simulated_disk::read(int descriptor, std::span<std::byte> into,
                                  std::uint64_t offset) noexcept {
    const std::lock_guard one_at_a_time(one_at_a_time_);
    if (const int error = fault_of(); error > 0) return -error;
    const auto& bytes = files_[open_.at(descriptor)];
    if (offset >= bytes.size()) return 0;
    const auto count = std::min(into.size(), bytes.size() - static_cast<std::size_t>(offset));
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), count, into.begin());
    return static_cast<std::int64_t>(count);
}

std::int64_t simulated_disk::write(int descriptor, std::span<const std::byte> from,
                                   std::uint64_t offset) noexcept {
    const std::lock_guard one_at_a_time(one_at_a_time_);
    const int error = fault_of(true);
    if (error == EINTR) return -EINTR;
    const std::size_t inode = open_.at(descriptor);
    if (error == 0 && !has_room(inode, offset + from.size())) return -ENOSPC;
    const auto written = error == 0 ? from : from.first(from.size() / 2);
    trace_.push_back({what::write, inode, offset, {written.begin(), written.end()}, {}, {}, false});
    apply(trace_.back(), files_[inode]);
    if (error > 0) return -error;
    return static_cast<std::int64_t>(written.size());
}

int simulated_disk::sync(int descriptor) noexcept {
    const std::lock_guard one_at_a_time(one_at_a_time_);
    const std::size_t inode = open_.at(descriptor);
    if (const int error = fault_of(); error > 0) {
        if (error == EINTR) return -EINTR;
        const std::vector<bool> durable = durable_changes(trace_.size());
        for (std::size_t i = 0; i < trace_.size(); ++i) {
            const bool content = trace_[i].kind == what::write || trace_[i].kind == what::resize;
            if (content && trace_[i].inode == inode && !durable[i]) trace_[i].lost = true;
        }
        return -error;
    }
    trace_.push_back({what::sync, inode, 0, {}, {}, {}, false});
    return 0;
}

std::uint64_t simulated_disk::used() const {
    std::set<std::size_t> seen;
    for (const auto& [path, inode] : names_) seen.insert(inode);
    for (const auto& [descriptor, inode] : open_) seen.insert(inode);
    std::uint64_t bytes = 0;
    for (const auto inode : seen) {
        const auto more = reserved_.find(inode);
        bytes += std::max<std::uint64_t>(files_[inode].size(),
                                         more == reserved_.end() ? 0 : more->second);
    }
    return bytes;
}

/// Whether the file may reach that byte.
bool simulated_disk::has_room(std::size_t inode, std::uint64_t end) const {
    if (!room_) return true;
    const auto more = reserved_.find(inode);
    const auto has =
        std::max<std::uint64_t>(files_[inode].size(), more == reserved_.end() ? 0 : more->second);
    return end <= has || used() + (end - has) <= *room_;
}

std::int64_t simulated_disk::free_bytes(const char* /*path*/) noexcept {
    const std::lock_guard one_at_a_time(one_at_a_time_);
    const std::uint64_t room = room_.value_or(1ULL << 40);
    return static_cast<std::int64_t>(room - std::min(room, used()));
}

int simulated_disk::reserve(int descriptor, std::uint64_t offset, std::uint64_t bytes) noexcept {
    const std::lock_guard one_at_a_time(one_at_a_time_);
    if (const int error = fault_of(); error > 0) return -error;
    const std::size_t inode = open_.at(descriptor);
    if (!has_room(inode, offset + bytes)) return -ENOSPC;
    auto& end = reserved_[inode];
    end = std::max(end, offset + bytes);
    return 0;
}

int simulated_disk::allocate(int descriptor, std::uint64_t bytes) noexcept {
    const std::lock_guard one_at_a_time(one_at_a_time_);
    if (const int error = fault_of(); error > 0) return -error;
    const std::size_t inode = open_.at(descriptor);
    if (!has_room(inode, bytes)) return -ENOSPC;
    const std::uint64_t longer = std::max<std::uint64_t>(bytes, files_[inode].size());
    trace_.push_back({what::resize, inode, longer, {}, {}, {}, false});
    apply(trace_.back(), files_[inode]);
    return 0;
}

int simulated_disk::truncate(int descriptor, std::uint64_t bytes) noexcept {
    const std::lock_guard one_at_a_time(one_at_a_time_);
    if (const int error = fault_of(); error > 0) return -error;
    const std::size_t inode = open_.at(descriptor);
    trace_.push_back({what::resize, inode, bytes, {}, {}, {}, false});
    apply(trace_.back(), files_[inode]);
    return 0;
}

std::int64_t simulated_disk::size(int descriptor) noexcept {
    const std::lock_guard one_at_a_time(one_at_a_time_);
    if (const int error = fault_of(); error > 0) return -error;
    return static_cast<std::int64_t>(files_[open_.at(descriptor)].size());
}

int simulated_disk::rename(const char* from, const char* to) noexcept {
    const std::lock_guard one_at_a_time(one_at_a_time_);
    if (const int error = fault_of(); error > 0) return -error;
    const auto found = names_.find(from);
    if (found == names_.end()) return -ENOENT;
    trace_.push_back({what::rename, found->second, 0, {}, from, to, false});
    apply_name(trace_.back(), names_);
    return 0;
}

int simulated_disk::unlink(const char* path) noexcept {
    const std::lock_guard one_at_a_time(one_at_a_time_);
    if (const int error = fault_of(); error > 0) return -error;
    const auto found = names_.find(path);
    if (found == names_.end()) return -ENOENT;
    trace_.push_back({what::unlink, found->second, 0, {}, path, {}, false});
    apply_name(trace_.back(), names_);
    return 0;
}

int simulated_disk::make_directory(const char* path, unsigned) noexcept {
    const std::lock_guard one_at_a_time(one_at_a_time_);
    if (const int error = fault_of(); error > 0) return -error;
    return directories_.insert(path).second ? 0 : -EEXIST;
}

int simulated_disk::sync_directory(const char* path) noexcept {
    const std::lock_guard one_at_a_time(one_at_a_time_);
    if (const int error = fault_of(); error > 0) return -error;
    if (!directories_.contains(path)) return -ENOENT;
    trace_.push_back({what::sync_folder, 0, 0, {}, path, {}, false});
    return 0;
}

int simulated_disk::list(const char* path, std::vector<std::string>& names) noexcept {
    const std::lock_guard one_at_a_time(one_at_a_time_);
    if (const int error = fault_of(); error > 0) return -error;
    if (!directories_.contains(path)) return -ENOENT;
    for (const auto& [name, inode] : names_) {
        if (io::folder_of(name) == path) names.push_back(name.substr(std::string(path).size() + 1));
    }
    return 0;
}

int simulated_disk::lock(int, bool) noexcept {
    const int error = fault_of();
    return error > 0 ? -error : 0;
}

int simulated_disk::unlock(int) noexcept { return 0; }

void simulated_disk::drop_cache(int descriptor) noexcept {
    const std::lock_guard one_at_a_time(one_at_a_time_);
    const std::size_t inode = open_.at(descriptor);
    const auto is_lost = [&](const change& one) { return one.inode == inode && one.lost; };
    if (std::none_of(trace_.begin(), trace_.end(), is_lost)) return;
    files_[inode] = born_[inode];
    for (const change& one : trace_) {
        if (one.inode == inode && !one.lost) apply(one, files_[inode]);
    }
}

void simulated_disk::apply(const change& one, std::vector<std::byte>& bytes) {
    if (one.kind == what::resize) bytes.resize(static_cast<std::size_t>(one.offset));
    if (one.kind != what::write) return;
    const auto end = static_cast<std::size_t>(one.offset) + one.bytes.size();
    if (bytes.size() < end) bytes.resize(end);
    std::copy(one.bytes.begin(), one.bytes.end(),
              bytes.begin() + static_cast<std::ptrdiff_t>(one.offset));
}

void simulated_disk::apply_sectors(const change& one, std::vector<std::byte>& bytes,
                                   std::mt19937_64& random) {
    if (one.kind != what::write) return;
    const std::uint64_t style = random() % 3;
    const std::size_t cut = random() % (one.bytes.size() / sector_bytes + 1);
    for (std::size_t at = 0; at < one.bytes.size(); at += sector_bytes) {
        const bool kept = style == 0   ? at / sector_bytes < cut
                          : style == 1 ? at / sector_bytes >= cut
                                       : random() % 2 == 0;
        if (!kept) continue;
        change part = one;
        const std::size_t count = std::min(sector_bytes, one.bytes.size() - at);
        part.offset += at;
        part.bytes.assign(one.bytes.begin() + static_cast<std::ptrdiff_t>(at),
                          one.bytes.begin() + static_cast<std::ptrdiff_t>(at + count));
        apply(part, bytes);
    }
}

void simulated_disk::apply_name(const change& one, name_map& names) {
    if (one.kind == what::create) names[one.path] = one.inode;
    if (one.kind == what::unlink || one.kind == what::rename) names.erase(one.path);
    if (one.kind == what::rename) names[one.target] = one.inode;
}

/// Which of the first `count` changes a sync after them covers.
std::vector<bool> simulated_disk::durable_changes(std::size_t count) const {
    std::vector<bool> durable(count, false);
    std::set<std::size_t> synced;
    std::set<std::string> folders;
    for (std::size_t i = count; i-- > 0;) {
        const change& one = trace_[i];
        switch (one.kind) {
            case what::sync: synced.insert(one.inode); break;
            case what::sync_folder: folders.insert(one.path); break;
            case what::write:
            case what::resize: durable[i] = !one.lost && synced.contains(one.inode); break;
            case what::create:
            case what::rename:
            case what::unlink: durable[i] = folders.contains(io::folder_of(one.path)); break;
        }
    }
    return durable;
}

simulated_disk simulated_disk::after_power_loss(std::size_t changes, loss how,
                                                std::mt19937_64& random) const {
    const std::vector<bool> durable = durable_changes(changes);
    std::vector<std::size_t> kept;     // Content that is on disk.
    std::vector<std::size_t> pending;  // Content that may be.
    std::vector<std::size_t> renames;  // Names that may be.
    name_map names = names_born_;
    for (std::size_t i = 0; i < changes; ++i) {
        const what kind = trace_[i].kind;
        if (kind == what::write || kind == what::resize) {
            if (trace_[i].lost) continue;
            (durable[i] ? kept : pending).push_back(i);
        } else if (durable[i]) {
            apply_name(trace_[i], names);
        } else if (kind != what::sync && kind != what::sync_folder) {
            renames.push_back(i);
        }
    }
    const auto drop_one = [&] {
        if (!pending.empty()) {
            pending.erase(pending.begin() + static_cast<std::ptrdiff_t>(random() % pending.size()));
        }
    };
    std::optional<std::size_t> torn;
    std::size_t names_kept = renames.size();
    switch (how) {
        case loss::nothing: break;
        case loss::all:
            pending.clear();
            names_kept = 0;
            break;
        case loss::one: drop_one(); break;
        case loss::two: drop_one(), drop_one(); break;
        case loss::some:
            std::erase_if(pending, [&](std::size_t) { return random() % 2 == 0; });
            names_kept = random() % (renames.size() + 1);
            break;
        case loss::torn:
            if (!pending.empty()) torn = pending[random() % pending.size()];
            break;
        case loss::names: names_kept = random() % (renames.size() + 1); break;
    }
    for (std::size_t i = 0; i < names_kept; ++i) apply_name(trace_[renames[i]], names);

    std::vector<std::vector<std::byte>> contents = born_;
    kept.insert(kept.end(), pending.begin(), pending.end());
    std::sort(kept.begin(), kept.end());
    for (const std::size_t i : kept) {
        std::vector<std::byte>& bytes = contents[trace_[i].inode];
        if (torn == i) {
            apply_sectors(trace_[i], bytes, random);
        } else {
            apply(trace_[i], bytes);
        }
    }
    simulated_disk image;
    image.directories_ = directories_;
    for (const auto& [path, inode] : names) image.put(path, contents[inode]);
    return image;
}

}  // namespace perdure::tests

// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/demo/unsynced.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <vector>

namespace perdure::apps {
namespace {

using note = unsynced_page::note;

std::uint64_t load(const std::uint64_t& place) noexcept {
    return std::atomic_ref(const_cast<std::uint64_t&>(place)).load(std::memory_order_acquire);
}

bool is_zero(std::span<const std::byte> bytes) noexcept {
    return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

/// Calls `visit(note&, bytes that stood there)` for each note, the oldest first.
template <class Page, class Visit>
void for_each_note(Page& page, Visit visit) {
    const std::uint64_t used = load(page.used);
    for (std::uint64_t at = 0; at < used;) {
        auto* place = page.room.data() + at;
        auto& each =
            *reinterpret_cast<std::conditional_t<std::is_const_v<Page>, const note, note>*>(place);
        visit(each, std::span<const std::byte>(place + sizeof(note), each.kept));
        at += sizeof(note) + each.kept;
    }
}

/// What stands in the file now; behind its end there are zeros.
std::vector<std::byte> standing(int descriptor, std::uint64_t offset, std::size_t bytes) {
    std::vector<std::byte> found(bytes);
    std::size_t got = 0;
    while (got < bytes) {
        const auto count =
            ::pread(descriptor, found.data() + got, bytes - got, static_cast<off_t>(offset + got));
        if (count < 0 && errno == EINTR) continue;
        PERDURE_ASSERT(count >= 0);
        if (count == 0) break;
        got += static_cast<std::size_t>(count);
    }
    return found;
}

}  // namespace

int noting_calls::open(const char* path, int flags, unsigned mode) noexcept {
    // What a write covers must be readable: its note needs it.
    if ((flags & O_ACCMODE) == O_WRONLY) flags = (flags & ~O_ACCMODE) | O_RDWR;
    const int descriptor = kernel_calls::open(path, flags, mode);
    const std::string_view name(path);
    if (descriptor >= 0 && name.starts_with(folder_ + '/')) open_[descriptor] = name;
    return descriptor;
}

int noting_calls::close(int descriptor) noexcept {
    open_.erase(descriptor);
    return kernel_calls::close(descriptor);
}

std::int64_t noting_calls::write(int descriptor, std::span<const std::byte> from,
                                 std::uint64_t offset) noexcept {
    if (const auto found = open_.find(descriptor); found != open_.end()) {
        remember(descriptor, found->second, offset, from);
    }
    return kernel_calls::write(descriptor, from, offset);
}

void noting_calls::remember(int descriptor, const std::string& path, std::uint64_t offset,
                            std::span<const std::byte> from) noexcept {
    const std::vector<std::byte> before = standing(descriptor, offset, from.size());
    const bool was_zero = is_zero(before);
    if (was_zero && is_zero(from)) return;  // Filling with zeros loses nothing.

    const std::uint64_t kept = was_zero ? 0 : (before.size() + 7) / 8 * 8;
    const std::uint64_t used = page_->used;
    PERDURE_ASSERT(path.size() < unsynced_page::path_max);
    PERDURE_ASSERT(used + sizeof(note) + kept <= page_->room.size());
    auto* place = page_->room.data() + used;
    auto& made = *new (place) note{offset, from.size(), kept, 0, {}};
    std::memcpy(made.path.data(), path.data(), path.size());
    if (!was_zero) std::memcpy(place + sizeof(note), before.data(), before.size());
    // After the whole note and before the write itself: a death between loses nothing.
    std::atomic_ref(page_->used).store(used + sizeof(note) + kept, std::memory_order_release);
    count_journal();
}

void noting_calls::count_journal() noexcept {
    std::uint64_t count = 0;
    for_each_note(*page_, [&](const note& each, std::span<const std::byte>) {
        const std::string_view path(each.path.data());
        count += each.synced == 0 && path.find("/journal/") != std::string_view::npos ? 1 : 0;
    });
    std::atomic_ref(page_->journal).store(count, std::memory_order_release);
}

void noting_calls::stay_while_held() noexcept {
    const std::uint64_t hold = load(page_->held);
    if (hold == 0 || hold == held_ || !has_unsynced(*page_)) return;
    held_ = hold;
    while (load(page_->held) == hold) ::usleep(1000);
}

int noting_calls::sync(int descriptor) noexcept {
    stay_while_held();
    const int answer = kernel_calls::sync(descriptor);
    const auto found = open_.find(descriptor);
    if (answer != 0 || found == open_.end()) return answer;
    bool all = true;
    for_each_note(*page_, [&](note& each, std::span<const std::byte>) {
        if (each.path.data() == found->second) each.synced = 1;
        all = all && each.synced == 1;
    });
    if (all) std::atomic_ref(page_->used).store(0, std::memory_order_release);
    if (durable_lsn_ != nullptr) {
        std::atomic_ref(page_->proved_lsn).store(load(*durable_lsn_), std::memory_order_release);
    }
    count_journal();
    return answer;
}

int noting_calls::rename(const char* from, const char* to) noexcept {
    const int answer = kernel_calls::rename(from, to);
    if (answer != 0) return answer;
    for (auto& [descriptor, path] : open_) {
        if (path == from) path = to;
    }
    for_each_note(*page_, [&](note& each, std::span<const std::byte>) {
        if (std::string_view(each.path.data()) != from) return;
        each.path = {};
        std::memcpy(each.path.data(), to, std::min(std::strlen(to), each.path.size() - 1));
    });
    return answer;
}

bool has_unsynced(const unsynced_page& page) noexcept {
    // Beside a writer only this number may be read, not the notes.
    return load(page.journal) != 0;
}

void hold_syncs(unsynced_page& page, std::uint64_t number) noexcept {
    std::atomic_ref(page.held).store(number, std::memory_order_release);
}

std::uint64_t proved_lsn(const unsynced_page& page) noexcept { return load(page.proved_lsn); }

dropped drop_unsynced(const unsynced_page& page) {
    std::vector<std::pair<const note*, std::span<const std::byte>>> lost;
    for_each_note(page, [&](const note& each, std::span<const std::byte> before) {
        if (each.synced == 0) lost.emplace_back(&each, before);
    });
    dropped count;
    for (auto each = lost.rbegin(); each != lost.rend(); ++each) {
        const auto& [what, before] = *each;
        std::vector<std::byte> image(what->bytes);
        if (!before.empty()) std::memcpy(image.data(), before.data(), image.size());
        const int file = ::open(what->path.data(), O_WRONLY | O_CLOEXEC);
        if (file < 0 && errno == ENOENT) continue;  // Retired since.
        const auto written =
            file < 0 ? -1
                     : ::pwrite(file, image.data(), image.size(), static_cast<off_t>(what->offset));
        const int cause = errno;
        if (file >= 0) ::close(file);
        if (written != static_cast<ssize_t>(image.size())) {
            throw failure(errc::io_error,
                          std::string(what->path.data()) + ": " + std::strerror(cause),
                          "the power cut could not be played; run the demo again");
        }
        ++count.writes;
        count.bytes += what->bytes;
    }
    return count;
}

}  // namespace perdure::apps

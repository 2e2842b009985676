// SPDX-License-Identifier: Apache-2.0
//
// The region's memory: committed before it is touched, in steps, and touched before it is needed.
#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <perdure/shm/region.hpp>

namespace perdure::shm {
namespace {

constexpr std::uint64_t huge_page = 2ULL << 20;

}  // namespace

/// An errno, 0 when there is memory behind all of it. A buffer has memory everywhere.
int region::allocate(std::uint64_t from, std::uint64_t to) const noexcept {
    if (file_ < 0 || from >= to) return 0;
    return ::posix_fallocate(file_, static_cast<off_t>(from), static_cast<off_t>(to - from));
}

/// What captures keep of pages [from, to); both bitmaps grow by a page every 128 MiB.
int region::allocate_pages(std::uint64_t from, std::uint64_t to) const noexcept {
    const auto& g = geometry_;
    const std::uint64_t bitmap = (g.capture_at - g.dirty_at) / 2;
    int error = 0;
    for (const std::uint64_t at : {g.dirty_at, g.dirty_at + bitmap}) {
        if (error == 0) error = allocate(at + from / 8, at + (to + 63) / 64 * 8);
    }
    if (error == 0) error = allocate(g.capture_at + from * 8, g.capture_at + to * 8);
    return error;
}

result<> region::commit_pages(std::uint64_t end) noexcept {
    const std::uint64_t needed = geometry_.pages_at + end * page_bytes;
    auto& committed = header().committed_bytes.value;
    if (needed <= load(committed)) return {};
    if (needed > geometry_.capacity_bytes) return errc::region_full;
    const std::uint64_t wanted =
        std::min(geometry_.capacity_bytes, (needed + commit_step - 1) / commit_step * commit_step);
    const std::uint64_t from = load(committed);
    const auto page = [&](std::uint64_t at) { return (at - geometry_.pages_at) / page_bytes; };
    // What captures need first: nobody looks at it before the page is committed.
    if (allocate_pages(page(from), page(wanted)) != 0 || allocate(from, wanted) != 0) {
        return errc::no_memory;
    }
    // After the memory is there: a death in between commits the same step again (G3).
    std::uint64_t seen = from;
    while (seen < wanted && !word(committed).compare_exchange_weak(seen, wanted)) {
    }
    return {};
}

std::uint64_t region::commit_shadows(std::uint64_t count) noexcept {
    auto& ready = header().capture.shadow_pages;
    const std::uint64_t from = load(ready);
    const std::uint64_t wanted = std::min(count, geometry_.shadow_pages_max);
    if (wanted <= from) return from;
    const std::uint64_t at = geometry_.shadow_at;
    if (allocate(at + from * page_bytes, at + wanted * page_bytes) != 0) return from;
    populate(at + from * page_bytes, at + wanted * page_bytes);
    step(ready, wanted);
    return wanted;
}

void region::populate(std::uint64_t from, std::uint64_t to) const noexcept {
    constexpr int madv_populate_write = 23;  // Linux 5.14; any other says no, which is fine.
    ::madvise(start_ + from, to - from, madv_populate_write);
}

void region::warm() const noexcept {
    const auto committed = load(header().committed_bytes.value);
    std::uint64_t sum = 0;
    // Huge pages even where the tmpfs gives none by itself (Linux 6.1); a random access in 128 MiB
    // takes a quarter less with them (perf/limit). Any other kernel says no, which is fine.
    constexpr int madv_collapse = 25;
    if (writable()) ::madvise(start_, committed / huge_page * huge_page, madv_collapse);
    constexpr int madv_populate_read = 22;
    constexpr int madv_populate_write = 23;
    const int advice = writable() ? madv_populate_write : madv_populate_read;
    if (::madvise(start_, committed, advice) == 0) return;
    for (std::uint64_t at = 0; at < committed; at += page_bytes) {
        sum += peek(*reinterpret_cast<const std::uint64_t*>(start_ + at));
    }
    asm volatile("" : : "r"(sum));
}

}  // namespace perdure::shm

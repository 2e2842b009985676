// SPDX-License-Identifier: Apache-2.0
//
// Copies what a capture wants out of the region, quickly: into memory made ready beforehand,
// without looking at what the pages hold.
//
// Promise     Every page with rows that the capture wants is answered once, as capture.hpp
//             promises.
// Death       Nothing but memory of this process.
// Threads     One.
#pragma once

#include <perdure/io/table_archive.hpp>
#include <perdure/shm/capture.hpp>
#include <perdure/shm/extent.hpp>
#include <vector>

namespace perdure::io {

/// Pages of one table.
struct page_run {
    std::uint32_t table = 0;
    std::uint64_t as_of = 0;
    std::vector<std::uint64_t> pages;  ///< Counted from the table's first.
    std::vector<std::byte> bytes;      ///< page_bytes for each of them.
};

class page_scan {
  public:
    static constexpr std::size_t run_pages = shm::capture::slice_pages;

    page_scan(shm::region& where, shm::capture& by) : where_(&where), by_(&by) {}

    /// Memory for that many pages, so that the copying meets no page fault; never for more than
    /// next() takes with this `bytes_max`.
    void make_room(std::uint64_t pages, std::uint64_t bytes_max);
    /// Bytes of it that lie ready.
    [[nodiscard]] std::uint64_t room() const noexcept {
        return spare_.size() * run_pages * shm::page_bytes;
    }
    /// Memory that is not needed any more.
    void give_back(page_run&& run) { spare_.push_back(std::move(run.bytes)); }

    /// Turns to a cut and copies the schemas. Errors: as next(), bad_schema.
    result<std::vector<stored_schema>> begin(const shm::cut& at, bool sliced);

    /// Copies on until `bytes_max` are taken, and adds what it copied.
    /// Errors: conflict (the capture was given up), stalled, garbled.
    result<> next(std::uint64_t bytes_max, std::vector<page_run>& into);
    /// True when all has been copied.
    [[nodiscard]] bool is_done() const noexcept { return extent_ == extents_.size(); }

    /// LSN of the schemas.
    [[nodiscard]] std::uint64_t schemas_as_of() const noexcept { return schemas_as_of_; }

  private:
    result<> copy_pages(const std::vector<std::uint64_t>& pages, page_run& run);
    [[nodiscard]] bool is_used(const shm::extent_place& extent, std::uint64_t index) const noexcept;
    [[nodiscard]] page_run fresh_run(std::uint32_t table);

    shm::region* where_;
    shm::capture* by_;
    shm::cut at_;
    bool sliced_ = false;
    std::uint64_t schemas_as_of_ = 0;
    std::vector<shm::extent_place> extents_;
    std::size_t extent_ = 0;  // The one at hand.
    std::vector<std::vector<std::byte>> spare_;
};

}  // namespace perdure::io

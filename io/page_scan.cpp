// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <perdure/io/page_scan.hpp>

namespace perdure::io {
namespace {

constexpr std::chrono::seconds slice_wait{5};

}  // namespace

void page_scan::make_room(std::uint64_t pages, std::uint64_t bytes_max) {
    const std::uint64_t most = bytes_max / (run_pages * shm::page_bytes);
    const std::uint64_t runs = std::min(pages / run_pages, most) + 1;
    while (spare_.size() < runs) spare_.emplace_back(run_pages * shm::page_bytes);
}

page_run page_scan::fresh_run(std::uint32_t table) {
    page_run made{table, at_.lsn, {}, {}};
    if (spare_.empty()) spare_.emplace_back();
    made.bytes = std::move(spare_.back());
    spare_.pop_back();
    made.bytes.resize(run_pages * shm::page_bytes);
    return made;
}

/// False for a page whose rows nobody was ever given; more of them may be by now, not fewer.
bool page_scan::is_used(const shm::extent_place& extent, std::uint64_t index) const noexcept {
    const auto& d = where_->descriptor(extent.table);
    return (extent.table_page + index) * shm::peek(d.rows_per_page) < shm::peek(d.row_high);
}

result<> page_scan::copy_pages(const std::vector<std::uint64_t>& pages, page_run& run) {
    const auto room = std::span(run.bytes).first(pages.size() * shm::page_bytes);
    if (sliced_) {
        run.as_of = PERDURE_TRY(by_->copy_slice(pages, room, shm::deadline::in(slice_wait)));
        return {};
    }
    for (std::size_t i = 0; i < pages.size(); ++i) {
        PERDURE_TRY(by_->copy(pages[i], room.subspan(i * shm::page_bytes).first(shm::page_bytes)));
    }
    return {};
}

result<std::vector<stored_schema>> page_scan::begin(const shm::cut& at, bool sliced) {
    at_ = at;
    sliced_ = sliced;
    extents_ = shm::extents_below(*where_, at.end);
    extent_ = 0;
    std::vector<stored_schema> out;
    constexpr std::uint64_t rows_per_page = shm::page_bytes / sizeof(shm::schema_row);
    // Their extents were the first to be taken, when the region was made. All of them in one slice:
    // a section has one as_of.
    page_run run = fresh_run(shm::schemas_table);
    std::vector<std::uint64_t> pages;
    for (; extent_ < extents_.size(); ++extent_) {
        const auto& extent = extents_[extent_];
        if (extent.table != shm::schemas_table) break;
        for (std::uint64_t i = 0; i < shm::extent_pages; ++i) {
            if (is_used(extent, i)) pages.push_back(extent.page + i);
        }
    }
    PERDURE_TRY(copy_pages(pages, run));
    schemas_as_of_ = run.as_of;
    for (std::uint64_t number = 0; number < pages.size() * rows_per_page; ++number) {
        shm::schema_row row;
        std::memcpy(&row,
                    run.bytes.data() + number / rows_per_page * shm::page_bytes +
                        number % rows_per_page * sizeof row,
                    sizeof row);
        if (number == shm::schemas_table || row.header.live != 1) continue;
        out.push_back(PERDURE_TRY(schema_of(static_cast<std::uint32_t>(number), row)));
    }
    give_back(std::move(run));
    return out;
}

result<> page_scan::next(std::uint64_t bytes_max, std::vector<page_run>& into) {
    std::uint64_t taken = 0;
    std::vector<std::uint64_t> pages;
    page_run run;
    const auto close = [&]() -> result<> {
        if (pages.empty()) return {};
        PERDURE_TRY(copy_pages(pages, run));
        taken += pages.size() * shm::page_bytes;
        into.push_back(std::move(run));
        pages.clear();
        return {};
    };
    for (; extent_ < extents_.size() && taken < bytes_max; ++extent_) {
        const auto& extent = extents_[extent_];
        PERDURE_ASSERT(extent.table != shm::schemas_table);
        for (std::uint64_t i = 0; i < shm::extent_pages; ++i) {
            const std::uint64_t page = extent.page + i;
            if (!is_used(extent, i) || !by_->wants(page)) continue;
            // Extents of a table ascend with its rows only as long as they were taken in order.
            const bool goes_on = !pages.empty() && run.table == extent.table &&
                                 run.pages.back() < extent.table_page + i;
            if (!pages.empty() && (!goes_on || pages.size() == run_pages)) {
                PERDURE_TRY(close());
            }
            if (pages.empty()) run = fresh_run(extent.table);
            pages.push_back(page);
            run.pages.push_back(extent.table_page + i);
        }
    }
    return close();
}

}  // namespace perdure::io

// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <atomic>
#include <perdure/shm/crash_point.hpp>
#include <perdure/shm/extent.hpp>
#include <perdure/shm/schema_format.hpp>
#include <perdure/shm/stripe.hpp>

namespace perdure::shm {

std::uint64_t directory::learn(std::uint32_t table, std::uint64_t row) noexcept {
    // An extent that is still being added may be taken back, by its transaction or by a repair, and
    // its pages go to another table: what is remembered was read while nobody held the directory.
    const auto& stripe = where_->stripe(descriptor_stripe(table));
    const std::uint64_t seen = load(stripe);
    const std::uint64_t at = shm::locate(*where_, table, row);
    std::atomic_thread_fence(std::memory_order_acquire);
    const bool settled = owner_of(seen) == 0 && load(stripe) == seen;
    if (at == 0 || (!settled && !planted(bug::extent_unsettled))) return at;
    const auto& d = where_->descriptor(table);
    const std::uint64_t page = page_of_row(d, row);
    auto& t = tables_[table];
    t.page_magic = peek(d.page_magic);
    t.rows_per_page = peek(d.rows_per_page);
    t.row_bytes = peek(d.row_bytes);
    const std::uint64_t extent = page / extent_pages;
    if (extent >= t.extents.size()) t.extents.resize(extent + 1);
    t.extents[extent] =
        at - (row - page * t.rows_per_page) * t.row_bytes - page % extent_pages * page_bytes;
    return at;
}

std::vector<extent_place> extents_below(const region& where, std::uint64_t end) {
    std::vector<extent_place> found;
    // Entries behind `end` belong to what came later; a garbled one is left out all the same.
    const auto entries = [&](std::uint64_t page) -> std::span<const std::uint32_t> {
        if (page == 0 || page >= end) return {};
        return {where.at<const std::uint32_t>(where.page_at(page)), directory_fan};
    };
    for (std::uint32_t table = schemas_table; table < table_count; ++table) {
        const auto& d = where.descriptor(table);
        if (peek(d.rows_per_page) == 0 || (peek(d.flags) & derived) != 0) continue;
        std::uint64_t extent = 0;
        for (const auto& root : entries(peek(d.root_page))) {
            const auto leaves = entries(peek(root));
            if (leaves.empty()) extent += directory_fan;
            for (const auto& leaf : leaves) {
                const std::uint64_t first = peek(leaf);
                if (first != 0 && first + extent_pages <= end) {
                    found.push_back({first, table, extent * extent_pages});
                }
                ++extent;
            }
        }
    }
    std::sort(found.begin(), found.end(),
              [](const auto& left, const auto& right) { return left.page < right.page; });
    return found;
}

void lay_descriptor(table_descriptor& table, std::uint32_t row_bytes, std::uint32_t flags,
                    std::uint32_t key_at) noexcept {
    table = {};
    table.state = static_cast<std::uint32_t>(table_state::ready);
    table.row_bytes = row_bytes;
    table.flags = flags;
    table.key_at = key_at;
    table.rows_per_page = page_bytes / row_bytes;
    table.page_magic = page_magic_of(table.rows_per_page);
}

void lay_schemas(region& where) noexcept {
    auto& table = where.descriptor(schemas_table);
    lay_descriptor(table, sizeof(schema_row), 0, 0);
    table.row_high = table_count;
    const std::uint64_t pages = (table_count + table.rows_per_page - 1) / table.rows_per_page;
    const auto extents = static_cast<std::uint32_t>((pages + extent_pages - 1) / extent_pages);
    auto& next = where.header().page_next.value;
    table.root_page = static_cast<std::uint32_t>(next);
    const auto leaf = static_cast<std::uint32_t>(next + 1);
    where.at<std::uint32_t>(where.page_at(table.root_page))[0] = leaf;
    for (std::uint32_t i = 0; i < extents; ++i) {
        where.at<std::uint32_t>(where.page_at(leaf))[i] = leaf + 1 + i * extent_pages;
    }
    next += 2 + static_cast<std::uint64_t>(extents) * extent_pages;
    // The first row describes the table itself, so that readers need no exception for it.
    auto& self = *where.at<schema_row>(locate(where, schemas_table, schemas_table));
    self.header.live = 1;
    self.name = {'s', 'c', 'h', 'e', 'm', 'a', 's'};
    self.version = 1;
    self.row_bytes = sizeof(schema_row);
}

}  // namespace perdure::shm

// SPDX-License-Identifier: Apache-2.0
//
// Where a row lies: table descriptor -> root page -> leaf page -> extent of 32 pages -> row.
//
// Promise     An offset that locate() answers lies inside committed memory, whatever the directory
//             pages hold; 0 means that no such row was ever handed out.
// Death       Directory pages change only inside transactions (table.cpp).
// Threads     Any; the directory may be read beside a writer, an entry is one word. One directory
//             object, one thread.
// Invariants  E1 an extent that was committed never moves and never goes: what a thread has learnt
//             stays true, for it learns nothing while the table's descriptor is owned.
// Format      docs/formats/region.md#tables
#pragma once

#include <algorithm>
#include <perdure/shm/region.hpp>
#include <vector>

namespace perdure::shm {

inline constexpr std::uint32_t directory_fan = page_bytes / sizeof(std::uint32_t);

/// Page of the table, counted from its first row, that holds `row`.
inline std::uint64_t page_of_row(const table_descriptor& table, std::uint64_t row) noexcept {
    const std::uint64_t magic = peek(table.page_magic);
    if (magic == 0) return row;
    return static_cast<std::uint64_t>((static_cast<unsigned __int128>(row) * magic) >> 64);
}

/// Exact for every row below 2^48: the magic is rounded up by less than rows_per_page.
constexpr std::uint64_t page_magic_of(std::uint32_t rows_per_page) noexcept {
    if (rows_per_page == 1) return 0;
    return ~0ULL / rows_per_page + 1;
}

/// Region offset of the row, 0 when the table has none of that number.
inline std::uint64_t locate(const region& where, std::uint32_t table, std::uint64_t row) noexcept {
    const auto& d = where.descriptor(table);
    const std::uint64_t page = page_of_row(d, row);
    const std::uint64_t extent = page / extent_pages;
    const std::uint64_t last =
        peek(where.header().committed_bytes.value) - where.geometry().pages_at - page_bytes;
    const std::uint64_t root = std::uint64_t{peek(d.root_page)} * page_bytes;
    // Page 0 is never handed out; `last` is where the last committed page begins.
    if (row >= 1ULL << 48 || extent >= std::uint64_t{directory_fan} * directory_fan ||
        root - 1 >= last)
        return 0;
    const auto* pages = where.start() + where.geometry().pages_at;
    const std::uint64_t leaf =
        std::uint64_t{
            peek(reinterpret_cast<const std::uint32_t*>(pages + root)[extent / directory_fan])} *
        page_bytes;
    if (leaf - 1 >= last) return 0;
    const std::uint64_t first =
        std::uint64_t{
            peek(reinterpret_cast<const std::uint32_t*>(pages + leaf)[extent % directory_fan])} *
        page_bytes;
    const std::uint64_t at = first + page % extent_pages * page_bytes;
    const std::uint64_t row_bytes = peek(d.row_bytes);
    const std::uint64_t within = (row - page * peek(d.rows_per_page)) * row_bytes;
    if (first == 0 || at > last || row_bytes > page_bytes || within > page_bytes - row_bytes) {
        return 0;
    }
    return where.geometry().pages_at + at + within;
}

/// Calls see(row, its region offset) for each row of [from, to) that has memory, page by page.
template <class See>
void each_row(const region& where, std::uint32_t table, std::uint64_t from, std::uint64_t to,
              See see) {
    const auto& d = where.descriptor(table);
    for (std::uint64_t row = from; row < to;) {
        const std::uint64_t behind = std::min(to, (page_of_row(d, row) + 1) * d.rows_per_page);
        std::uint64_t at = locate(where, table, row);
        for (; at != 0 && row < behind; ++row, at += d.row_bytes) see(row, at);
        row = behind;
    }
}

/// locate() with what a thread has learnt: an extent's place is read from the region once.
class directory {
  public:
    explicit directory(const region& where) : where_(&where), tables_(table_count) {}

    /// As the function of that name.
    std::uint64_t locate(std::uint32_t table, std::uint64_t row) noexcept {
        const known& t = tables_[table];
        const std::uint64_t page =
            t.page_magic == 0 ? row
                              : static_cast<std::uint64_t>(
                                    (static_cast<unsigned __int128>(row) * t.page_magic) >> 64);
        const std::uint64_t extent = page / extent_pages;
        if (extent >= t.extents.size() || t.extents[extent] == 0) return learn(table, row);
        return t.extents[extent] + page % extent_pages * page_bytes +
               (row - page * t.rows_per_page) * t.row_bytes;
    }

  private:
    struct known {
        std::uint64_t page_magic = 0;
        std::uint64_t rows_per_page = 0;
        std::uint64_t row_bytes = 0;
        std::vector<std::uint64_t> extents;  ///< Region offsets, 0 = not learnt.
    };
    std::uint64_t learn(std::uint32_t table, std::uint64_t row) noexcept;

    const region* where_;
    std::vector<known> tables_;
};

/// Where an extent with rows lies.
struct extent_place {
    std::uint64_t page;  ///< Its first page in the region.
    std::uint32_t table;
    std::uint64_t table_page;  ///< The same, counted from the table's first.
};

/// The extents below page `end` of all tables that are not derived, by ascending page: what was
/// there at a cut is found at any time after it, since extents never move and never go (E1).
std::vector<extent_place> extents_below(const region& where, std::uint64_t end);

/// Fills a descriptor for a table without rows.
void lay_descriptor(table_descriptor& table, std::uint32_t row_bytes, std::uint32_t flags,
                    std::uint32_t key_at) noexcept;

/// Gives a fresh region the table of schemas, table 1, with all its rows.
/// Requires: nobody else can see the region yet.
void lay_schemas(region& where) noexcept;

}  // namespace perdure::shm

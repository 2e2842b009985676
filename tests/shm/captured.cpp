// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <perdure/shm/extent.hpp>
#include <perdure/tests/shm/captured.hpp>

namespace perdure::tests {

using namespace perdure::shm;

void put_page(row_image& image, const region& where, const extent_place& extent,
              std::uint64_t index, std::span<const std::byte> page) {
    const auto& d = where.descriptor(extent.table);
    const std::uint64_t rows = load(d.rows_per_page);  // A writer may have just made the table.
    const std::uint64_t bytes = load(d.row_bytes);
    const std::uint64_t first = (extent.table_page + index) * rows;
    for (std::uint64_t i = 0; i < rows; ++i) {
        std::vector<std::uint64_t> words(bytes / 8);
        std::memcpy(words.data(), page.data() + i * bytes, bytes);
        row_header header;
        std::memcpy(&header, words.data(), sizeof header);
        if (header.live != 1) words.resize(sizeof header / 8);
        while (!words.empty() && words.back() == 0) words.pop_back();
        image.erase({extent.table, first + i});
        if (!words.empty()) image[{extent.table, first + i}] = std::move(words);
    }
}

result<> copy_all(region& where, capture& by, const cut& at, row_image& image) {
    std::array<std::byte, page_bytes> page;
    for (const auto& extent : extents_below(where, at.end)) {
        for (std::uint64_t i = 0; i < extent_pages; ++i) {
            if (!by.wants(extent.page + i)) continue;
            PERDURE_TRY(by.copy(extent.page + i, page));
            put_page(image, where, extent, i, page);
        }
    }
    return by.end();
}

void keep_tables(row_image& image, std::span<const std::uint32_t> tables) {
    std::erase_if(image, [&](const auto& each) {
        return std::ranges::find(tables, each.first.first) == tables.end();
    });
}

}  // namespace perdure::tests

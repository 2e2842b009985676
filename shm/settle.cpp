// SPDX-License-Identifier: Apache-2.0
//
// transaction::settle: ordered indexes follow the rows that were edited.
#include <perdure/shm/crash_point.hpp>
#include <perdure/shm/tree_index.hpp>

namespace perdure::shm {
namespace {

bool is_live(const std::byte* row) noexcept {
    row_header header;
    std::memcpy(&header, row, sizeof header);
    return header.live == 1;
}

}  // namespace

/// Where many rows were edited the misses of all their leaves are under way together.
void transaction::fetch_leaves() noexcept {
    for (const auto& each : indexed_) {
        const entry& row = entries_[each.entry];
        const std::byte* before =
            each.settled == 0 ? image_of(row) : settled_.data() + each.settled - 1;
        for (const auto& index : shapes_[row.table].indexes) {
            const auto was = key_of_row(index, before, row.row);
            const auto is = key_of_row(index, copy_of(row), row.row);
            if (was != is) fetch_leaf(*this, index, is);
        }
    }
}

result<> transaction::settle() noexcept {
    if (indexed_.size() > 1) fetch_leaves();
    // By number: entering a key edits nodes, which makes entries_ longer.
    for (auto& each : indexed_) {
        const entry row = entries_[each.entry];
        const std::byte* after = copy_of(row);
        const std::byte* before =
            each.settled == 0 ? image_of(row) : settled_.data() + each.settled - 1;
        const bool lived = is_live(before);
        const bool lives = is_live(after);
        if (!lived && !lives) continue;
        for (const auto& index : shapes_[row.table].indexes) {
            const auto was = key_of_row(index, before, row.row);
            const auto is = key_of_row(index, after, row.row);
            if (lived && lives && was == is) continue;
            const bool forgets = planted(bug::key_left_behind) && lives;
            if (lived && !forgets) PERDURE_TRY(erase_entry(*this, index, was));
            if (lives) PERDURE_TRY(insert_entry(*this, index, is));
        }
        // What the indexes hold of the row from now on, for the next time.
        if (each.settled == 0) {
            each.settled = settled_.size() + 1;
            settled_.resize(settled_.size() + row.bytes);
        }
        std::memcpy(settled_.data() + each.settled - 1, after, row.bytes);
    }
    return {};
}

}  // namespace perdure::shm

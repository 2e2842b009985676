// SPDX-License-Identifier: Apache-2.0
#include <perdure/shm/bucket.hpp>
#include <perdure/shm/foresight.hpp>

namespace perdure::shm {

void foresight::expect(view& through, std::uint32_t table, const row_key& key) noexcept {
    const auto& where = through.where();
    if (table == 0 || table >= table_count) return;
    const auto index = peek(where.descriptor(table).index);
    if (index == 0 || index >= table_count) return;
    const auto count = peek(where.descriptor(index).row_high);
    if (count == 0) return;
    auto& due = coming_[next_];
    next_ = (next_ + 1) % lead;
    if (due.at != 0) {
        const std::uint64_t row = first_with_tag(*where.at<bucket>(due.at), due.hash);
        if (row != ~0ULL) {
            __builtin_prefetch(where.at<std::byte>(through.locate(due.table, row)), 1);
            __builtin_prefetch(&where.stripe(stripe_of(due.table, row)), 1);
        }
    }
    const std::uint64_t hash = hash_of(key);
    due = {table, hash, through.locate(index, bucket_of(hash, count))};
    __builtin_prefetch(where.at<std::byte>(due.at));
}

}  // namespace perdure::shm

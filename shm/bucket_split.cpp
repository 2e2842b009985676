// SPDX-License-Identifier: Apache-2.0
//
// How the hash index grows: a bucket after the other is divided with a new one, a few at a time.
#include <algorithm>
#include <perdure/shm/bucket.hpp>
#include <perdure/shm/bucket_chain.hpp>
#include <perdure/shm/hash_index.hpp>
#include <tuple>
#include <utility>

namespace perdure::shm {
namespace {

// Of ten buckets' 70 places: at half load one key in twenty lies in an overflow bucket, at 70 % one
// in four, and each costs a cache miss (perf/transfer).
constexpr std::uint64_t entries_in_ten = 36;

bool is_crowded(std::uint64_t rows, std::uint64_t buckets) noexcept {
    return rows * 10 > buckets * entries_in_ten;
}

/// An index that grows: the new buckets are of one level, so that none is divided twice.
struct growth {
    std::uint32_t table;
    index_tables tables;
    std::uint32_t level;

    [[nodiscard]] std::uint64_t partner(std::uint64_t number) const noexcept {
        return number - (std::uint64_t{1} << level);
    }
};

/// Divides the new bucket's partner with it.
result<> divide(transaction& tx, const growth& in, std::uint64_t number) noexcept {
    auto& where = tx.where();
    const auto level = in.level;
    chain from;
    chain into;
    PERDURE_TRY(edit_chain(tx, in.tables, in.partner(number), from));
    PERDURE_TRY(edit_chain(tx, in.tables, number, into));
    if (from.links[0]->level != level || into.links[0]->level != 0) return errc::garbled;
    std::array<std::uint64_t, chain_max * std::tuple_size_v<decltype(bucket::entries)>> all;
    std::size_t count = 0;
    for (int i = 0; i < from.count; ++i) {
        for (auto& entry : from.links[static_cast<std::size_t>(i)]->entries) {
            if (entry != 0) all[count++] = std::exchange(entry, 0);
        }
    }
    from.links[0]->level = into.links[0]->level = level + 1;
    const auto key_at = peek(where.descriptor(in.table).key_at);
    for (const auto entry : std::span(all).first(count)) {
        const std::uint64_t at = tx.locate(in.table, row_in(entry));
        if (at == 0) return errc::garbled;
        row_key key;  // Stands still: who would change it needs this bucket's stripe.
        copy_out(&key, where.at<std::byte>(at + key_at), sizeof key);
        auto& side = (hash_of(key) >> level & 1) != 0 ? into : from;
        PERDURE_TRY(put_entry(tx, in.tables, side, entry));
    }
    return {};
}

/// What dividing the new buckets from `first` to `end` is going to look at, all of it under way
/// together: misses are what it costs.
void fetch_buckets(transaction& tx, const growth& in, std::uint64_t first,
                   std::uint64_t end) noexcept {
    auto& where = tx.where();
    for (std::uint64_t i = first; i < end; ++i) {
        for (const std::uint64_t number : {in.partner(i), i}) {
            __builtin_prefetch(where.at<bucket>(tx.locate(in.tables.buckets, number)), 1);
            __builtin_prefetch(&where.stripe(stripe_of(in.tables.buckets, number)), 1);
        }
    }
    const auto key_at = peek(where.descriptor(in.table).key_at);
    for (std::uint64_t i = first; i < end; ++i) {
        const auto* seen = where.at<bucket>(tx.locate(in.tables.buckets, in.partner(i)));
        for (const auto& place : seen->entries) {
            const std::uint64_t entry = peek(place);
            if (entry == 0) continue;
            __builtin_prefetch(where.at<std::byte>(tx.locate(in.table, row_in(entry)) + key_at));
        }
    }
}

}  // namespace

bool wants_split(const region& where, std::uint32_t table) noexcept {
    const auto index = peek(where.descriptor(table).index);
    if (index == 0 || index >= table_count) return false;
    return is_crowded(peek(where.descriptor(table).row_high),
                      peek(where.descriptor(index).row_high));
}

result<> split_buckets(transaction& tx, std::uint32_t table) noexcept {
    constexpr std::uint64_t together = 8;
    auto& where = tx.where();
    const auto tables = PERDURE_TRY(tables_of(where, table));
    auto* root = PERDURE_TRY(edit_descriptor(tx, tables.buckets));
    const std::uint64_t first = root->row_high;
    if (first == 0) return errc::garbled;
    const auto rows = peek(where.descriptor(table).row_high);
    if (!is_crowded(rows, first)) return {};
    if (tx.locate(tables.buckets, first) == 0) {
        // Pages are there for the next transaction, when their directory has been written back.
        return add_pages(tx, tables.buckets, first, first + 1);
    }
    const auto level = static_cast<std::uint32_t>(std::bit_width(first) - 1);
    const growth in{table, tables, level};
    const auto last = std::min<std::uint64_t>(first + together, 2ULL << level);
    auto end = first + 1;
    while (end < last && is_crowded(rows, end) && tx.locate(tables.buckets, end) != 0) ++end;
    fetch_buckets(tx, in, first, end);
    for (; root->row_high < end; ++root->row_high) {
        PERDURE_TRY(divide(tx, in, root->row_high));
    }
    return {};
}

}  // namespace perdure::shm

// SPDX-License-Identifier: Apache-2.0
//
// The hash index of a table, built at once: its keys are dealt out by ranges of buckets that fit
// into a core's cache, then each range is laid and filled by one thread.
#include <algorithm>
#include <cstring>
#include <perdure/shm/bucket.hpp>
#include <perdure/shm/bucket_chain.hpp>
#include <perdure/shm/extent.hpp>
#include <perdure/shm/hash_index.hpp>
#include <perdure/shm/loader.hpp>

namespace perdure::shm {
namespace {

constexpr std::uint64_t rows_per_hand = 1ULL << 15;
constexpr std::uint64_t buckets_per_range = 1ULL << 11;  // 128 KiB of them.
/// Rows that share a bucket on average; what splitting would have led to.
constexpr std::uint64_t rows_in_ten_buckets = 36;

constexpr std::uint64_t parts(std::uint64_t all, std::uint64_t each) noexcept {
    return (all + each - 1) / each;
}

struct dealt_key {
    std::uint64_t hash;
    std::uint64_t row;
};

/// The keys of some neighbouring rows, by range of buckets.
struct hand {
    std::vector<dealt_key> keys;
    std::vector<std::uint32_t> ends;  ///< By range: where its keys end.

    [[nodiscard]] std::span<const dealt_key> of(std::size_t range) const noexcept {
        const std::size_t from = range == 0 ? 0 : ends[range - 1];
        return std::span(keys).subspan(from, ends[range] - from);
    }
};

class index_builder {
  public:
    index_builder(region& where, std::uint32_t table, std::uint64_t rows, const row_placer& place)
        : where_(&where),
          place_(&place),
          table_(table),
          tables_{where.descriptor(table).index,
                  where.descriptor(where.descriptor(table).index).overflow},
          rows_(rows),
          count_(rows * 10 / rows_in_ten_buckets + 1),
          ranges_(parts(count_, buckets_per_range)) {}

    result<> build(const spreading& on) {
        PERDURE_TRY((*place_)(tables_.buckets, 0, count_));
        hands_.resize(parts(rows_, rows_per_hand));
        on(hands_.size(), [this](std::size_t i) { deal(i); });
        std::vector<result<>> answers(ranges_);
        on(ranges_, [&](std::size_t range) { answers[range] = fill(range); });
        for (const auto& each : answers) PERDURE_TRY(each);
        where_->descriptor(tables_.buckets).row_high = count_;
        where_->descriptor(tables_.overflow).row_high = overflow_rows_;
        return {};
    }

  private:
    [[nodiscard]] row_key key_at(std::uint64_t at) const noexcept {
        row_key key;
        std::memcpy(&key, where_->at<std::byte>(at + where_->descriptor(table_).key_at),
                    sizeof key);
        return key;
    }

    void deal(std::size_t number) {
        std::vector<dealt_key> seen;
        seen.reserve(rows_per_hand);
        const std::uint64_t from = number * rows_per_hand;
        each_row(*where_, table_, from, std::min(rows_, from + rows_per_hand),
                 [&](std::uint64_t row, std::uint64_t at) {
                     if (where_->at<row_header>(at)->live != 1) return;
                     seen.push_back({hash_of(key_at(at)), row});
                 });
        const auto range_of = [&](const dealt_key& key) {
            return bucket_of(key.hash, count_) / buckets_per_range;
        };
        auto& dealt = hands_[number];
        dealt.ends.assign(ranges_ + 1, 0);
        for (const auto& key : seen) ++dealt.ends[range_of(key) + 1];
        for (std::size_t i = 1; i <= ranges_; ++i) dealt.ends[i] += dealt.ends[i - 1];
        dealt.keys.resize(seen.size());
        // Where a range begins becomes where it ends, key by key.
        for (const auto& key : seen) dealt.keys[dealt.ends[range_of(key)]++] = key;
    }

    result<> fill(std::size_t range) {
        const std::uint64_t from = range * buckets_per_range;
        const auto bits = static_cast<std::uint32_t>(std::bit_width(count_ - 1));
        const std::uint64_t half = bits == 0 ? 0 : 1ULL << (bits - 1);
        std::vector<std::uint64_t> places;
        places.reserve(buckets_per_range);
        each_row(*where_, tables_.buckets, from, std::min(count_, from + buckets_per_range),
                 [&](std::uint64_t number, std::uint64_t at) {
                     const bool is_split = bits != 0 && (number >= half || number + half < count_);
                     auto& line = *where_->at<bucket>(at);
                     line = {};
                     line.level = bits == 0 ? 0 : (is_split ? bits : bits - 1);
                     places.push_back(at);
                 });
        for (const auto& dealt : hands_) {
            for (const auto& key : dealt.of(range)) {
                PERDURE_TRY(enter(key, places[bucket_of(key.hash, count_) - from]));
            }
        }
        return {};
    }

    /// `at` is where its bucket lies.
    result<> enter(const dealt_key& key, std::uint64_t at) {
        const auto is_it = [&](std::uint64_t other) {
            return key_at(locate(*where_, table_, other)) ==
                   key_at(locate(*where_, table_, key.row));
        };
        for (int links = 0; at != 0 && links < chain_max; ++links) {
            auto& link = *where_->at<bucket>(at);
            if (match(link, key.hash, is_it) != ~0ULL) return errc::damaged;  // One key, two rows.
            for (auto& entry : link.entries) {
                if (entry != 0) continue;
                entry = entry_of(key.hash, key.row);
                return {};
            }
            if (link.overflow == 0) link.overflow = PERDURE_TRY(take_overflow());
            at = locate(*where_, tables_.overflow, link.overflow - 1);
        }
        return errc::region_full;
    }

    result<std::uint32_t> take_overflow() {
        const std::lock_guard mine(overflowing_);
        PERDURE_TRY((*place_)(tables_.overflow, overflow_rows_, overflow_rows_ + 1));
        return static_cast<std::uint32_t>(++overflow_rows_);
    }

    region* where_;
    const row_placer* place_;
    std::uint32_t table_;
    index_tables tables_;
    std::uint64_t rows_;
    std::uint64_t count_;  ///< Of buckets.
    std::size_t ranges_;
    std::vector<hand> hands_;
    std::mutex overflowing_;
    std::uint64_t overflow_rows_ = 0;
};

}  // namespace

result<> load_index(region& where, std::uint32_t table, std::uint64_t rows, const row_placer& place,
                    const spreading& on) {
    return index_builder(where, table, rows, place).build(on);
}

}  // namespace perdure::shm

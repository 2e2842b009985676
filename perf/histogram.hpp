// SPDX-License-Identifier: Apache-2.0
//
// Latencies in logarithmic buckets, 32 to each power of two: an answer is at most 3.2 % too high.
//
// Threads     One writer; read it when the writer has stopped. Lives in pages shared by processes.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace perdure::perf {

class histogram {
  public:
    void add(std::uint64_t value, std::uint64_t times = 1) noexcept {
        counts_[bucket_of(value)] += times;
        total_ += times;
        sum_ += value * times;
        max_ = std::max(max_, value);
    }

    void add(const histogram& other) noexcept {
        for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
        total_ += other.total_;
        sum_ += other.sum_;
        max_ = std::max(max_, other.max_);
    }

    /// Calls visit(value, count) for each bucket with something in it, lowest first; adding them
    /// to another histogram fills the same buckets.
    template <class Visit>
    void visit(Visit&& visit) const {
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            if (counts_[i] != 0) visit(std::min(upper_edge(i), max_), counts_[i]);
        }
    }

    /// The upper edge of the bucket that holds the given share of the values; 0 if there are none.
    [[nodiscard]] std::uint64_t quantile(double share) const noexcept {
        const auto wanted = static_cast<double>(total_) * share;
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            seen += counts_[i];
            if (counts_[i] > 0 && static_cast<double>(seen) >= wanted) {
                return std::min(upper_edge(i), max_);
            }
        }
        return max_;
    }

    [[nodiscard]] std::uint64_t max() const noexcept { return max_; }
    [[nodiscard]] std::uint64_t total() const noexcept { return total_; }
    [[nodiscard]] std::uint64_t sum() const noexcept { return sum_; }

  private:
    static constexpr unsigned sub_bits = 5;
    static constexpr std::size_t subs = std::size_t{1} << sub_bits;
    static constexpr std::size_t bucket_count = subs * (64 - sub_bits + 1);

    static std::size_t bucket_of(std::uint64_t value) noexcept {
        if (value < subs) return value;
        const auto shift = static_cast<unsigned>(std::bit_width(value)) - sub_bits - 1U;
        return (std::size_t{shift} + 1U) * subs + ((value >> shift) - subs);
    }

    static std::uint64_t upper_edge(std::size_t bucket) noexcept {
        if (bucket < subs) return bucket;
        const auto shift = static_cast<unsigned>(bucket / subs) - 1U;
        const std::uint64_t lower = (bucket % subs + subs) << shift;
        return lower + ((std::uint64_t{1} << shift) - 1U);
    }

    std::array<std::uint64_t, bucket_count> counts_{};
    std::uint64_t total_ = 0;
    std::uint64_t sum_ = 0;
    std::uint64_t max_ = 0;
};

}  // namespace perdure::perf

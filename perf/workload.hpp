// SPDX-License-Identifier: Apache-2.0
//
// What every engine is asked to do: accounts, payments between them, and how they are drawn.
//
// Promise     Each engine meets the same keys, the same rows and the same draws for the same seed.
// Threads     A payment_source belongs to one thread.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

namespace perdure::perf {

inline constexpr std::uint64_t account_count = 1'000'000;
/// So large that no payment is ever refused.
inline constexpr std::int64_t opening_balance = 1'000'000'000'000;
/// Events an engine keeps before the oldest are overwritten or trimmed.
inline constexpr std::uint64_t event_ring_length = 65'536;

/// A bijection of 64 bits: neighbours become strangers (Steele's splitmix64 finisher).
constexpr std::uint64_t scatter(std::uint64_t x) noexcept {
    x += 0x9e3779b97f4a7c15U;
    x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31U);
}

struct account_key {
    std::uint64_t high;
    std::uint64_t low;

    friend bool operator==(const account_key&, const account_key&) = default;
};
static_assert(sizeof(account_key) == 16);

constexpr account_key key_of(std::uint64_t account) noexcept { return {scatter(account), account}; }

struct account_row {
    std::int64_t balance;
    std::uint64_t changes;
    std::uint64_t reserved[6];
};
static_assert(sizeof(account_row) == 64);

struct payment_event {
    std::uint64_t sequence;
    account_key source;
    account_key target;
    std::int64_t amount;
    std::uint64_t reserved[2];
};
static_assert(sizeof(payment_event) == 64);

struct payment {
    std::uint64_t source;
    std::uint64_t target;
    std::int64_t amount;
};

enum class draw : std::uint32_t { uniform = 1, zipf = 2, disjoint = 3 };

/// Draws accounts and payments. Zipf draws (exponent 0.99) are made beforehand, since a power
/// function beside each transaction would be measured with it.
class payment_source {
  public:
    payment_source(draw how, std::uint64_t accounts, std::uint32_t worker)
        : how_(how), accounts_(accounts), worker_(worker), state_(scatter(worker + 1U)) {
        if (how == draw::zipf) draw_ahead();
    }

    std::uint64_t next_account() noexcept {
        switch (how_) {
            case draw::zipf: position_ = (position_ + 1U) % drawn_.size(); return drawn_[position_];
            case draw::disjoint: return below(accounts_ / 2U) * 2U + (worker_ & 1U);
            case draw::uniform: break;
        }
        return below(accounts_);
    }

    payment next() noexcept {
        const std::uint64_t source = next_account();
        std::uint64_t target = next_account();
        while (target == source) target = next_account();
        return {source, target, static_cast<std::int64_t>(1U + below(100))};
    }

  private:
    std::uint64_t random() noexcept { return scatter(state_++); }

    std::uint64_t below(std::uint64_t limit) noexcept {
        __extension__ using wide = unsigned __int128;
        return static_cast<std::uint64_t>((static_cast<wide>(random()) * limit) >> 64U);
    }

    /// Gray et al., "Quickly generating billion-record synthetic databases", 1994. The ranks are
    /// scattered over the accounts, so that the popular ones are no neighbours.
    void draw_ahead() {
        constexpr double exponent = 0.99;
        const auto n = static_cast<double>(accounts_);
        double zeta = 0;
        for (std::uint64_t i = 1; i <= accounts_; ++i) {
            zeta += 1.0 / std::pow(static_cast<double>(i), exponent);
        }
        const double zeta_of_two = 1.0 + std::pow(0.5, exponent);
        const double alpha = 1.0 / (1.0 - exponent);
        const double eta = (1.0 - std::pow(2.0 / n, 1.0 - exponent)) / (1.0 - zeta_of_two / zeta);
        drawn_.resize(std::size_t{1} << 20U);
        for (auto& account : drawn_) {
            const double u = static_cast<double>(random() >> 11U) * 0x1.0p-53;
            std::uint64_t rank = 0;
            if (u * zeta >= zeta_of_two) {
                rank = static_cast<std::uint64_t>(n * std::pow(eta * u - eta + 1.0, alpha));
            } else if (u * zeta >= 1.0) {
                rank = 1;
            }
            account = static_cast<std::uint32_t>(scatter(rank) % accounts_);
        }
    }

    draw how_;
    std::uint64_t accounts_;
    std::uint32_t worker_;
    std::uint64_t state_;
    std::size_t position_ = 0;
    std::vector<std::uint32_t> drawn_;
};

}  // namespace perdure::perf

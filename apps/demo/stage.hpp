// SPDX-License-Identifier: Apache-2.0
//
// What the demo's processes agree on: the world, descriptors, the shared page, acknowledgements,
// and which accounts trade n of a worker moves value between.
//
// Threads     Each worker stores to its own row of the page; the parent only reads it.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <string>

#include <perdure/apps/demo/unsynced.hpp>
#include <perdure/core/world.hpp>

namespace perdure::apps {

inline constexpr int board_descriptor = 3;
inline constexpr int unsynced_descriptor = 4;
inline constexpr int acknowledgement_descriptor = 5;

inline constexpr std::uint32_t demo_workers = 3;
inline constexpr std::uint64_t demo_accounts = 20'000;
inline constexpr amount demo_grant = 1'000'000'000;   ///< Of each asset, to each account.
inline constexpr std::uint64_t probe_number = ~0ULL;  ///< The parent's own trades.

/// Latencies in buckets of a quarter of a power of two: at most 19 % off.
struct latency_counts {
    static constexpr std::size_t buckets = 160;
    std::array<std::uint64_t, buckets> counts;

    static std::size_t bucket_of(std::uint64_t nanoseconds) noexcept {
        if (nanoseconds < 4) return nanoseconds;
        const auto power = static_cast<std::size_t>(std::bit_width(nanoseconds) - 1);
        return power * 4 + ((nanoseconds >> (power - 2)) & 3U);
    }
    /// The bucket's upper end.
    static double upper_end(std::size_t bucket) noexcept {
        if (bucket < 4) return static_cast<double>(bucket);
        return static_cast<double>((bucket % 4 + 5) << (bucket / 4)) / 4;
    }
    void add(std::uint64_t nanoseconds) noexcept {
        std::atomic_ref(counts[bucket_of(nanoseconds)]).fetch_add(1, std::memory_order_relaxed);
    }
};

struct alignas(64) board_row {
    std::uint64_t trade;  ///< The trade it is at: stored before its transaction begins.
    latency_counts commit;
    latency_counts durable;  ///< From the commit to the answer that it is durable.
};

struct board {
    std::array<board_row, demo_workers> rows;
};

enum class ack_kind : std::uint32_t {
    applied = 1,  ///< Trade `trade` is committed with `lsn`.
    durable = 2,  ///< Every trade up to `trade` survives power loss.
};

/// What a worker writes into its pipe. A pipe takes these whole or not at all.
struct acknowledgement {
    ack_kind kind;
    std::uint32_t worker;  ///< How many were started before it.
    std::uint64_t trade;
    std::uint64_t lsn;
};
static_assert(sizeof(acknowledgement) == 24);

constexpr shm::transaction_key key_of_trade(std::uint64_t worker, std::uint64_t trade) noexcept {
    return {0xde30'0000'0000'0000ULL | worker, trade};
}

/// Who trades: counter-based, so that the parent knows what a dead worker was at.
struct trade_plan {
    account_id buyer;
    account_id seller;
    amount gold;
    amount ore;

    static trade_plan of(std::uint64_t worker, std::uint64_t trade) noexcept {
        std::uint64_t x = (worker << 40) + trade;
        const auto draw = [&x] {  // splitmix64
            std::uint64_t z = (x += 0x9e3779b97f4a7c15ULL);
            z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
            z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
            return z ^ (z >> 31);
        };
        const std::uint64_t buyer = draw() % demo_accounts;
        const std::uint64_t seller = (buyer + 1 + draw() % (demo_accounts - 1)) % demo_accounts;
        return {account_id::of(buyer + 1), account_id::of(seller + 1),
                static_cast<amount>(1 + draw() % 1000), static_cast<amount>(1 + draw() % 10)};
    }
};

inline asset_id gold() noexcept { return asset_id::of("gold"); }
inline asset_id ore() noexcept { return asset_id::of("ore"); }

/// A trade: gold one way, ore the other, under its key.
inline result<> apply_trade(tx& in, const ledger& books, const shm::transaction_key& key,
                            const trade_plan& plan) noexcept {
    const auto before = PERDURE_TRY(books.once(in, key));
    if (before) return {};
    PERDURE_TRY(books.transfer(in, plan.buyer, plan.seller, gold(), plan.gold));
    return books.transfer(in, plan.seller, plan.buyer, ore(), plan.ore);
}

/// A directory that is gone when the demo is, and with it the region of the world in it.
class demo_directory {
  public:
    /// In `folder`; in TMPDIR or /tmp where that is empty. Throws failure: io_error.
    explicit demo_directory(const std::string& folder);
    demo_directory(const demo_directory&) = delete;
    demo_directory& operator=(const demo_directory&) = delete;
    ~demo_directory();

    [[nodiscard]] std::string world() const { return path_ + "/world"; }
    /// What a machine crash does to memory.
    void drop_region() const;

  private:
    std::string path_;
};

[[noreturn]] void refuse_demo(const std::string& what, errc reason);

/// Opens the accounts, gives each its grant, waits until that is durable. Throws failure.
void fund_accounts(world& in, session& by);

/// The page of notes that this process inherited.
inline shared_page inherit_notes() {
    return shared_page::inherit(unsynced_descriptor, sizeof(unsynced_page));
}

}  // namespace perdure::apps

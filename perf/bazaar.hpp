// SPDX-License-Identifier: Apache-2.0
//
// A kept world with accounts in it, in directories of its own: what one process measures alone.
//
// Threads     One, beside the keeper's.
#pragma once

#include "kept_world.hpp"
#include "options.hpp"

#include <optional>

namespace perdure::perf {

/// Directories for one run, removed whatever happens.
class run_place {
  public:
    run_place(const options& asked, std::string_view engine) : plan_(asked.plan_for(engine)) {}
    run_place(const run_place&) = delete;
    run_place& operator=(const run_place&) = delete;
    ~run_place() {
        std::error_code ignored;
        std::filesystem::remove_all(plan_.memory_directory, ignored);
        std::filesystem::remove_all(plan_.disk_directory, ignored);
    }
    [[nodiscard]] const store_plan& plan() const noexcept { return plan_; }

  private:
    store_plan plan_;
};

inline void stop_if_asked() {
    if (is_interrupted()) throw interrupted{};
}

inline account_id account_numbered(std::uint64_t number) noexcept {
    return account_id::of(key_of(number).high);
}

/// A treasury, gold, and accounts that have some.
inline void lay_accounts(world& in, session& by, std::uint64_t accounts) {
    const ledger& books = in.books();
    const account_id treasury = account_id::of("treasury");
    const asset_id gold = asset_id::of("gold");
    must(by.write([&](tx& now) -> result<> {
        PERDURE_TRY(books.open_account(now, "treasury", account_kind::treasury));
        PERDURE_TRY(books.create_asset(now, "gold", 0, treasury));
        return {};
    }),
         "make the asset");
    constexpr std::uint64_t together = 64;
    for (std::uint64_t first = 0; first < accounts; first += together) {
        const std::uint64_t end = std::min(first + together, accounts);
        must(by.write([&](tx& now) -> result<> {
            for (std::uint64_t i = first; i < end; ++i) {
                PERDURE_TRY(books.open_account(now, account_numbered(i), account_kind::player));
                PERDURE_TRY(books.mint(now, treasury, account_numbered(i), gold, opening_balance));
            }
            return {};
        }),
             "load accounts");
    }
}

class bazaar {
  public:
    bazaar(const options& asked, std::uint64_t accounts, world_options how = {})
        : place_(asked, "perdure"), how_(how) {
        const store_plan& plan = place_.plan();
        how_.region_directory = plan.memory_directory;
        how_.checkpoints = no_checkpoints();
        how_.capacity_bytes = std::max(how.capacity_bytes, plan.store_bytes);
        directory_ = std::string(plan.disk_directory) + "/world";
        world::create(directory_);
        keeper_.emplace(world::open(directory_, how_));
        world_.emplace(world::open(directory_, how_));
        session_.emplace(world_->join());
        lay_accounts(*world_, *session_, accounts);
        world_->warm();
    }
    bazaar(const bazaar&) = delete;
    bazaar& operator=(const bazaar&) = delete;
    ~bazaar() {
        session_.reset();
        world_.reset();
        keeper_.reset();
    }

    [[nodiscard]] world& in() noexcept { return *world_; }
    [[nodiscard]] session& by() noexcept { return *session_; }
    [[nodiscard]] journal_state journal() const { return keeper_->journal(); }
    [[nodiscard]] asset_id gold() const noexcept { return asset_id::of("gold"); }
    static account_id account(std::uint64_t number) noexcept { return account_numbered(number); }
    void wait_durable() {
        const auto now = world_->status();
        must(world_->wait(*session_, {now.last_lsn, now.incarnation}, durability::durable),
             "wait until durable");
    }

  private:
    run_place place_;
    world_options how_;
    std::string directory_;
    std::optional<kept_world> keeper_;
    std::optional<world> world_;
    std::optional<session> session_;
};

}  // namespace perdure::perf

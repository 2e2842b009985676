// SPDX-License-Identifier: Apache-2.0
//
// The world lies on the disk, its region on tmpfs; a keeper drains to the disk during each run. The
// ring has 32 MiB: a run of 20 seconds at 1 M payments a second wraps it more than a hundred times.
#include "perdure_engine.hpp"
#include "kept_world.hpp"

#include <algorithm>
#include <optional>

namespace perdure::perf {
namespace {

constexpr std::uint64_t accounts_a_transaction = 64;
/// A payment that has to wait longer is given up and not counted: a server would do the same.
constexpr std::chrono::milliseconds patience{2};

account_id id_of(std::uint64_t account) noexcept { return account_id::of(key_of(account).high); }

class perdure_engine final : public engine {
  public:
    /// With `looks_ahead` it uses what the worker knows of the payments to come.
    explicit perdure_engine(bool looks_ahead) noexcept : looks_ahead_(looks_ahead) {}

    void expect(const payment& coming) override {
        if (!looks_ahead_) return;
        world_->books().expect(*session_, id_of(coming.source), id_of(coming.target), gold_);
    }

    durability_level applied_level() const noexcept override { return durability_level::applied; }

    void create(const store_plan& plan) override {
        place(plan);
        world::create(directory_);
        start_keeper();
        open(plan);
        load(plan.accounts);
        session_.reset();
        world_.reset();
        stop_keeper();
    }

    /// The store's directories hold everything, the region included; their owner removes them.
    void destroy() noexcept override {
        session_.reset();
        world_.reset();
        keeper_.reset();
    }

    void start_keeper() override { keeper_ = std::make_unique<kept_world>(attach(options_)); }

    bool start_saving_keeper() override {
        diary_ = std::make_unique<checkpoint_diary>();
        world_options how = options_;
        how.checkpoints = endless_checkpoints();
        how.checkpoint_taken = [&diary = *diary_](const io::checkpoint_news& news) {
            diary.note(news);
        };
        keeper_ = std::make_unique<kept_world>(attach(how));
        aborts_before_ = keeper_->kept().status().captures.aborts;
        return true;
    }

    saving_state saving() override {
        const auto now = keeper_->kept().status();
        const auto& counters = keeper_->kept().region().header().counters;
        return {diary_->copies(), now.captures.aborts - aborts_before_, now.captures.shadows_max,
                shm::load(counters.gate_waits_ns_max)};
    }

    saved_copy save() override {
        checkpoint_diary diary;
        world_options how = options_;
        how.checkpoint_taken = [&](const io::checkpoint_news& news) { diary.note(news); };
        if (!attach(how).checkpoint(true)) throw engine_failure("perdure: nothing has changed");
        return diary.await(1);
    }

    void stop_keeper() override {
        keeper_->stop();
        keeper_.reset();
    }

    journal_state journal() override {
        return keeper_ != nullptr ? keeper_->journal() : journal_state{};
    }

    void open(const store_plan& plan) override {
        place(plan);
        world_.emplace(attach(options_));
        session_.emplace(world_->join());
    }

    opening_cost opened() override {
        const opening& how = world_->opened();
        return {how.rows,
                how.transactions,
                how.load_ms,
                how.replay_ms,
                how.index_ms,
                world_->status().region_bytes,
                0};
    }

    void warm() override { world_->warm(); }

    bool pay(const payment& what) override {
        const auto paid = commit(what, shm::deadline::in(patience));
        if (paid) return true;
        if (paid.error() != errc::stalled) refuse(paid.error(), "pay");
        return false;
    }

    void pay_durably(std::span<const payment> what) override {
        receipt last;
        for (const payment& one : what) {
            const auto paid = commit(one, shm::deadline::never());
            must(paid, "pay");
            last = *paid;
        }
        must(world_->wait(*session_, last, durability::durable), "wait until durable");
    }

    account_row read(std::uint64_t account) override {
        const auto found = session_->read(
            [&](view& in) { return world_->books().balance(in, id_of(account), gold_); });
        must(found, "read");
        return {*found, 0, {}};
    }

    void hold(std::uint64_t account, const std::function<void()>& while_held) override {
        const auto held = session_->write(
            [&](tx& by) -> result<> {
                PERDURE_TRY(
                    world_->books().transfer(by, id_of(account), id_of(account + 2), gold_, 1));
                while_held();
                return {};
            },
            shm::deadline::never());
        must(held, "hold");
    }

    std::int64_t total() override {
        std::int64_t sum = 0;
        for (std::uint64_t account = 0; account < accounts_; ++account) {
            sum += read(account).balance;
        }
        return sum;
    }

  private:
    void place(const store_plan& plan) {
        directory_ = std::string(plan.disk_directory) + "/world";
        options_ = options_for(plan);
        accounts_ = plan.accounts;
    }

    [[nodiscard]] world attach(const world_options& how) const {
        return world::open(directory_, how);
    }

    result<receipt> commit(const payment& what, shm::deadline until) {
        return session_->write(
            [&](tx& by) {
                return world_->books().transfer(by, id_of(what.source), id_of(what.target), gold_,
                                                what.amount);
            },
            until);
    }

    void load(std::uint64_t accounts) {
        const ledger& books = world_->books();
        const account_id treasury = account_id::of("treasury");
        must(session_->write([&](tx& by) -> result<> {
            PERDURE_TRY(books.open_account(by, "treasury", account_kind::treasury));
            PERDURE_TRY(books.create_asset(by, "gold", 0, treasury));
            return {};
        }),
             "make the asset");
        for (std::uint64_t first = 0; first < accounts; first += accounts_a_transaction) {
            const std::uint64_t end = std::min(first + accounts_a_transaction, accounts);
            must(session_->write([&](tx& by) -> result<> {
                for (std::uint64_t i = first; i < end; ++i) {
                    PERDURE_TRY(books.open_account(by, id_of(i), account_kind::player));
                    PERDURE_TRY(books.mint(by, treasury, id_of(i), gold_, opening_balance));
                }
                return {};
            }),
                 "load accounts");
        }
    }

    bool looks_ahead_;
    std::string directory_;
    world_options options_;
    std::uint64_t accounts_ = 0;
    asset_id gold_ = asset_id::of("gold");
    std::unique_ptr<checkpoint_diary> diary_;  // Outlives the keeper that writes it.
    std::unique_ptr<kept_world> keeper_;
    std::uint64_t aborts_before_ = 0;
    std::optional<world> world_;
    std::optional<session> session_;
};

}  // namespace

std::unique_ptr<engine> make_perdure() { return std::make_unique<perdure_engine>(false); }
std::unique_ptr<engine> make_perdure_ahead() { return std::make_unique<perdure_engine>(true); }

}  // namespace perdure::perf

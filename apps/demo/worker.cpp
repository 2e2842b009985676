// SPDX-License-Identifier: Apache-2.0
//
// A demo's worker: trades until it is killed, and tells the parent what it was told.
#include <perdure/apps/cli/command.hpp>

#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>
#include <vector>

#include <perdure/apps/cli/configuration.hpp>
#include <perdure/apps/demo/stage.hpp>

namespace perdure::apps {
namespace {

// A trade is decided while its rows are held, as a game's rules would: most kills meet one open.
constexpr std::uint64_t rules_ns = 50'000;
constexpr std::uint64_t trades_per_wait = 200;
constexpr std::size_t acks_per_write = 32;  // 768 bytes: far below what a pipe takes whole.

std::uint64_t now_ns() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(now.tv_nsec);
}

void think() noexcept {
    const std::uint64_t until = now_ns() + rules_ns;
    while (now_ns() < until) continue;
}

class trader {
  public:
    trader(const part_order& order, world& in, board_row& row)
        : order_(order), world_(in), by_(in.join()), row_(row) {}

    [[noreturn]] void trade_on() {
        for (std::uint64_t trade = 1;; ++trade) {
            trade_once(trade);
            if (trade % trades_per_wait == 0) wait_durable(trade);
        }
    }

  private:
    void trade_once(std::uint64_t trade) {
        std::atomic_ref(row_.trade).store(trade, std::memory_order_relaxed);
        const auto plan = trade_plan::of(order_.number, trade);
        const auto key = key_of_trade(order_.number, trade);
        const std::uint64_t began = now_ns();
        const auto paid = by_.write(
            [&](tx& in) -> result<> {
                PERDURE_TRY(apply_trade(in, world_.books(), key, plan));
                think();
                return {};
            },
            shm::deadline::in(std::chrono::seconds(60)));
        if (!paid) refuse("trade", paid.error());
        row_.commit.add(now_ns() - began - rules_ns);
        last_ = *paid;
        tell({ack_kind::applied, static_cast<std::uint32_t>(order_.number), trade, paid->lsn});
    }

    void wait_durable(std::uint64_t trade) {
        flush();  // Acknowledged first as applied, then as durable.
        const std::uint64_t began = now_ns();
        const auto safe = world_.wait(by_, last_, durability::durable,
                                      shm::deadline::in(std::chrono::seconds(60)));
        if (!safe) refuse("wait", safe.error());
        row_.durable.add(now_ns() - began);
        tell({ack_kind::durable, static_cast<std::uint32_t>(order_.number), trade, last_.lsn});
        flush();
    }

    [[noreturn]] static void refuse(const char* what, errc reason) {
        throw failure(reason, std::string("demo worker: ") + what, std::string(remedy(reason)));
    }

    void tell(const acknowledgement& one) {
        pending_.push_back(one);
        if (pending_.size() == acks_per_write) flush();
    }

    void flush() {
        if (pending_.empty()) return;
        const auto written = ::write(acknowledgement_descriptor, pending_.data(),
                                     pending_.size() * sizeof(acknowledgement));
        if (written < 0) ::_exit(exit_refused);  // The parent is gone.
        pending_.clear();
    }

    const part_order& order_;
    world& world_;
    session by_;
    board_row& row_;
    receipt last_;
    std::vector<acknowledgement> pending_;
};

}  // namespace

int demo_worker(const part_order& order) {
    const auto page = shared_page::inherit(board_descriptor, sizeof(board));
    const auto notes = inherit_notes();
    noting_calls calls(notes.as<unsynced_page>(), order.where.directory);
    world_options options = options_from(read_config(order.where));
    options.calls = &calls;
    world in = world::open(order.where.directory, options);
    calls.watch(&in.region().header().durable.lsn);
    trader(order, in, page.as<board>().rows.at(order.place)).trade_on();
}

int demo_keeper(const part_order& order) {
    const auto notes = inherit_notes();
    noting_calls calls(notes.as<unsynced_page>(), order.where.directory);
    world_options options = options_from(read_config(order.where));
    options.calls = &calls;
    world kept = world::open(order.where.directory, options);
    calls.watch(&kept.region().header().durable.lsn);
    kept.keep([] { return false; });
    return exit_done;
}

}  // namespace perdure::apps

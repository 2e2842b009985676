// SPDX-License-Identifier: Apache-2.0
#include <perdure/io/async_wait.hpp>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <condition_variable>
#include <map>
#include <mutex>
#include <vector>

namespace perdure::io {
namespace {

// Longer than a slice of wait_durable: it asks whether the keeper lives after the first one.
constexpr std::chrono::milliseconds look_around{20};

}  // namespace

class durability_watch::waits {
  public:
    waits(shm::region& where, shm::drain* hook) noexcept : where_(where), hook_(hook) {}

    std::uint64_t next_id() noexcept { return next_id_.fetch_add(1, std::memory_order_relaxed); }

    void add(std::uint64_t id, const shm::receipt& of, shm::deadline until,
             std::unique_ptr<durable_wait> wait) {
        if (const auto known = verdict(of)) {
            wait->complete(*known);
            return;
        }
        const std::scoped_lock mine(lock_);
        if (ended_) {
            wait->complete(boost::asio::error::operation_aborted);
            return;
        }
        const auto at = until.from(where_.waits().now_ns()).at_ns;
        by_lsn_.emplace(std::pair(of.lsn, id), waiting{at, std::move(wait)});
        lsn_of_.emplace(id, of.lsn);
        changed_.notify_one();
    }

    void cancel(std::uint64_t id) {
        std::unique_ptr<durable_wait> found;
        {
            const std::scoped_lock mine(lock_);
            const auto known = lsn_of_.find(id);
            if (known == lsn_of_.end()) return;  // Completed before.
            const auto place = by_lsn_.find({known->second, id});
            found = std::move(place->second.wait);
            by_lsn_.erase(place);
            lsn_of_.erase(known);
        }
        found->complete(boost::asio::error::operation_aborted);
    }

    void end() {
        const std::scoped_lock mine(lock_);
        ended_ = true;
        changed_.notify_one();
    }

    [[nodiscard]] std::size_t pending() const {
        const std::scoped_lock mine(lock_);
        return by_lsn_.size();
    }

    /// The thread's work.
    void run() noexcept {
        std::unique_lock mine(lock_);
        while (!ended_) {
            if (by_lsn_.empty()) {
                changed_.wait(mine, [this] { return ended_ || !by_lsn_.empty(); });
                continue;
            }
            const shm::receipt first{by_lsn_.begin()->first.first, where_.geometry().incarnation};
            mine.unlock();
            const auto answer =
                shm::wait_durable(where_, hook_, first, shm::deadline::in(look_around));
            mine.lock();
            const bool all_fail = !answer && answer.error() != errc::stalled;
            settle(all_fail ? make_error_code(answer.error()) : boost::system::error_code());
        }
        take_out(boost::asio::error::operation_aborted,
                 [](std::uint64_t, const waiting&) { return true; });
    }

  private:
    struct waiting {
        std::uint64_t until_ns;
        std::unique_ptr<durable_wait> wait;
    };

    /// What can be said at once.
    std::optional<boost::system::error_code> verdict(const shm::receipt& of) const {
        if (!where_.owned()) return make_error_code(errc::forked);
        if (of.lsn == 0) return boost::system::error_code();
        if (of.incarnation != where_.geometry().incarnation) return make_error_code(errc::garbled);
        if (shm::load(where_.header().durable.lsn) >= of.lsn) return boost::system::error_code();
        return std::nullopt;
    }

    /// Completes the durable, then all if there is an error for them, then the late. Requires: the
    /// lock.
    void settle(boost::system::error_code for_all) {
        const std::uint64_t durable = shm::load(where_.header().durable.lsn);
        take_out({}, [&](std::uint64_t lsn, const waiting&) { return lsn <= durable; });
        if (for_all) {
            take_out(for_all, [](std::uint64_t, const waiting&) { return true; });
        }
        const std::uint64_t now = where_.waits().now_ns();
        take_out(make_error_code(errc::stalled),
                 [&](std::uint64_t, const waiting& each) { return each.until_ns <= now; });
    }

    /// W1. Posting runs no handler, so that the lock may be held.
    template <class Which>
    void take_out(boost::system::error_code code, Which which) {
        for (auto each = by_lsn_.begin(); each != by_lsn_.end();) {
            if (!which(each->first.first, each->second)) {
                ++each;
                continue;
            }
            const auto wait = std::move(each->second.wait);
            lsn_of_.erase(each->first.second);
            each = by_lsn_.erase(each);
            wait->complete(code);
        }
    }

    shm::region& where_;
    shm::drain* hook_;
    std::atomic<std::uint64_t> next_id_{1};
    mutable std::mutex lock_;
    std::condition_variable changed_;
    std::map<std::pair<std::uint64_t, std::uint64_t>, waiting> by_lsn_;
    std::map<std::uint64_t, std::uint64_t> lsn_of_;
    bool ended_ = false;
};

durability_watch::durability_watch(shm::region& where, shm::drain* hook,
                                   boost::asio::any_io_executor executor)
    : executor_(std::move(executor)), waits_(std::make_shared<waits>(where, hook)) {
    if (!where.writable()) {
        throw failure(errc::read_only, "durability watch: the region is attached for reading alone",
                      "open the world with write access");
    }
    thread_ = std::thread([all = waits_.get()] { all->run(); });
}

durability_watch::~durability_watch() {
    waits_->end();
    thread_.join();
}

std::uint64_t durability_watch::next_id() noexcept { return waits_->next_id(); }

void durability_watch::add(std::uint64_t id, const shm::receipt& of, shm::deadline until,
                           std::unique_ptr<durable_wait> wait) {
    waits_->add(id, of, until, std::move(wait));
}

void durability_watch::cancel(waits& all, std::uint64_t id) { all.cancel(id); }

std::size_t durability_watch::pending() const { return waits_->pending(); }

}  // namespace perdure::io

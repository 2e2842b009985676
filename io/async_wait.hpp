// SPDX-License-Identifier: Apache-2.0
//
// Waiting for durability without blocking a thread of the program's own: an asynchronous operation
// for Boost.Asio, with callbacks, std::future, coroutines and every other completion token.
//
// Promise     Each wait completes once, through its handler's executor and never inside of the call
//             that began it: with no error when the receipt survives power loss; with stalled,
//             durability_lost, garbled or forked as session::wait_durable; with operation_aborted
//             when it was cancelled or its watch ended.
// Death       The watch's thread has no slot and holds nothing in the region; where nobody keeps
//             the world it drains as wait_durable does.
// Power loss  A wait that has completed without error is for a commit that is on the disk.
// Threads     All members may be called from any thread. Region and drain must outlive the watch.
// Invariants  W1 a wait is in the list until the one who takes it out completes it.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/append.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <memory>
#include <perdure/shm/session.hpp>
#include <thread>
#include <utility>

namespace perdure::io {

/// A wait that is under way, whatever its completion token made of it.
class durable_wait {
  public:
    durable_wait() = default;
    durable_wait(const durable_wait&) = delete;
    durable_wait& operator=(const durable_wait&) = delete;
    virtual ~durable_wait() = default;
    /// Posts the completion; called once.
    virtual void complete(boost::system::error_code code) = 0;
};

/// One thread that watches the durable mark of one region for all waits of a program.
class durability_watch {
  public:
    /// `executor` runs the handlers that have none of their own. `hook` (nullptr: nothing) drains
    /// where nobody keeps the world: world::drain(). Throws failure: read_only.
    durability_watch(shm::region& where, shm::drain* hook, boost::asio::any_io_executor executor);
    durability_watch(const durability_watch&) = delete;
    durability_watch& operator=(const durability_watch&) = delete;
    /// Completes what is still waited for with operation_aborted; waits for the thread, which may
    /// be in a sync.
    ~durability_watch();

    /// Completes with (error_code) when the receipt is durable, or as the header says. Deadlines
    /// are kept to about 20 ms.
    template <class Token>
    auto async_wait(const shm::receipt& paid, shm::deadline until, Token&& token) {
        return boost::asio::async_initiate<Token, void(boost::system::error_code)>(
            [this](auto completion, shm::receipt of, shm::deadline end) {
                begin(std::move(completion), of, end);
            },
            token, paid, until);
    }

    /// Waits that have not completed.
    [[nodiscard]] std::size_t pending() const;

  private:
    class waits;
    template <class Handler>
    class wait_of;

    template <class Handler>
    void begin(Handler completion, const shm::receipt& of, shm::deadline until) {
        auto slot = boost::asio::get_associated_cancellation_slot(completion);
        const std::uint64_t id = next_id();
        if (slot.is_connected()) {
            // Cancelling may come after the end of the watch, from a thread that knows nothing.
            slot.assign([all = std::weak_ptr<waits>(waits_), id](auto /*kind*/) {
                if (const auto alive = all.lock()) cancel(*alive, id);
            });
        }
        add(id, of, until, std::make_unique<wait_of<Handler>>(std::move(completion), executor_));
    }
    std::uint64_t next_id() noexcept;
    void add(std::uint64_t id, const shm::receipt& of, shm::deadline until,
             std::unique_ptr<durable_wait> wait);
    static void cancel(waits& all, std::uint64_t id);

    boost::asio::any_io_executor executor_;
    std::shared_ptr<waits> waits_;
    std::thread thread_;
};

template <class Handler>
class durability_watch::wait_of final : public durable_wait {
  public:
    wait_of(Handler completion, const boost::asio::any_io_executor& standard)
        : work_(boost::asio::get_associated_executor(completion, standard)),
          completion_(std::move(completion)) {}
    void complete(boost::system::error_code code) override {
        boost::asio::post(work_.get_executor(), boost::asio::append(std::move(completion_), code));
        work_.reset();
    }

  private:
    // The handler's context does not run dry while it waits.
    boost::asio::executor_work_guard<
        boost::asio::associated_executor_t<Handler, boost::asio::any_io_executor>>
        work_;
    Handler completion_;
};

}  // namespace perdure::io

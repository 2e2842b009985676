// SPDX-License-Identifier: Apache-2.0
//
// A world that is kept by a thread of this process for as long as the object lives, and what that
// thread tells of checkpoints.
//
// Threads     The thread that made it stops it. A checkpoint_diary is written by the keeper's
//             thread and read by any.
#pragma once

#include "engine.hpp"

#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>
#include <perdure/io/checkpointer.hpp>
#include <perdure/world.hpp>
#include <thread>
#include <utility>

namespace perdure::perf {

[[noreturn]] inline void refuse(errc reason, const char* what) {
    throw engine_failure(std::string("perdure: ") + what + ": " + std::string(name(reason)) + ": " +
                         std::string(remedy(reason)));
}

template <class T>
void must(const result<T>& answer, const char* what) {
    if (!answer) refuse(answer.error(), what);
}

/// The checkpoints that a keeper has taken.
class checkpoint_diary {
  public:
    void note(const io::checkpoint_news& news) {
        const std::lock_guard mine(mutex_);
        if (!news.is_valid) {
            // A capture that was given up counts among the aborts, and is tried again.
            if (news.refused != errc::conflict && failure_.empty()) failure_ = news.cause;
            return;
        }
        const io::checkpoint_report& made = news.report;
        const std::uint64_t cut_ns = monotonic(made.entry.cut_ns);
        copies_.push_back({cut_ns, cut_ns + made.capture_ns, cut_ns + made.write_ns, made.rows,
                           made.row_bytes, made.entry.file_bytes, made.pages, made.gate_ns,
                           made.shadows});
    }

    /// Throws engine_failure when a checkpoint was refused.
    [[nodiscard]] std::vector<saved_copy> copies() const {
        const std::lock_guard mine(mutex_);
        if (!failure_.empty()) throw engine_failure("perdure: no checkpoint: " + failure_);
        return copies_;
    }

    /// The newest one, when there are so many; whoever asked for it is woken a little earlier.
    [[nodiscard]] saved_copy await(std::size_t count) const {
        for (;;) {
            if (const auto made = copies(); made.size() >= count) return made.back();
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    }

  private:
    /// The wall clock's time as one of the monotonic clock; this machine does not set its clock
    /// during a measurement.
    static std::uint64_t monotonic(std::uint64_t wall_ns) {
        using namespace std::chrono;
        const auto wall = system_clock::now().time_since_epoch();
        const auto ago = static_cast<std::uint64_t>(nanoseconds(wall).count()) - wall_ns;
        const auto now = steady_clock::now().time_since_epoch();
        return static_cast<std::uint64_t>(nanoseconds(now).count()) - ago;
    }

    mutable std::mutex mutex_;
    std::vector<saved_copy> copies_;
    std::string failure_;
};

class kept_world {
  public:
    explicit kept_world(world&& kept)
        : world_(std::move(kept)), first_head_(head()), thread_([this] { keep(); }) {
        // It reads its journal before it signs: no part of what is to be measured.
        while (world_.status().keeper_pid == 0 && !ended_.load(std::memory_order_acquire)) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    }
    kept_world(const kept_world&) = delete;
    kept_world& operator=(const kept_world&) = delete;
    ~kept_world() {
        stop_.store(true, std::memory_order_relaxed);
        if (thread_.joinable()) thread_.join();
    }

    /// Throws what the keeper threw.
    void stop() {
        stop_.store(true, std::memory_order_relaxed);
        thread_.join();
        if (failure_) std::rethrow_exception(failure_);
    }

    [[nodiscard]] journal_state journal() const {
        return {(head() - first_head_) / world_.region().geometry().ring_bytes,
                world_.status().lag_bytes};
    }

    [[nodiscard]] const world& kept() const noexcept { return world_; }

  private:
    [[nodiscard]] std::uint64_t head() const {
        return shm::load(world_.region().header().head.value);
    }

    void keep() noexcept {
        try {
            world_.keep([this] { return stop_.load(std::memory_order_relaxed); });
        } catch (...) {
            failure_ = std::current_exception();  // Read after the join.
        }
        ended_.store(true, std::memory_order_release);
    }

    world world_;
    std::uint64_t first_head_;
    std::atomic<bool> stop_{false};
    std::atomic<bool> ended_{false};
    std::exception_ptr failure_;
    std::thread thread_;
};

/// Only on request: a measurement of something else must not meet one by chance.
inline io::checkpoint_policy no_checkpoints() {
    io::checkpoint_policy made;
    made.every_ns = 0;
    made.journal_bytes = 0;
    made.recovery_ns = 0;
    made.at_shutdown = false;
    return made;
}

/// Full ones, each as soon as the one before has ended and been noticed.
inline io::checkpoint_policy endless_checkpoints() {
    io::checkpoint_policy made = no_checkpoints();
    made.every_ns = 1;
    made.full_every_ns = 0;
    made.keep_count = 2;
    return made;
}

/// How the plan's world is opened: its region in the memory directory, a ring of 32 MiB, no
/// checkpoints but on request.
inline world_options options_for(const store_plan& plan) {
    world_options made;
    made.checkpoints = no_checkpoints();
    if (plan.boot != 0) made.boot_id = "perf boot " + std::to_string(plan.boot);
    made.region_directory = plan.memory_directory;
    made.capacity_bytes = plan.store_bytes;
    made.ring_bytes = std::uint64_t{32} << 20U;
    return made;
}

}  // namespace perdure::perf

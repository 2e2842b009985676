// SPDX-License-Identifier: Apache-2.0
//
// A world that is kept by a thread of this process for as long as the object lives.
//
// Threads     The thread that made it stops it.
#pragma once

#include "engine.hpp"

#include <atomic>
#include <chrono>
#include <exception>
#include <perdure/world.hpp>
#include <thread>

namespace perdure::perf {

[[noreturn]] inline void refuse(errc reason, const char* what) {
    throw engine_failure(std::string("perdure: ") + what + ": " + std::string(name(reason)) + ": " +
                         std::string(remedy(reason)));
}

template <class T>
void must(const result<T>& answer, const char* what) {
    if (!answer) refuse(answer.error(), what);
}

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

/// How the plan's world is opened: its region in the memory directory, a ring of 32 MiB.
inline world_options options_for(const store_plan& plan) {
    world_options made;
    made.region_directory = plan.memory_directory;
    made.capacity_bytes = plan.store_bytes;
    made.ring_bytes = std::uint64_t{32} << 20U;
    return made;
}

}  // namespace perdure::perf

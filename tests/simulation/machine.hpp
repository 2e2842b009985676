// SPDX-License-Identifier: Apache-2.0
//
// The machine of a simulation: one processor that changes between tasks at crash points, waits and
// calls of the disk, a clock that nothing but the simulation moves, and the deaths of processes.
//
// Promise     The seed decides who runs, for how long, and what the clock says: the same seed, the
//             same steps. A process that is killed leaves what a killed process leaves: its stores,
//             its life locks with the mark that the kernel would set, nothing else.
// Threads     One; the tasks are fibres.
#pragma once

#include <memory>
#include <perdure/shm/region.hpp>
#include <perdure/tests/simulation/fibre.hpp>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace perdure::tests {

/// A thread of a simulated process.
struct task {
    std::uint32_t number = 0;
    std::uint32_t process = 0;
    std::function<bool()> may_run{};  ///< Empty: always.
    std::unique_ptr<fibre> on{};
    std::string_view at = "begin";  ///< Crash point or call at which it gave way.
    const std::uint32_t* sleeps_on = nullptr;
    std::uint64_t wake_ns = 0;
    std::uint64_t stopped_until = 0;  ///< Step before which it does not run.
};

class machine final : public shm::park {
  public:
    explicit machine(std::uint64_t seed);
    ~machine();

    task& start(std::uint32_t process, std::function<void()> work);
    /// All tasks of the process end where they are. `where`: the region they are attached to.
    void kill(std::uint32_t process, shm::region& where);
    /// One task runs until it gives way. False: there is none that could.
    bool step(shm::region& where);
    /// The processor is another task's, now and then, or `certainly`. In no task: nothing.
    void give_way(std::string_view at, bool certainly);

    [[nodiscard]] bool is_alive(std::uint32_t process) const noexcept;
    [[nodiscard]] bool is_idle() const noexcept { return tasks_.empty(); }
    [[nodiscard]] task* running() noexcept { return running_; }
    [[nodiscard]] std::uint32_t process() const noexcept {
        return running_ == nullptr ? 0 : running_->process;
    }
    [[nodiscard]] const std::vector<std::unique_ptr<task>>& tasks() const noexcept {
        return tasks_;
    }
    [[nodiscard]] std::mt19937_64& random() noexcept { return random_; }
    [[nodiscard]] std::uint64_t steps() const noexcept { return steps_; }

    /// The clocks: both go on with every step; the wall clock may be set, also back.
    void pass(std::uint64_t ns) noexcept { now_ns_ += ns; }
    void set_wall_by(std::int64_t ns) noexcept { wall_by_ += static_cast<std::uint64_t>(ns); }

    /// What has happened so far, in a number.
    void remember(std::uint64_t what) noexcept {
        trace_ = (trace_ ^ what) * 0x100000001b3ULL;
        trace_ ^= trace_ >> 29;
    }
    [[nodiscard]] std::uint64_t trace() const noexcept { return trace_; }

    /// Called at every crash point, before the task may give way there.
    std::function<void(std::string_view point)> on_point{};
    /// What the kernel knows of the tasks' locks begins anew with a region.
    void forget_locks() noexcept { holders_.clear(); }

    std::uint64_t now_ns() noexcept override;
    std::uint64_t wall_ns() noexcept override;
    void wait(const std::uint32_t& place, std::uint32_t expected,
              std::chrono::nanoseconds slice) noexcept override;
    int wake(const std::uint32_t& place, int sleepers) noexcept override;
    void pause() noexcept override;

  private:
    [[nodiscard]] bool can_run(const task& one) noexcept;
    void note_locks(shm::region& where);
    void draw_patience();

    std::mt19937_64 random_;
    const void* outside_pipelines_;
    std::vector<std::unique_ptr<task>> tasks_;
    std::vector<const task*> holders_;  // Of the slots' life locks.
    task* running_ = nullptr;
    std::uint32_t started_ = 0;
    unsigned grain_ = 0;     // How long tasks run, about.
    unsigned patience_ = 0;  // Crash points until the running task gives way.
    std::uint64_t now_ns_ = 1'000'000'000;
    std::uint64_t wall_by_ = 1'790'000'000'000'000'000;
    std::uint64_t steps_ = 0;
    std::uint64_t trace_ = 0xcbf29ce484222325ULL;
};

/// The machine whose tasks run now: rigs' hooks have no other way to know.
machine* current_machine() noexcept;

}  // namespace perdure::tests

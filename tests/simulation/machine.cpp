// SPDX-License-Identifier: Apache-2.0
#include <linux/futex.h>
#include <pthread.h>
#include <unistd.h>

#include <oneapi/tbb/task.h>

#include <algorithm>
#include <perdure/io/digest.hpp>
#include <perdure/shm/crash_point.hpp>
#include <perdure/tests/simulation/machine.hpp>

/// What the engine notes of who joined: in a simulation, the process's number.
extern "C" pid_t gettid() noexcept {
    const auto* here = perdure::tests::current_machine();
    return here == nullptr ? 1 : static_cast<pid_t>(here->process()) + 1;
}

namespace perdure::tests {
namespace {

constinit machine* current = nullptr;

void at_point(std::string_view point, std::uint64_t /*hit*/) {
    auto& here = *current;
    if (here.running() == nullptr) return;
    if (here.on_point) here.on_point(point);
    here.give_way(point, false);
}

std::uint64_t wall_now() { return current->wall_ns(); }
std::uint64_t next_chance() { return current->random()(); }
constexpr io::surroundings simulated{wall_now, next_chance};

pthread_mutex_t& life_of(shm::region& where, std::uint32_t slot) noexcept {
    return *reinterpret_cast<pthread_mutex_t*>(&where.slot(slot).life);
}

bool is_held(pthread_mutex_t& lock) noexcept {
    return (static_cast<unsigned>(lock.__data.__lock) & FUTEX_TID_MASK) != 0;
}

/// What the kernel does to a robust mutex whose owner ends, and glibc to its list of them.
void leave_behind(pthread_mutex_t& lock) noexcept {
    pthread_mutex_consistent(&lock);  // One that was taken from a dead owner is not, as yet.
    pthread_mutex_unlock(&lock);
    lock.__data.__lock = FUTEX_OWNER_DIED;
}

}  // namespace

machine* current_machine() noexcept { return current; }

machine::machine(std::uint64_t seed)
    : random_(seed), outside_pipelines_(tbb::task::current_context()) {
    constexpr unsigned grains[] = {2, 4, 12, 40, 150};
    grain_ = grains[random_() % std::size(grains)];
    current = this;
    shm::watch(at_point);
    io::surround(&simulated);
}

machine::~machine() {
    io::surround(nullptr);
    shm::watch(nullptr);
    current = nullptr;
}

task& machine::start(std::uint32_t process, std::function<void()> work) {
    auto made = std::make_unique<task>();
    made->number = ++started_;
    made->process = process;
    made->on = std::make_unique<fibre>(std::move(work));
    tasks_.push_back(std::move(made));
    return *tasks_.back();
}

bool machine::is_alive(std::uint32_t process) const noexcept {
    return std::ranges::any_of(tasks_, [&](auto& one) { return one->process == process; });
}

void machine::kill(std::uint32_t process, shm::region& where) {
    holders_.resize(where.geometry().slot_count);
    std::erase_if(tasks_, [&](const auto& one) {
        if (one->process != process) return false;
        for (std::uint32_t slot = 0; slot < holders_.size(); ++slot) {
            if (holders_[slot] != one.get()) continue;
            leave_behind(life_of(where, slot));
            holders_[slot] = nullptr;
        }
        remember(0xdead);
        return true;
    });
}

/// What a task has locked and given back while it ran is seen by comparison: nobody else ran.
void machine::note_locks(shm::region& where) {
    holders_.resize(where.geometry().slot_count);
    for (std::uint32_t slot = 0; slot < holders_.size(); ++slot) {
        if (!is_held(life_of(where, slot))) {
            holders_[slot] = nullptr;
        } else if (holders_[slot] == nullptr) {
            holders_[slot] = running_;
        }
    }
}

bool machine::can_run(const task& one) noexcept {
    if (one.stopped_until > steps_) return false;
    if (one.sleeps_on != nullptr && one.wake_ns > now_ns_) return false;
    return !one.may_run || one.may_run();
}

void machine::draw_patience() {
    // Mostly a few points, sometimes one, sometimes a whole transaction.
    const auto kind = random_() % 8;
    const unsigned most = kind == 0 ? 1 : kind == 7 ? 20 * grain_ : 2 * grain_;
    patience_ = 1 + static_cast<unsigned>(random_() % most);
}

bool machine::step(shm::region& where) {
    ++steps_;
    if (tasks_.empty()) return false;
    const auto first = random_() % tasks_.size();
    task* chosen = nullptr;
    std::uint64_t next_ns = ~0ULL;
    for (std::size_t i = 0; i < tasks_.size() && chosen == nullptr; ++i) {
        auto& one = *tasks_[(first + i) % tasks_.size()];
        if (can_run(one)) chosen = &one;
        if (one.sleeps_on != nullptr) next_ns = std::min(next_ns, one.wake_ns);
    }
    if (chosen == nullptr) {  // All sleep, or are stopped: until the first of them wakes.
        if (next_ns != ~0ULL && next_ns > now_ns_) now_ns_ = next_ns;
        now_ns_ += 1000;
        return true;
    }
    draw_patience();
    pass(200 + random_() % 2000);
    chosen->sleeps_on = nullptr;
    running_ = chosen;
    chosen->on->resume();
    note_locks(where);
    running_ = nullptr;
    remember(chosen->number);
    for (const char c : chosen->at) remember(static_cast<unsigned char>(c));
    if (chosen->on->is_over()) {
        for (auto& holder : holders_) holder = holder == chosen ? nullptr : holder;
        std::erase_if(tasks_, [&](const auto& one) { return one.get() == chosen; });
    }
    return true;
}

void machine::give_way(std::string_view at, bool certainly) {
    if (running_ == nullptr) return;
    if (!certainly && --patience_ != 0) return;
    // A pipeline belongs to its thread, not to a fibre: nobody changes places, or dies, within one.
    // Between its parts, that pack what was copied, nothing is stored into the region.
    if (tbb::task::current_context() != outside_pipelines_) {
        patience_ = 1;
        return;
    }
    running_->at = at;
    running_->on->give_way();
}

std::uint64_t machine::now_ns() noexcept { return now_ns_ += 30; }
std::uint64_t machine::wall_ns() noexcept { return now_ns_ + wall_by_; }

void machine::wait(const std::uint32_t& place, std::uint32_t expected,
                   std::chrono::nanoseconds slice) noexcept {
    if (std::atomic_ref(const_cast<std::uint32_t&>(place)).load() != expected) return;
    const auto until = now_ns_ + static_cast<std::uint64_t>(slice.count());
    if (running_ == nullptr) {
        now_ns_ = until;
        return;
    }
    running_->sleeps_on = &place;
    running_->wake_ns = until;
    give_way("wait", true);
}

int machine::wake(const std::uint32_t& place, int sleepers) noexcept {
    int woken = 0;
    for (auto& one : tasks_) {
        if (one->sleeps_on != &place || woken == sleepers) continue;
        one->wake_ns = now_ns_;
        ++woken;
    }
    return woken;
}

void machine::pause() noexcept {
    now_ns_ += 40;
    give_way("pause", true);
}

}  // namespace perdure::tests

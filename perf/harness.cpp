// SPDX-License-Identifier: Apache-2.0
#include "harness.hpp"

#include "options.hpp"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <new>
#include <string>
#include <system_error>
#include <thread>

namespace perdure::perf {
namespace {

constexpr std::chrono::microseconds poll_interval{500};

[[noreturn]] void refuse(const std::string& what) {
    throw std::system_error(errno, std::generic_category(), what);
}

[[noreturn]] void become_worker(int file, std::size_t place) {
    // Between fork and exec only calls that are safe after fork in any process.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    char program[] = "/proc/self/exe";
    char verb[] = "worker";
    char file_text[16];
    char place_text[16];
    std::snprintf(file_text, sizeof file_text, "%d", file);
    std::snprintf(place_text, sizeof place_text, "%zu", place);
    char* arguments[] = {program, verb, file_text, place_text, nullptr};
    execv(program, arguments);
    _exit(127);
}

}  // namespace

std::uint64_t nanoseconds_now() noexcept {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
           static_cast<std::uint64_t>(now.tv_nsec);
}

void rest(std::chrono::microseconds duration) {
    const auto end = std::chrono::steady_clock::now() + duration;
    do {
        if (is_interrupted()) throw interrupted{};
        const auto left = std::chrono::duration_cast<std::chrono::microseconds>(
            end - std::chrono::steady_clock::now());
        if (left.count() > 0) {
            std::this_thread::sleep_for(std::min(left, std::chrono::microseconds{20'000}));
        }
    } while (std::chrono::steady_clock::now() < end);
}

crew::crew(const store_plan& plan) {
    // Not close-on-exec: the number is passed to the workers. No name, so nothing to clean up.
    file_ = memfd_create("perdure-perf", 0);
    if (file_ < 0) refuse("memfd_create");
    if (ftruncate(file_, sizeof(control_page)) != 0) refuse("ftruncate");
    void* const at =
        mmap(nullptr, sizeof(control_page), PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
    if (at == MAP_FAILED) refuse("mmap");
    page_ = new (at) control_page{};
    page_->plan = plan;
}

crew::~crew() {
    for (std::size_t i = 0; i < processes_.size(); ++i) {
        signal(i, SIGKILL);
        dismiss(i);
    }
    munmap(page_, sizeof(control_page));
    close(file_);
}

std::size_t crew::spawn(const worker_order& order) {
    std::size_t place = 0;
    while (place < processes_.size() && processes_[place] != 0) ++place;
    if (place == control_page::workers_max) throw engine_failure("too many workers");
    if (place == processes_.size()) processes_.push_back(0);
    worker_page& mine = *new (&page_->workers[place]) worker_page{};
    mine.order = order;
    const pid_t child = fork();
    if (child < 0) refuse("fork");
    if (child == 0) become_worker(file_, place);
    processes_[place] = child;
    return place;
}

void crew::await_ready() {
    for (std::size_t i = 0; i < processes_.size(); ++i) {
        // Acquire: the worker's page is read after its word.
        while (processes_[i] != 0 && worker(i).ready.load(std::memory_order_acquire) == 0) {
            expect_alive();
            rest(poll_interval);
        }
    }
}

void crew::fail(std::size_t worker_place, int status) {
    processes_[worker_place] = 0;
    std::string text = worker(worker_place).failure;
    if (text.empty() && WIFSIGNALED(status)) {
        text = std::string("killed by ") + strsignal(WTERMSIG(status));
    } else if (text.empty()) {
        text = "exit code " + std::to_string(WEXITSTATUS(status));
    }
    throw engine_failure(std::string(page_->plan.engine) + ": worker " +
                         std::to_string(worker_place) + ": " + text);
}

void crew::expect_alive() {
    if (is_interrupted()) throw interrupted{};
    for (std::size_t i = 0; i < processes_.size(); ++i) {
        int status = 0;
        if (processes_[i] != 0 && waitpid(processes_[i], &status, WNOHANG) == processes_[i]) {
            fail(i, status);
        }
    }
}

void crew::enter(phase next) noexcept {
    page_->now.store(static_cast<std::uint32_t>(next), std::memory_order_release);
}

void crew::finish() {
    enter(phase::ended);
    for (std::size_t i = 0; i < processes_.size(); ++i) {
        int status = 0;
        while (processes_[i] != 0) {
            const pid_t ended = waitpid(processes_[i], &status, WNOHANG);
            if (ended == processes_[i]) {
                if (status != 0) fail(i, status);
                processes_[i] = 0;
            } else {
                rest(poll_interval);
            }
        }
    }
}

void crew::signal(std::size_t place, int number) noexcept {
    if (processes_[place] != 0) kill(processes_[place], number);
}

void crew::dismiss(std::size_t place) noexcept {
    if (processes_[place] == 0) return;
    int status = 0;
    while (waitpid(processes_[place], &status, 0) < 0 && errno == EINTR) continue;
    processes_[place] = 0;
}

measurement measure(crew& all, std::size_t counted, const duration_plan& how_long) {
    const auto sum = [&] {
        std::uint64_t operations = 0;
        for (std::size_t i = 0; i < counted; ++i) {
            operations += all.worker(i).operations.load(std::memory_order_relaxed);
        }
        return operations;
    };
    const auto pause = [&](double seconds) {
        const auto end = nanoseconds_now() + static_cast<std::uint64_t>(seconds * 1e9);
        for (auto now = nanoseconds_now(); now < end; now = nanoseconds_now()) {
            all.expect_alive();
            rest(std::chrono::microseconds{std::min<std::uint64_t>((end - now) / 1000, 100'000)});
        }
    };
    all.enter(phase::warming);
    pause(how_long.warm_seconds);
    all.enter(phase::measuring);
    const std::uint64_t first = sum();
    const std::uint64_t started = nanoseconds_now();
    pause(how_long.seconds);
    const std::uint64_t last = sum();
    const std::uint64_t ended = nanoseconds_now();
    all.finish();
    measurement found;
    found.operations_per_second =
        static_cast<double>(last - first) * 1e9 / static_cast<double>(ended - started);
    found.begun_ns = started;
    found.ended_ns = ended;
    for (std::size_t i = 0; i < counted; ++i) found.latency.add(all.worker(i).latency);
    return found;
}

}  // namespace perdure::perf

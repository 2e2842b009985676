// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/cli/long_work.hpp>

#include <unistd.h>

#include <chrono>
#include <fstream>

#include <fmt/format.h>
#include <perdure/apps/cli/console.hpp>

namespace perdure::apps {
namespace {

constexpr std::chrono::seconds first_word{2};
constexpr std::chrono::seconds at_terminal{1};
constexpr std::chrono::seconds elsewhere{10};

/// What this process has read from files since it began, 0: the kernel does not say.
std::uint64_t bytes_read() {
    std::ifstream facts("/proc/self/io");
    std::string name;
    std::uint64_t value = 0;
    while (facts >> name >> value) {
        if (name == "rchar:") return value;
    }
    return 0;
}

}  // namespace

long_work::long_work(std::string what) : what_(std::move(what)), watching_([this] { watch(); }) {}

long_work::long_work(teller tell) : tell_(std::move(tell)), watching_([this] { watch(); }) {}

long_work::~long_work() {
    {
        const std::lock_guard mine(mutex_);
        ends_ = true;
    }
    ended_.notify_all();
    watching_.join();
}

void long_work::watch() {
    const bool is_drawn_over = !tell_ && is_terminal(STDERR_FILENO);
    const auto began = std::chrono::steady_clock::now();
    const std::uint64_t read_before = bytes_read();
    bool is_drawn = false;
    std::unique_lock mine(mutex_);
    for (auto pause = first_word; !ended_.wait_for(mine, pause, [this] { return ends_; });
         pause = is_drawn_over ? at_terminal : elsewhere) {
        const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - began;
        const auto seconds = static_cast<std::uint64_t>(passed.count());
        const std::uint64_t read = bytes_read() - read_before;
        if (tell_) {
            tell_(seconds, read);
            continue;
        }
        const auto line =
            fmt::format("{}: {} s, {} of files read", what_, seconds, rounded_bytes(read));
        // Up again over what was drawn; cleared to its end.
        tell(is_drawn_over ? (is_drawn ? "\x1b[1A" : "") + line + "\x1b[K" : line);
        is_drawn = is_drawn_over;
    }
    if (is_drawn) static_cast<void>(::write(STDERR_FILENO, "\x1b[1A\x1b[K", 7));
}

}  // namespace perdure::apps

// SPDX-License-Identifier: Apache-2.0
//
// Processes of our own: this program started once more, as a worker or a keeper.
//
// Promise     A child is exec'd, never only forked: it inherits no handle of a world but what is
//             passed on by number. It ends when its parent does.
// Death       A child may be killed at any time; wait() tells how it ended.
// Threads     The main thread: Linux ties a parent's death to the thread that started the child.
#pragma once

#include <sys/types.h>

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace perdure::apps {

/// A descriptor the child gets, under a number it knows.
struct passed_descriptor {
    int ours;
    int theirs;  ///< 3 or more, and different from every `ours` but its own.
};

class child {
  public:
    child() noexcept = default;
    child(const child&) = delete;
    child& operator=(const child&) = delete;
    child(child&& other) noexcept : pid_(std::exchange(other.pid_, 0)) {}
    child& operator=(child&& other) noexcept {
        std::swap(pid_, other.pid_);
        return *this;
    }
    /// Kills and awaits it.
    ~child();

    /// Starts this program with these arguments and "--parent" <pid>. Throws failure: io_error.
    static child start(std::vector<std::string> arguments,
                       std::span<const passed_descriptor> given);

    void kill(int signal) const noexcept;
    /// Waits for its end; the status of waitpid.
    int wait() noexcept;
    /// The same if it has ended.
    [[nodiscard]] std::optional<int> poll() noexcept;
    [[nodiscard]] pid_t pid() const noexcept { return pid_; }

  private:
    explicit child(pid_t pid) noexcept : pid_(pid) {}
    pid_t pid_ = 0;  // 0: none, or awaited.
};

/// Called by a child: from now on it is killed when `parent` dies; ends at once if it has.
void end_with(int parent) noexcept;

/// Memory that parent and children share, through a descriptor they inherit. Zeroed, never moved.
class shared_page {
  public:
    /// Throws failure: io_error, no_memory.
    static shared_page make(std::size_t bytes);
    static shared_page inherit(int descriptor, std::size_t bytes);
    shared_page(const shared_page&) = delete;
    shared_page& operator=(const shared_page&) = delete;
    shared_page(shared_page&& other) noexcept
        : descriptor_(std::exchange(other.descriptor_, -1)),
          bytes_(other.bytes_),
          address_(std::exchange(other.address_, nullptr)) {}
    shared_page& operator=(shared_page&&) = delete;
    ~shared_page();

    template <class T>
    [[nodiscard]] T& as() const noexcept {
        return *static_cast<T*>(address_);
    }
    [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

  private:
    shared_page(int descriptor, std::size_t bytes);
    int descriptor_;
    std::size_t bytes_;
    void* address_ = nullptr;
};

}  // namespace perdure::apps

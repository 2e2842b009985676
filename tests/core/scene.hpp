// SPDX-License-Identifier: Apache-2.0
//
// A small world in directories of its own, a few accounts with gold in them, and children that open
// it as other processes do.
#pragma once

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <ostream>
#include <perdure/core/world.hpp>
#include <perdure/tests/print_errc.hpp>
#include <string>

namespace perdure::tests {

inline constexpr account_id treasury = account_id::of(std::uint64_t{1} << 40);
inline const asset_id gold = asset_id::of("gold");
constexpr account_id player(std::uint64_t number) noexcept { return account_id::of(number + 1); }

/// World and region directory, gone with the object.
class scene {
  public:
    scene() {
        static int made = 0;
        const auto name =
            "perdure-scene-" + std::to_string(::getpid()) + "-" + std::to_string(made++);
        disk_ = std::filesystem::temp_directory_path() / name;
        memory_ = std::filesystem::path("/dev/shm") / name;
        std::filesystem::create_directories(disk_);
        std::filesystem::create_directories(memory_);
        world::create(directory());
    }
    scene(const scene&) = delete;
    scene& operator=(const scene&) = delete;
    ~scene() {
        std::error_code ignored;
        std::filesystem::remove_all(disk_, ignored);
        std::filesystem::remove_all(memory_, ignored);
    }

    [[nodiscard]] std::string disk() const { return disk_.string(); }
    [[nodiscard]] std::string memory() const { return memory_.string(); }
    [[nodiscard]] std::string directory() const { return (disk_ / "world").string(); }
    [[nodiscard]] std::string region() const {
        return std::filesystem::read_symlink(disk_ / "world" / "region").string();
    }
    void delete_region() const { std::filesystem::remove(region()); }

    [[nodiscard]] world_options options() const {
        world_options made;
        made.region_directory = memory_.string();
        made.capacity_bytes = 64ULL << 20;
        made.ring_bytes = 256ULL << 10;
        made.undo_bytes = 32ULL << 10;
        made.slot_count = 8;
        made.segment_bytes = 256ULL << 10;
        return made;
    }
    world open() const { return world::open(directory(), options()); }

  private:
    std::filesystem::path disk_;
    std::filesystem::path memory_;
};

/// Gold, its treasury, and `players` accounts with `each` in them.
inline receipt found(world& in, session& by, std::uint64_t players, amount each) {
    const auto& books = in.books();
    return by
        .write([&](tx& now) -> result<> {
            PERDURE_TRY(books.open_account(now, treasury, account_kind::treasury));
            PERDURE_TRY(books.create_asset(now, "gold", 2, treasury));
            for (std::uint64_t i = 0; i < players; ++i) {
                PERDURE_TRY(books.open_account(now, player(i), account_kind::player));
                PERDURE_TRY(books.mint(now, treasury, player(i), gold, each));
            }
            return {};
        })
        .value();
}

inline result<receipt> pay(world& in, session& by, std::uint64_t from, std::uint64_t to,
                           amount value,
                           shm::deadline until = shm::deadline::in(std::chrono::seconds(20))) {
    return by.write(
        [&](tx& now) { return in.books().transfer(now, player(from), player(to), gold, value); },
        until);
}

inline result<amount> balance_of(world& in, session& by, account_id account) {
    return by.read([&](view& seen) { return in.books().balance(seen, account, gold); });
}

/// One T that children forked later share.
template <class T>
class shared_one {
  public:
    shared_one()
        : place_(::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                        0)) {}
    shared_one(const shared_one&) = delete;
    shared_one& operator=(const shared_one&) = delete;
    ~shared_one() { ::munmap(place_, sizeof(T)); }
    T& operator*() const noexcept { return *static_cast<T*>(place_); }
    T* operator->() const noexcept { return static_cast<T*>(place_); }

  private:
    void* place_;
};

/// Another process. Its work's answer is its exit status; 99 when it threw, 127 and more by signal.
class child {
  public:
    explicit child(const std::function<int()>& work) : pid_(::fork()) {
        if (pid_ != 0) return;
        // The test framework's handlers would go on with the next test in this process.
        for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM, SIGTERM}) {
            ::signal(signal, SIG_DFL);
        }
        ::alarm(120);
        int answer = 99;
        try {
            answer = work();
        } catch (const std::exception& thrown) {
            std::fprintf(stderr, "child: %s\n", thrown.what());
        }
        ::_exit(answer);
    }
    child(const child&) = delete;
    child& operator=(const child&) = delete;
    ~child() {
        if (pid_ > 0) kill();
    }

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    int wait() {
        while (!has_ended(0)) {
        }
        return answer_;
    }
    bool has_ended(int how = WNOHANG) {
        int status = 0;
        if (pid_ > 0 && ::waitpid(pid_, &status, how) == pid_) {
            pid_ = -1;
            answer_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
        return pid_ < 0;
    }
    int kill() {
        if (pid_ > 0) ::kill(pid_, SIGKILL);  // To -1 it would go to everybody.
        return wait();
    }

  private:
    pid_t pid_;
    int answer_ = -1;
};

/// Waits until `holds`, a minute at most; false then.
inline bool eventually(const std::function<bool()>& holds) {
    for (int turn = 0; turn < 12'000; ++turn) {
        if (holds()) return true;
        ::usleep(5000);
    }
    return false;
}

}  // namespace perdure::tests

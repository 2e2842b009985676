// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/cli/child.hpp>

#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include <perdure/shm/error.hpp>

namespace perdure::apps {
namespace {

[[noreturn]] void refuse(const std::string& thing, int number) {
    throw failure(number == ENOMEM ? errc::no_memory : errc::io_error,
                  thing + ": " + std::strerror(number), "free memory or processes and try again");
}

}  // namespace

child child::start(std::vector<std::string> arguments, std::span<const passed_descriptor> given) {
    arguments.insert(arguments.begin(), "perdure");
    arguments.insert(arguments.end(), {"--parent", std::to_string(::getpid())});
    std::vector<char*> words;
    words.reserve(arguments.size() + 1);
    for (std::string& each : arguments) words.push_back(each.data());
    words.push_back(nullptr);

    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    for (const passed_descriptor& each : given) {
        // Onto itself too: that clears close-on-exec.
        ::posix_spawn_file_actions_adddup2(&actions, each.ours, each.theirs);
    }
    pid_t pid = 0;
    const int answer =
        ::posix_spawn(&pid, "/proc/self/exe", &actions, nullptr, words.data(), ::environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (answer != 0) refuse("start of perdure " + arguments[1], answer);
    return child(pid);
}

child::~child() {
    kill(SIGKILL);
    wait();
}

void child::kill(int signal) const noexcept {
    if (pid_ > 0) ::kill(pid_, signal);
}

int child::wait() noexcept {
    int status = 0;
    while (pid_ > 0 && ::waitpid(pid_, &status, 0) < 0 && errno == EINTR) continue;
    pid_ = 0;
    return status;
}

std::optional<int> child::poll() noexcept {
    int status = 0;
    if (pid_ == 0 || ::waitpid(pid_, &status, WNOHANG) != pid_) return {};
    pid_ = 0;
    return status;
}

void end_with(int parent) noexcept {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(EXIT_FAILURE);
}

shared_page::shared_page(int descriptor, std::size_t bytes)
    : descriptor_(descriptor), bytes_(bytes) {
    address_ = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (address_ == MAP_FAILED) refuse("shared page", errno);
}

shared_page shared_page::make(std::size_t bytes) {
    const int descriptor = ::memfd_create("perdure", MFD_CLOEXEC);
    if (descriptor < 0 || ::ftruncate(descriptor, static_cast<off_t>(bytes)) != 0) {
        refuse("shared page", errno);
    }
    return shared_page(descriptor, bytes);
}

shared_page shared_page::inherit(int descriptor, std::size_t bytes) {
    return shared_page(descriptor, bytes);
}

shared_page::~shared_page() {
    if (address_ != nullptr) ::munmap(address_, bytes_);
    if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace perdure::apps

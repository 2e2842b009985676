// SPDX-License-Identifier: Apache-2.0
//
// The simulated disk as several simulated processes use it: a call takes time, in which others run;
// a lock is one process's; what a killed process had open is closed.
#pragma once

#include <perdure/tests/io/simulated_disk.hpp>
#include <perdure/tests/simulation/machine.hpp>

namespace perdure::tests {

class shared_disk final : public simulated_disk {
  public:
    explicit shared_disk(machine& by) : by_(&by) {}
    shared_disk(const simulated_disk& image, machine& by) : simulated_disk(image), by_(&by) {}

    /// How long calls take, at most.
    std::uint64_t delay_ns_max = 200'000;

    /// What a killed process had open.
    void close_of(std::uint32_t process) {
        std::vector<int> open;
        for (const auto& [descriptor, owner] : owners_) {
            if (owner == process) open.push_back(descriptor);
        }
        for (const int descriptor : open) close(descriptor);
    }

    int open(const char* path, int flags, unsigned mode) noexcept override {
        give_way("disk.open");
        const int descriptor = simulated_disk::open(path, flags, mode);
        if (descriptor >= 0) owners_[descriptor] = by_->process();
        return descriptor;
    }
    int close(int descriptor) noexcept override {
        if (locked_by_ == descriptor) locked_by_ = -1;
        owners_.erase(descriptor);
        return simulated_disk::close(descriptor);
    }
    std::int64_t write(int descriptor, std::span<const std::byte> from,
                       std::uint64_t offset) noexcept override {
        give_way("disk.write");
        const auto written = simulated_disk::write(descriptor, from, offset);
        by_->remember(offset);
        for (const auto byte : from.first(std::min<std::size_t>(from.size(), 64))) {
            by_->remember(std::to_integer<std::uint64_t>(byte));
        }
        return written;
    }
    int sync(int descriptor) noexcept override {
        give_way("disk.sync");
        return simulated_disk::sync(descriptor);
    }
    int rename(const char* from, const char* to) noexcept override {
        give_way("disk.rename");
        return simulated_disk::rename(from, to);
    }
    int unlink(const char* path) noexcept override {
        give_way("disk.unlink");
        return simulated_disk::unlink(path);
    }
    int sync_directory(const char* path) noexcept override {
        give_way("disk.sync_directory");
        return simulated_disk::sync_directory(path);
    }
    /// There is one file in a world that is locked.
    int lock(int descriptor, bool exclusive) noexcept override {
        const int answer = simulated_disk::lock(descriptor, exclusive);
        if (answer != 0) return answer;
        if (locked_by_ != -1 && locked_by_ != descriptor) return -EAGAIN;
        locked_by_ = descriptor;
        return 0;
    }
    int unlock(int descriptor) noexcept override {
        if (locked_by_ == descriptor) locked_by_ = -1;
        return 0;
    }
    [[nodiscard]] bool is_locked() const noexcept { return locked_by_ != -1; }

  private:
    void give_way(std::string_view at) {
        if (by_->running() == nullptr) return;
        by_->pass(by_->random()() % (delay_ns_max + 1));
        by_->give_way(at, false);
    }

    machine* by_;
    std::map<int, std::uint32_t> owners_;  // By descriptor: processes.
    int locked_by_ = -1;                   // Descriptor.
};

}  // namespace perdure::tests

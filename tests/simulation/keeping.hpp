// SPDX-License-Identifier: Apache-2.0
//
// A process that keeps the world, in two tasks: one drains and sweeps, the other takes checkpoints,
// removes what is superfluous and reads the files again.
#pragma once

#include <perdure/tests/simulation/site.hpp>

namespace perdure::tests {

class keeping {
  public:
    keeping(site& at, std::uint32_t process);
    keeping(const keeping&) = delete;
    keeping& operator=(const keeping&) = delete;
    ~keeping() = default;

    /// True when the process is to end: something final happened to it.
    [[nodiscard]] bool exits() const noexcept { return exits_; }
    [[nodiscard]] std::uint32_t process() const noexcept { return process_; }

  private:
    void drain();
    bool drain_a_little();
    void look_after();
    void checkpoint();
    void tell(const io::checkpoint_news& news);
    [[nodiscard]] bool hands_are_apart() const noexcept;

    site& at_;
    std::uint32_t process_;
    io::file_system files_;
    io::file_system files_to_read_;
    io::keeper keeper_;
    task* hands_ = nullptr;
    bool drains_ = false;
    bool takes_ = false;  // A checkpoint.
    bool exits_ = false;
};

}  // namespace perdure::tests

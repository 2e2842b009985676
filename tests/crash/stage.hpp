// SPDX-License-Identifier: Apache-2.0
//
// Where a primitive is killed again and again: the state it begins in, and the judgement
// afterwards.
#pragma once

#include <functional>
#include <perdure/tests/crash/primitives.hpp>
#include <set>

namespace perdure::tests {

/// A region with its first state, brought back as often as wanted.
class stage {
  public:
    stage(shared_bytes& memory, const primitive& what, unsigned round);

    using picture = std::vector<std::byte>;
    [[nodiscard]] picture take() const;
    void put_back(const picture& from);
    void begin_again() { put_back(first_); }
    [[nodiscard]] const picture& first() const noexcept { return first_; }

    /// The oracle: audit, replay of what was committed, state as before or as after, and a world
    /// that goes on. Answers the first fault, "" when there is none.
    std::string judge(bool goes_on = true);

    /// Runs the primitive undisturbed and learns what its end looks like.
    void learn_the_end(const std::function<void()>& run);

    [[nodiscard]] shm::region& where() noexcept { return where_; }
    [[nodiscard]] const bank& in() const noexcept { return in_; }
    [[nodiscard]] const primitive& what() const noexcept { return *what_; }
    [[nodiscard]] unsigned round() const noexcept { return round_; }
    [[nodiscard]] std::span<std::byte> bytes() const noexcept;

  private:
    std::string compare_with_journal(row_image& image);
    std::string go_on(row_image& image);

    shared_bytes* memory_;
    const primitive* what_;
    unsigned round_;
    shm::region where_;
    bank in_;
    std::uint64_t position_;  ///< Of the tail at the beginning.
    row_image image_;
    std::set<std::uint64_t> ends_;
    picture first_;
};

enum class ending { finished, died, failed };

/// Runs `work` in a child of its own, which ends well when it answers true.
ending in_child(const std::function<bool()>& work);

/// The same on the stage's memory.
ending in_child(stage& on, const std::function<void(shm::region&)>& work);

/// Gives a child the system's own signal handlers back and an end in any case: the test framework's
/// would go on with the next test in this process.
void be_a_child();

}  // namespace perdure::tests

// SPDX-License-Identifier: Apache-2.0
//
// A stack of its own that work runs on until it gives way: what is interleaved in one thread.
//
// Promise     resume() comes back when the work gave way or ended. A fibre that is dropped in its
//             midst is abandoned, as the kernel does it to a killed thread: nothing is unwound, no
//             destructor runs, what its stack owned is lost.
// Threads     One.
#pragma once

#include <setjmp.h>

#include <cstddef>
#include <functional>
#include <span>

namespace perdure::tests {

class fibre {
  public:
    explicit fibre(std::function<void()> work);
    fibre(const fibre&) = delete;
    fibre& operator=(const fibre&) = delete;
    ~fibre();

    /// Goes on with the work. Requires: not from a fibre, and not after its end.
    void resume();
    /// Requires: called on this fibre's stack.
    void give_way();
    [[nodiscard]] bool is_over() const noexcept { return is_over_; }

  private:
    static void enter(unsigned high, unsigned low);

    std::function<void()> work_;
    std::span<std::byte> stack_;
    jmp_buf here_;
    jmp_buf there_;
    bool is_begun_ = false;
    bool is_over_ = false;
};

}  // namespace perdure::tests

// SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>
#include <ucontext.h>

#include <perdure/tests/simulation/fibre.hpp>
#include <stdexcept>
#include <vector>

namespace perdure::tests {
namespace {

constexpr std::size_t stack_bytes = 512U << 10;

/// Stacks that no fibre runs on; whoever was abandoned on one never comes back.
std::vector<std::span<std::byte>>& spare_stacks() {
    static auto* spare = new std::vector<std::span<std::byte>>;
    return *spare;
}

std::span<std::byte> take_stack() {
    auto& spare = spare_stacks();
    if (!spare.empty()) {
        const auto taken = spare.back();
        spare.pop_back();
        return taken;
    }
    void* const place = ::mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (place == MAP_FAILED) throw std::runtime_error("no memory for a stack");
    return {static_cast<std::byte*>(place), stack_bytes};
}

}  // namespace

fibre::fibre(std::function<void()> work) : work_(std::move(work)), stack_(take_stack()) {}

fibre::~fibre() { spare_stacks().push_back(stack_); }

void fibre::enter(unsigned high, unsigned low) {
    auto* self = reinterpret_cast<fibre*>(static_cast<std::uintptr_t>(high) << 32 | low);
    self->work_();
    self->is_over_ = true;
    _longjmp(self->there_, 1);
}

// Contexts enter a stack; jumps, which make no system call, go to and fro.
void fibre::resume() {
    if (_setjmp(there_) != 0) return;
    if (is_begun_) _longjmp(here_, 1);
    is_begun_ = true;
    ucontext_t first{};
    ::getcontext(&first);
    first.uc_stack.ss_sp = stack_.data();
    first.uc_stack.ss_size = stack_.size();
    const auto self = reinterpret_cast<std::uintptr_t>(this);
    ::makecontext(&first, reinterpret_cast<void (*)()>(&fibre::enter), 2,
                  static_cast<unsigned>(self >> 32), static_cast<unsigned>(self));
    ::setcontext(&first);
}

void fibre::give_way() {
    if (_setjmp(here_) == 0) _longjmp(there_, 1);
}

}  // namespace perdure::tests

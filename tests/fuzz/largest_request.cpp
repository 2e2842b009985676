// SPDX-License-Identifier: Apache-2.0
#include <perdure/tests/fuzz/largest_request.hpp>

#include <cstdlib>
#include <new>

std::atomic<std::size_t> perdure::tests::largest_request{0};

// Not inlined: the compiler would see new beside free, and warn of a pair that does not match.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
    auto& largest = perdure::tests::largest_request;
    for (auto seen = largest.load(); bytes > seen && !largest.compare_exchange_weak(seen, bytes);) {
    }
    if (void* made = std::malloc(bytes)) return made;
    throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t bytes, const std::nothrow_t& /*no*/) noexcept {
    return std::malloc(bytes);  // Not the target's: libFuzzer asks so for what it reads.
}
[[gnu::noinline]] void operator delete(void* made) noexcept { std::free(made); }
[[gnu::noinline]] void operator delete(void* made, std::size_t /*bytes*/) noexcept {
    std::free(made);
}

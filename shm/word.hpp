// SPDX-License-Identifier: Apache-2.0
//
// Words that other processes read while we write them: the only way into mapped bytes.
//
// Promise     Each access is one untorn load or store of at most eight bytes.
// Death       `step` stores are seen in program order by whoever looks after our death: SIGKILL
//             keeps the order of instructions, so only the compiler must be held back, and it is.
// Threads     Any. A release store here pairs with an acquire load of the same word.
#pragma once

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace perdure::shm {

/// Hides the const_cast: std::atomic_ref<const T> does not exist in C++20.
template <class T>
inline std::atomic_ref<T> word(const T& place) noexcept {
    static_assert(sizeof(T) <= 8 && std::atomic_ref<T>::is_always_lock_free);
    return std::atomic_ref<T>(const_cast<T&>(place));
}

template <class T>
inline T load(const T& place) noexcept {
    return word(place).load(std::memory_order_acquire);
}

template <class T>
inline T peek(const T& place) noexcept {
    return word(place).load(std::memory_order_relaxed);
}

template <class T>
inline void put(T& place, std::type_identity_t<T> value) noexcept {
    word(place).store(value, std::memory_order_relaxed);
}

/// Nothing moves across, as far as the compiler is concerned; costs no instruction.
inline void step_fence() noexcept { std::atomic_signal_fence(std::memory_order_seq_cst); }

/// A protocol step: not before anything above it, not after anything below it.
template <class T>
inline void step(T& place, std::type_identity_t<T> value) noexcept {
    step_fence();
    word(place).store(value, std::memory_order_release);
    step_fence();
}

/// The half of a word that holds its low 32 bits, for a futex: the kernel only compares it.
inline const std::uint32_t& low_half(const std::uint64_t& place) noexcept {
    return *static_cast<const std::uint32_t*>(static_cast<const void*>(&place));
}

/// Stores words behind each other. A header that is read back soon is written like this and not as
/// a struct that was put together field by field: a processor holds a load up that is wider than
/// the stores it needs, until they have left the core.
template <std::same_as<std::uint64_t>... Words>
inline void write_words(void* target, Words... words) noexcept {
    auto* to = static_cast<std::byte*>(target);
    ((std::memcpy(to, &words, sizeof words), to += sizeof words), ...);
}

/// Three fields as one word, the first lowest.
constexpr std::uint64_t pack(std::uint16_t low, std::uint16_t middle, std::uint32_t high) noexcept {
    return low | static_cast<std::uint64_t>(middle) << 16 | static_cast<std::uint64_t>(high) << 32;
}

/// memcpy for the few words of a row or an event, where a call costs more than the copy.
inline void copy_words(void* target, const void* source, std::size_t bytes) noexcept {
    auto* to = static_cast<std::byte*>(target);
    const auto* from = static_cast<const std::byte*>(source);
    std::size_t i = 0;
    for (; i + 32 <= bytes; i += 32) std::memcpy(to + i, from + i, 32);
    for (; i < bytes; i += 8) std::memcpy(to + i, from + i, 8);
}

/// Copies whole words out of the region beside possible writers; the caller validates afterwards.
inline void copy_out(void* target, const void* source, std::size_t bytes) noexcept {
    auto* to = static_cast<std::uint64_t*>(target);
    const auto* from = static_cast<const std::uint64_t*>(source);
    for (std::size_t i = 0; i < bytes / 8; ++i) to[i] = peek(from[i]);
}

/// Copies whole words into the region beside possible optimistic readers.
inline void copy_in(void* target, const void* source, std::size_t bytes) noexcept {
    auto* to = static_cast<std::uint64_t*>(target);
    const auto* from = static_cast<const std::uint64_t*>(source);
    for (std::size_t i = 0; i < bytes / 8; ++i) put(to[i], from[i]);
}

}  // namespace perdure::shm

// SPDX-License-Identifier: Apache-2.0
#include <perdure/io/digest.hpp>

#include <sodium.h>
#include <time.h>

#include <cstring>

#include <perdure/shm/error.hpp>

#if defined(PERDURE_RIG)
#include <atomic>
#endif

namespace perdure::io {
namespace {

#if defined(PERDURE_RIG)
constinit std::atomic<const surroundings*> around{nullptr};
#endif

/// Without it libsodium keeps to its slow portable code.
bool prepare() noexcept { return sodium_init() >= 0; }

const unsigned char* octets(std::span<const std::byte> bytes) noexcept {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}

}  // namespace

block_hash blake2b(std::span<const std::byte> front, std::span<const std::byte> back) noexcept {
    static const bool prepared = prepare();
    PERDURE_ASSERT(prepared);
    block_hash hash;
    crypto_generichash_state state;
    crypto_generichash_init(&state, nullptr, 0, hash.size());
    crypto_generichash_update(&state, octets(front), front.size());
    if (!back.empty()) crypto_generichash_update(&state, octets(back), back.size());
    crypto_generichash_final(&state, hash.data(), hash.size());
    return hash;
}

uuid random_uuid() noexcept {
    static const bool prepared = prepare();
    PERDURE_ASSERT(prepared);
    std::array<std::uint8_t, 16> bytes;
    randombytes_buf(bytes.data(), bytes.size());
#if defined(PERDURE_RIG)
    if (const auto* by = around.load()) {
        const std::array<std::uint64_t, 2> drawn{by->chance(), by->chance()};
        std::memcpy(bytes.data(), drawn.data(), bytes.size());
    }
#endif
    bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0fU) | 0x40U);
    bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3fU) | 0x80U);
    uuid id;
    std::memcpy(id.data(), bytes.data(), bytes.size());
    return id;
}

std::string to_string(const uuid& id) {
    constexpr const char* digits = "0123456789abcdef";
    std::string text;
    for (const std::byte byte : std::as_bytes(std::span(id))) {
        if (text.size() == 8 || text.size() == 13 || text.size() == 18 || text.size() == 23) {
            text += '-';
        }
        text += digits[std::to_integer<unsigned>(byte >> 4)];
        text += digits[std::to_integer<unsigned>(byte & std::byte{15})];
    }
    return text;
}

#if defined(PERDURE_RIG)
void surround(const surroundings* by) noexcept { around.store(by); }
#endif

std::uint64_t wall_clock_ns() noexcept {
#if defined(PERDURE_RIG)
    if (const auto* by = around.load()) return by->wall_ns();
#endif
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace perdure::io

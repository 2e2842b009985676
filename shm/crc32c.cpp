// SPDX-License-Identifier: Apache-2.0
#include <perdure/shm/crc32c.hpp>

#include <nmmintrin.h>

#include <cstring>

#include <perdure/shm/error.hpp>
#include <perdure/shm/record_format.hpp>

namespace perdure::shm {
namespace {

constexpr std::size_t lsn_at = offsetof(record_header, lsn);
constexpr std::size_t bytes_at = offsetof(record_header, bytes);
constexpr std::size_t covered_at = sizeof(record_header) + sizeof(std::uint32_t);
static_assert(covered_at % 8 == 4, "the covered tail starts with one 4-byte step");

template <class Word>
Word load(const std::byte* from) noexcept {
    Word word;
    std::memcpy(&word, from, sizeof word);
    return word;
}

__attribute__((target("sse4.2"))) inline std::uint64_t step8(std::uint64_t crc,
                                                             const std::byte* from) noexcept {
    return _mm_crc32_u64(crc, load<std::uint64_t>(from));
}

__attribute__((target("sse4.2"))) inline std::uint64_t step4(std::uint64_t crc,
                                                             const std::byte* from) noexcept {
    return _mm_crc32_u32(static_cast<std::uint32_t>(crc), load<std::uint32_t>(from));
}

}  // namespace

__attribute__((target("sse4.2"))) std::uint32_t crc32c(std::span<const std::byte> bytes,
                                                       std::uint32_t before) noexcept {
    std::uint64_t crc = static_cast<std::uint32_t>(~before);
    const std::byte* at = bytes.data();
    std::size_t left = bytes.size();
    for (; left >= 8; left -= 8, at += 8) crc = step8(crc, at);
    for (; left > 0; --left, ++at) {
        crc = _mm_crc32_u8(static_cast<std::uint32_t>(crc), std::to_integer<std::uint8_t>(*at));
    }
    return ~static_cast<std::uint32_t>(crc);
}

__attribute__((target("sse4.2"))) std::uint32_t record_crc(
    std::span<const std::byte> record) noexcept {
    PERDURE_ASSERT(record.size() >= sizeof(record_header) + sizeof(transaction_header));
    PERDURE_ASSERT(record.size() % 8 == 0);
    const std::byte* at = record.data();
    std::uint64_t crc = step8(0xffff'ffffU, at + lsn_at);
    crc = step4(crc, at + bytes_at);
    crc = step4(crc, at + covered_at);
    for (std::size_t i = covered_at + 4; i < record.size(); i += 8) crc = step8(crc, at + i);
    return ~static_cast<std::uint32_t>(crc);
}

__attribute__((target("sse4.2"))) void record_crc_4(const std::byte* const* records,
                                                    std::uint32_t bytes,
                                                    std::uint32_t* crcs) noexcept {
    const std::byte* a = records[0];
    const std::byte* b = records[1];
    const std::byte* c = records[2];
    const std::byte* d = records[3];
    std::uint64_t ca = step4(step4(step8(0xffff'ffffU, a + lsn_at), a + bytes_at), a + covered_at);
    std::uint64_t cb = step4(step4(step8(0xffff'ffffU, b + lsn_at), b + bytes_at), b + covered_at);
    std::uint64_t cc = step4(step4(step8(0xffff'ffffU, c + lsn_at), c + bytes_at), c + covered_at);
    std::uint64_t cd = step4(step4(step8(0xffff'ffffU, d + lsn_at), d + bytes_at), d + covered_at);
    for (std::size_t i = covered_at + 4; i < bytes; i += 8) {
        ca = step8(ca, a + i);
        cb = step8(cb, b + i);
        cc = step8(cc, c + i);
        cd = step8(cd, d + i);
    }
    crcs[0] = ~static_cast<std::uint32_t>(ca);
    crcs[1] = ~static_cast<std::uint32_t>(cb);
    crcs[2] = ~static_cast<std::uint32_t>(cc);
    crcs[3] = ~static_cast<std::uint32_t>(cd);
}

}  // namespace perdure::shm

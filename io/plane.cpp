// SPDX-License-Identifier: Apache-2.0
#include <perdure/io/plane.hpp>

#include <tmmintrin.h>
#define ZSTD_STATIC_LINKING_ONLY  // For ZSTD_c_literalCompressionMode alone.
#include <zstd.h>

#include <array>
#include <new>

namespace perdure::io {
namespace {

/// Bytes a0..a7 b0..b7 of two words as pairs a0 b0 a1 b1 …, and back.
const __m128i pairs_of_words = _mm_setr_epi8(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
const __m128i words_of_pairs = _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);

__m128i load(const void* from) noexcept {
    return _mm_loadu_si128(static_cast<const __m128i*>(from));
}

void store(void* to, __m128i value) noexcept { _mm_storeu_si128(static_cast<__m128i*>(to), value); }

using matrix = __m128i[8];

/// Transposes an 8 × 8 matrix of 16-bit elements; its own inverse.
inline void transpose(matrix& row) noexcept {
    matrix a;
    matrix b;
    for (std::size_t i = 0; i < 8; i += 2) {
        a[i] = _mm_unpacklo_epi16(row[i], row[i + 1]);
        a[i + 1] = _mm_unpackhi_epi16(row[i], row[i + 1]);
    }
    for (std::size_t i = 0; i < 8; i += 4) {
        b[i] = _mm_unpacklo_epi32(a[i], a[i + 2]);
        b[i + 1] = _mm_unpackhi_epi32(a[i], a[i + 2]);
        b[i + 2] = _mm_unpacklo_epi32(a[i + 1], a[i + 3]);
        b[i + 3] = _mm_unpackhi_epi32(a[i + 1], a[i + 3]);
    }
    for (std::size_t i = 0; i < 4; ++i) {
        row[2 * i] = _mm_unpacklo_epi64(b[i], b[i + 4]);
        row[2 * i + 1] = _mm_unpackhi_epi64(b[i], b[i + 4]);
    }
}

constexpr std::size_t sample_bytes = 256;

/// Whether zstd would gain nothing: the sample's bytes collide as rarely as random ones do.
/// Uniform bytes give about 256 squares above the diagonal; 7.5 bits of entropy give 360.
bool looks_random(std::span<const std::byte> bytes) noexcept {
    if (bytes.size() < sample_bytes) return false;
    std::array<std::uint8_t, 256> seen{};
    const std::size_t step = bytes.size() / sample_bytes;
    std::uint32_t collisions = 0;
    for (std::size_t i = 0; i < sample_bytes; ++i) {
        collisions += seen[std::to_integer<std::uint8_t>(bytes[i * step])]++;
    }
    return collisions < 180;
}

}  // namespace

std::uint64_t split(std::span<const std::uint64_t> words, std::byte* planes) noexcept {
    PERDURE_ASSERT(!words.empty() && words.size() % plane_step == 0);
    const std::size_t stride = words.size();
    const __m128i first = _mm_set1_epi64x(static_cast<long long>(words.front()));
    __m128i differing = _mm_setzero_si128();
    for (std::size_t i = 0; i < stride; i += plane_step) {
        matrix row;
        for (std::size_t k = 0; k < 8; ++k) {
            const __m128i two = load(words.data() + i + 2 * k);
            differing = _mm_or_si128(differing, _mm_xor_si128(two, first));
            row[k] = _mm_shuffle_epi8(two, pairs_of_words);
        }
        transpose(row);
        for (std::size_t b = 0; b < 8; ++b) store(planes + b * stride + i, row[b]);
    }
    std::array<std::uint64_t, 2> halves;
    store(halves.data(), differing);
    return halves[0] | halves[1];
}

void join(const std::byte* planes, std::span<std::uint64_t> words) noexcept {
    PERDURE_ASSERT(words.size() % plane_step == 0);
    const std::size_t stride = words.size();
    for (std::size_t i = 0; i < stride; i += plane_step) {
        matrix row;
        for (std::size_t b = 0; b < 8; ++b) row[b] = load(planes + b * stride + i);
        transpose(row);
        for (std::size_t k = 0; k < 8; ++k) {
            store(words.data() + i + 2 * k, _mm_shuffle_epi8(row[k], words_of_pairs));
        }
    }
}

stream_packer::stream_packer()
    : of_planes_(ZSTD_createCCtx()), of_values_(ZSTD_createCCtx()), unpacking_(ZSTD_createDCtx()) {
    if (!of_planes_ || !of_values_ || !unpacking_) throw std::bad_alloc();
    const auto set = [](ZSTD_CCtx_s& context, ZSTD_cParameter parameter, int value) {
        const std::size_t answer = ZSTD_CCtx_setParameter(&context, parameter, value);
        PERDURE_ASSERT(ZSTD_isError(answer) == 0);
    };
    // What is left in a plane is skew, not repetition: entropy coding counts, the search for
    // matches may be coarse. Measured with perf/codec: a third of the time of plain level 1, and
    // denser.
    set(*of_planes_, ZSTD_c_compressionLevel, 1);
    set(*of_planes_, ZSTD_c_minMatch, 7);
    set(*of_planes_, ZSTD_c_hashLog, 8);
    set(*of_planes_, ZSTD_c_targetLength, 60);
    set(*of_planes_, ZSTD_c_literalCompressionMode, ZSTD_ps_enable);
    set(*of_planes_, ZSTD_c_contentSizeFlag, 0);
    // Values repeat words: here the matches count. Game state in JSON: 2.8 times shorter at
    // 0.48 GB/s, where the above makes it 1.9 times at 0.38 and level 1 4.7 times at 0.27.
    set(*of_values_, ZSTD_c_compressionLevel, -3);
    set(*of_values_, ZSTD_c_contentSizeFlag, 0);
}

stream_packer::~stream_packer() = default;

void stream_packer::free_contexts::operator()(ZSTD_CCtx_s* context) const noexcept {
    ZSTD_freeCCtx(context);
}

void stream_packer::free_contexts::operator()(ZSTD_DCtx_s* context) const noexcept {
    ZSTD_freeDCtx(context);
}

stream_mode stream_packer::put_by(ZSTD_CCtx_s& packing, std::span<const std::byte> bytes,
                                  byte_sink& to) noexcept {
    constexpr std::size_t length_bytes = sizeof(std::uint32_t);
    if (!looks_random(bytes) && to.rest().size() > length_bytes) {
        const auto room = to.rest().subspan(length_bytes);
        const std::size_t packed =
            ZSTD_compress2(&packing, room.data(), room.size(), bytes.data(), bytes.size());
        if (ZSTD_isError(packed) == 0 && packed + length_bytes < bytes.size()) {
            to.put_object(static_cast<std::uint32_t>(packed));
            static_cast<void>(to.reserve(packed));
            return stream_mode::packed;
        }
    }
    to.put(bytes);
    return stream_mode::raw;
}

result<> stream_packer::get(stream_mode mode, byte_cursor& from,
                            std::span<std::byte> into) noexcept {
    if (mode == stream_mode::raw) {
        const auto bytes = PERDURE_TRY(from.take(into.size()));
        std::memcpy(into.data(), bytes.data(), bytes.size());
        return {};
    }
    PERDURE_ASSERT(mode == stream_mode::packed);
    const auto length = PERDURE_TRY(from.take_object<std::uint32_t>());
    const auto packed = PERDURE_TRY(from.take(length));
    const std::size_t got = ZSTD_decompressDCtx(unpacking_.get(), into.data(), into.size(),
                                                packed.data(), packed.size());
    if (ZSTD_isError(got) != 0 || got != into.size()) return errc::damaged;
    return {};
}

}  // namespace perdure::io

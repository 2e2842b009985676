// SPDX-License-Identifier: Apache-2.0
//
// Byte planes: a column of 64-bit words turned on its side, and streams of bytes, packed if that
// pays.
//
// Promise     join undoes split; get undoes put. get never reads beyond its input and answers
//             damaged for anything put did not write.
// Threads     A stream_packer belongs to one thread.
// Format      shuffle_format.hpp
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

#include <perdure/io/shuffle_format.hpp>
#include <perdure/shm/error.hpp>

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace perdure::io {

/// split and join work on whole steps of 16 words.
inline constexpr std::size_t plane_step = 16;

[[nodiscard]] constexpr std::size_t plane_stride(std::size_t words) noexcept {
    return (words + plane_step - 1) / plane_step * plane_step;
}

/// Byte b of word i goes to planes[b * stride + i], stride being the number of words.
/// Answers which bytes differ anywhere from the first word's, as a mask over the word.
/// Requires: a multiple of plane_step words, at least one step, and 8 bytes of room for each.
[[nodiscard]] std::uint64_t split(std::span<const std::uint64_t> words, std::byte* planes) noexcept;

/// All bits of the bytes whose number stands in `planes`.
[[nodiscard]] constexpr std::uint64_t byte_mask(unsigned planes) noexcept {
    std::uint64_t mask = 0;
    for (unsigned b = 0; b < 8; ++b) {
        if ((planes >> b & 1U) != 0) mask |= std::uint64_t{0xff} << (8 * b);
    }
    return mask;
}

/// The way back from split.
void join(const std::byte* planes, std::span<std::uint64_t> words) noexcept;

/// Appends to a buffer of fixed size; once something did not fit it stays full.
class byte_sink {
  public:
    explicit byte_sink(std::span<std::byte> room) noexcept : room_(room) {}

    void put(std::span<const std::byte> bytes) noexcept {
        if (std::byte* to = reserve(bytes.size()); to != nullptr) {
            std::memcpy(to, bytes.data(), bytes.size());
        }
    }
    template <shm::mapped T>
    void put_object(const T& object) noexcept {
        put(std::as_bytes(std::span(&object, 1)));
    }
    /// Room to be filled by the caller, nullptr if there is not enough.
    [[nodiscard]] std::byte* reserve(std::size_t bytes) noexcept {
        if (bytes > room_.size() - used_) full_ = true;
        if (full_) return nullptr;
        std::byte* const at = room_.data() + used_;
        used_ += bytes;
        return at;
    }
    [[nodiscard]] std::span<std::byte> rest() const noexcept { return room_.subspan(used_); }
    void set_full() noexcept { full_ = true; }
    [[nodiscard]] bool is_full() const noexcept { return full_; }
    [[nodiscard]] std::size_t used() const noexcept { return used_; }

  private:
    std::span<std::byte> room_;
    std::size_t used_ = 0;
    bool full_ = false;
};

/// Takes from the front of a buffer, never beyond its end.
class byte_cursor {
  public:
    explicit byte_cursor(std::span<const std::byte> bytes) noexcept : bytes_(bytes) {}

    [[nodiscard]] result<std::span<const std::byte>> take(std::size_t count) noexcept {
        if (count > bytes_.size()) return errc::damaged;
        const auto front = bytes_.first(count);
        bytes_ = bytes_.subspan(count);
        return front;
    }
    template <shm::mapped T>
    [[nodiscard]] result<T> take_object() noexcept {
        const auto front = PERDURE_TRY(take(sizeof(T)));
        T object;
        std::memcpy(&object, front.data(), sizeof object);
        return object;
    }
    [[nodiscard]] bool is_empty() const noexcept { return bytes_.empty(); }

  private:
    std::span<const std::byte> bytes_;
};

class stream_packer {
  public:
    stream_packer();
    stream_packer(const stream_packer&) = delete;
    stream_packer& operator=(const stream_packer&) = delete;
    ~stream_packer();

    /// Writes the stream and says in which of the two ways; meant for planes.
    [[nodiscard]] stream_mode put(std::span<const std::byte> bytes, byte_sink& to) noexcept {
        return put_by(*of_planes_, bytes, to);
    }
    /// The same for whole records with long values in them.
    [[nodiscard]] stream_mode put_values(std::span<const std::byte> bytes, byte_sink& to) noexcept {
        return put_by(*of_values_, bytes, to);
    }
    /// Requires: mode is raw or packed.
    [[nodiscard]] result<> get(stream_mode mode, byte_cursor& from,
                               std::span<std::byte> into) noexcept;

  private:
    struct free_contexts {
        void operator()(ZSTD_CCtx_s* context) const noexcept;
        void operator()(ZSTD_DCtx_s* context) const noexcept;
    };
    static stream_mode put_by(ZSTD_CCtx_s& packing, std::span<const std::byte> bytes,
                              byte_sink& to) noexcept;

    std::unique_ptr<ZSTD_CCtx_s, free_contexts> of_planes_;
    std::unique_ptr<ZSTD_CCtx_s, free_contexts> of_values_;
    std::unique_ptr<ZSTD_DCtx_s, free_contexts> unpacking_;
};

}  // namespace perdure::io

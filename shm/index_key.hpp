// SPDX-License-Identifier: Apache-2.0
//
// The key of an ordered index: words that compare as the fields they were made of.
//
// Promise     Two keys of one index compare, word by word and unsigned, as the rows' fields do, the
//             most significant field first; rows with equal fields by their number.
// Threads     Values.
// Format      docs/formats/region.md#ordered-indexes
#pragma once

#include <cstring>
#include <perdure/shm/schema.hpp>
#include <span>

namespace perdure::shm {

inline constexpr std::uint32_t key_words_max = index_key_words + 1;

struct index_key {
    std::array<std::uint64_t, key_words_max> words{};

    friend bool operator==(const index_key&, const index_key&) = default;
};

/// Below zero, zero, above: as memcmp answers.
inline int compare(const std::uint64_t* left, const std::uint64_t* right,
                   std::uint32_t words) noexcept {
    for (std::uint32_t i = 0; i < words; ++i) {
        if (left[i] != right[i]) return left[i] < right[i] ? -1 : 1;
    }
    return 0;
}

constexpr std::uint64_t ordered_word(std::int64_t value) noexcept {
    return static_cast<std::uint64_t>(value) ^ 1ULL << 63;
}

/// Big-endian words of the bytes, filled with zeros; answers how many.
inline std::uint32_t put_ordered(std::uint64_t* target, std::span<const std::byte> bytes) noexcept {
    std::uint32_t count = 0;
    for (std::size_t at = 0; at < bytes.size(); at += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes.data() + at, std::min<std::size_t>(8, bytes.size() - at));
        target[count++] = __builtin_bswap64(word);
    }
    return count;
}

/// The key of a row as its bytes stand at `row`.
inline index_key key_of_row(const index_shape& of, const std::byte* row,
                            std::uint64_t number) noexcept {
    index_key key;
    std::uint32_t at = 0;
    for (const auto& part : of.parts) {
        std::uint64_t value = 0;
        switch (part.type) {
            case field_type::u32:
            case field_type::u64:
            case field_type::i64:
                std::memcpy(&value, row + part.offset, part.bytes);
                key.words[at++] = part.type == field_type::i64
                                      ? ordered_word(static_cast<std::int64_t>(value))
                                      : value;
                break;
            case field_type::bytes:
            case field_type::text:
            case field_type::blob:
                at += put_ordered(&key.words[at], {row + part.offset, part.bytes});
        }
    }
    key.words[at] = number;
    return key;
}

/// The first fields of a key, given one by one: the bounds of a scan.
class key_prefix {
  public:
    key_prefix& add(std::uint64_t value) noexcept {
        words_[used_++ % key_words_max] = value;
        return *this;
    }
    key_prefix& add(std::int64_t value) noexcept { return add(ordered_word(value)); }
    /// `width`: bytes of the field.
    key_prefix& add(std::string_view text, std::size_t width) noexcept {
        std::array<std::byte, index_key_words * 8> field{};
        width = std::min(width, field.size());
        std::memcpy(field.data(), text.data(), std::min(text.size(), width));
        std::array<std::uint64_t, index_key_words> words{};
        const auto count = put_ordered(words.data(), std::span(field).first(width));
        for (std::uint32_t i = 0; i < count; ++i) add(words[i]);
        return *this;
    }

    /// The lowest and the highest key that begins like this.
    [[nodiscard]] index_key lowest() const noexcept { return filled(0); }
    [[nodiscard]] index_key highest() const noexcept { return filled(~0ULL); }

  private:
    [[nodiscard]] index_key filled(std::uint64_t rest) const noexcept {
        index_key key;
        for (std::uint32_t i = 0; i < key_words_max; ++i) {
            key.words[i] = i < used_ ? words_[i] : rest;
        }
        return key;
    }

    std::array<std::uint64_t, key_words_max> words_{};
    std::uint32_t used_ = 0;
};

}  // namespace perdure::shm

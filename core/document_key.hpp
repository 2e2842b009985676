// SPDX-License-Identifier: Apache-2.0
//
// How documents are named in their rows: keys, texts, what a name may be.
//
// Promise     A name's key is the same on every machine.
// Threads     Pure functions.
#pragma once

#include <perdure/core/document.hpp>

namespace perdure {

/// 1 to so many bytes of letters, digits, . _ - + @, and no dot in front: a file's name, too.
bool is_sound(const document_name& which) noexcept;
bool is_sound_collection(std::string_view collection) noexcept;

shm::row_key key_of(const document_name& which) noexcept;
std::uint64_t hash_of_collection(std::string_view collection) noexcept;

/// Of a version's row.
constexpr shm::row_key key_of(const shm::row_key& document, std::uint64_t version) noexcept {
    return {document.high, document.low + version};
}

template <std::size_t Size>
std::string_view text_in(const std::array<char, Size>& text) noexcept {
    return {text.data(), ::strnlen(text.data(), Size)};
}

/// Requires: at most state_bytes_max bytes.
state_text text_of(std::string_view state) noexcept;

void write_name(document_row& head, const document_name& which) noexcept;
bool has_name(const document_row& head, const document_name& which) noexcept;
document_head head_of(const document_row& row);

}  // namespace perdure

// SPDX-License-Identifier: Apache-2.0
#include <sodium.h>

#include <algorithm>
#include <cstring>
#include <perdure/core/document_key.hpp>

namespace perdure {
namespace {

constexpr std::size_t front_bytes = sizeof(document_row::name_front);

bool may_stand_in_a_name(char letter) noexcept {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           (letter >= '0' && letter <= '9') || std::string_view("._-+@").find(letter) != -1UL;
}

bool is_sound_text(std::string_view text, std::size_t bytes_max) noexcept {
    return !text.empty() && text.size() <= bytes_max && text.front() != '.' &&
           std::all_of(text.begin(), text.end(), may_stand_in_a_name);
}

/// Deterministic, without a key, and it needs no sodium_init().
shm::row_key hash_of_text(std::string_view text) noexcept {
    shm::row_key out{};
    static_assert(sizeof out >= crypto_generichash_BYTES_MIN);
    crypto_generichash(reinterpret_cast<unsigned char*>(&out), sizeof out,
                       reinterpret_cast<const unsigned char*>(text.data()), text.size(), nullptr,
                       0);
    return out;
}

}  // namespace

bool is_sound_collection(std::string_view collection) noexcept {
    return is_sound_text(collection, collection_bytes_max);
}

bool is_sound(const document_name& which) noexcept {
    return is_sound_collection(which.collection) &&
           is_sound_text(which.name, document_name_bytes_max);
}

shm::row_key key_of(const document_name& which) noexcept {
    std::array<char, collection_bytes_max + 1 + document_name_bytes_max> text{};
    const auto size = which.collection.copy(text.data(), collection_bytes_max);
    const auto more = which.name.copy(text.data() + size + 1, document_name_bytes_max);
    return hash_of_text({text.data(), size + 1 + more});
}

std::uint64_t hash_of_collection(std::string_view collection) noexcept {
    return hash_of_text(collection).high;
}

state_text text_of(std::string_view state) noexcept {
    state_text out{};
    state.copy(out.data(), out.size());
    return out;
}

void write_name(document_row& head, const document_name& which) noexcept {
    head.collection_hash = hash_of_collection(which.collection);
    which.collection.copy(head.collection.data(), head.collection.size());
    which.name.copy(head.name_front.data(), front_bytes);
    if (which.name.size() > front_bytes) {
        which.name.copy(head.name_back.data(), head.name_back.size(), front_bytes);
    }
}

bool has_name(const document_row& head, const document_name& which) noexcept {
    const auto front = text_in(head.name_front);
    return text_in(head.collection) == which.collection && which.name.starts_with(front) &&
           which.name.substr(front.size()) == text_in(head.name_back);
}

document_head head_of(const document_row& row) {
    document_head out;
    out.collection = text_in(row.collection);
    out.name = text_in(row.name_front);
    out.name += text_in(row.name_back);
    out.state = text_in(row.state);
    out.kind = static_cast<document_kind>(row.kind);
    out.version = row.version;
    out.oldest = row.oldest;
    out.bytes = row.bytes;
    out.lsn = row.header.lsn;
    out.limits = {row.versions_max, row.bytes_max};
    return out;
}

}  // namespace perdure

// SPDX-License-Identifier: Apache-2.0
//
// What the words of a node of an ordered index say, and how one is searched.
//
// Promise     Nothing here follows a number that a node holds; a torn node gives a wrong answer,
//             never a place outside it.
// Threads     Any, beside writers: each word is read whole. What was read in place is a hint until
//             the leaf it led to has said, under its stripe, that it is responsible.
// Invariants  N1 the entries ascend.  N2 low <= entry < high.  N3 entry 0 of an inner node is its
//             low bound.
// Format      region_format.hpp (tree_node), docs/formats/region.md#ordered-indexes
#pragma once

#include <algorithm>
#include <perdure/shm/index_key.hpp>
#include <perdure/shm/word.hpp>

namespace perdure::shm {

inline constexpr std::uint32_t node_words = std::tuple_size_v<decltype(tree_node::words)>;

/// Words an entry takes, a key having `words`.
constexpr std::uint32_t entry_words(std::uint32_t words, std::uint32_t level) noexcept {
    return level == 0 ? words : words + 1;
}
constexpr std::uint32_t entries_max(std::uint32_t words, std::uint32_t level) noexcept {
    return (node_words - 2 * words) / entry_words(words, level);
}

/// A node with the size of its keys.
template <class Node>
struct node_of {
    Node* node;
    std::uint32_t words;

    [[nodiscard]] std::uint32_t level() const noexcept { return peek(node->level); }
    [[nodiscard]] std::uint32_t count() const noexcept {
        return std::min<std::uint32_t>(peek(node->count), entries_max(words, level()));
    }
    [[nodiscard]] auto* low() const noexcept { return node->words.data(); }
    [[nodiscard]] auto* high() const noexcept { return node->words.data() + words; }
    [[nodiscard]] auto* entry(std::uint32_t i) const noexcept {
        return node->words.data() + 2 * words + i * entry_words(words, level());
    }
    /// Requires: an inner node.
    [[nodiscard]] std::uint64_t child(std::uint32_t i) const noexcept {
        return peek(entry(i)[words]);
    }
    [[nodiscard]] bool is_full() const noexcept { return count() == entries_max(words, level()); }
    /// The root may be all zeros.
    [[nodiscard]] bool is_used(std::uint64_t number) const noexcept {
        const auto state = peek(node->state);
        return state == static_cast<std::uint32_t>(node_state::used) || (state | number) == 0;
    }
    /// The key is not below the low bound, and below the high one.
    [[nodiscard]] bool covers(const index_key& key) const noexcept {
        return order(low(), key) <= 0 && !is_left_of(key);
    }
    /// The key belongs to a right neighbour.
    [[nodiscard]] bool is_left_of(const index_key& key) const noexcept {
        return peek(node->right) != 0 && order(high(), key) <= 0;
    }
    /// First entry that is not below the key, count() when there is none.
    [[nodiscard]] std::uint32_t first_from(const index_key& key) const noexcept {
        std::uint32_t from = 0;
        const std::uint32_t stride = entry_words(words, level());
        const auto* entries = node->words.data() + 2 * words;
        for (std::uint32_t left = count(); left > 0;) {
            const std::uint32_t half = left / 2;
            const bool is_below = order(entries + (from + half) * stride, key) < 0;
            from += is_below ? half + 1 : 0;
            left = is_below ? left - half - 1 : half;
        }
        return from;
    }
    /// Entry of the child that is responsible for the key.
    [[nodiscard]] std::uint32_t child_for(const index_key& key) const noexcept {
        const auto at = first_from(key);
        if (at < count() && order(entry(at), key) == 0) return at;
        return at == 0 ? 0 : at - 1;
    }

  private:
    int order(const std::uint64_t* left, const index_key& key) const noexcept {
        for (std::uint32_t i = 0; i < words; ++i) {
            const std::uint64_t word = peek(left[i]);
            if (word != key.words[i]) return word < key.words[i] ? -1 : 1;
        }
        return 0;
    }
};

using seen_node = node_of<const tree_node>;
using edited_node = node_of<tree_node>;

}  // namespace perdure::shm

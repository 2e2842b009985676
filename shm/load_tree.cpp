// SPDX-License-Identifier: Apache-2.0
//
// The nodes of an ordered index, built level by level from sorted keys.
#include <perdure/shm/loader.hpp>
#include <perdure/shm/tree_node.hpp>

namespace perdure::shm {
namespace {

/// What the level above needs of a node.
struct built_node {
    index_key low;
    std::uint64_t number;
};

/// A level of the tree: `entries` divided among nodes of equal size, with room to grow.
class level_builder {
  public:
    level_builder(std::uint32_t words, std::uint32_t level, std::uint64_t& next,
                  const node_placer& place)
        : words_(words), level_(level), next_(&next), place_(&place) {}

    result<std::vector<built_node>> build(std::span<const built_node> entries) {
        const std::size_t most = entries_max(words_, level_);
        const std::size_t filled = most - most / 8;
        const std::size_t count = std::max<std::size_t>(1, (entries.size() + filled - 1) / filled);
        std::vector<built_node> made;
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t from = entries.size() * i / count;
            const std::size_t to = entries.size() * (i + 1) / count;
            const std::uint64_t number = count == 1 ? 0 : (*next_)++;
            const auto node = PERDURE_TRY(lay(number, entries.subspan(from, to - from)));
            const index_key low = i == 0 ? index_key{} : entries[from].low;
            std::copy_n(low.words.begin(), words_, node.low());
            if (i + 1 < count) {
                std::copy_n(entries[to].low.words.begin(), words_, node.high());
                node.node->right = number + 1;
            }
            made.push_back({low, number});
        }
        return made;
    }

  private:
    result<edited_node> lay(std::uint64_t number, std::span<const built_node> entries) {
        const edited_node node{PERDURE_TRY((*place_)(number)), words_};
        *node.node = {};
        node.node->state = static_cast<std::uint32_t>(node_state::used);
        node.node->level = static_cast<std::uint16_t>(level_);
        node.node->count = static_cast<std::uint16_t>(entries.size());
        for (std::uint32_t i = 0; i < entries.size(); ++i) {
            std::copy_n(entries[i].low.words.begin(), words_, node.entry(i));
            if (level_ != 0) node.entry(i)[words_] = entries[i].number;
        }
        return node;
    }

    std::uint32_t words_;
    std::uint32_t level_;
    std::uint64_t* next_;
    const node_placer* place_;
};

}  // namespace

result<std::uint64_t> load_tree(std::uint32_t words, std::span<const index_key> keys,
                                const node_placer& place) {
    std::uint64_t next = 1;  // 0 is the root.
    std::vector<built_node> entries;
    entries.reserve(keys.size());
    for (const auto& key : keys) entries.push_back({key, 0});
    for (std::uint32_t level = 0;; ++level) {
        level_builder builder(words, level, next, place);
        entries = PERDURE_TRY(builder.build(entries));
        if (entries.size() == 1) return next;
    }
}

}  // namespace perdure::shm

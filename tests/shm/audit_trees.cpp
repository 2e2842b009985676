// SPDX-License-Identifier: Apache-2.0
#include <perdure/shm/tree_node.hpp>
#include <perdure/tests/shm/audit_trees.hpp>
#include <set>

namespace perdure::tests {

using namespace perdure::shm;

namespace {

using words = std::vector<std::uint64_t>;

/// One index, level by level along the right links.
class tree_walk {
  public:
    tree_walk(region& where, const index_shape& in) : where_(where), in_(in) {}

    std::vector<std::string> faults;
    std::vector<std::uint64_t> nodes;
    std::vector<words> keys;  ///< Of the leaves, in their order.

    void run() {
        std::vector<std::uint64_t> level{0};
        for (auto height = at(0).level();; --height) {
            std::vector<std::uint64_t> below;
            for (std::size_t i = 0; i < level.size(); ++i) {
                const std::uint64_t right = i + 1 < level.size() ? level[i + 1] : 0;
                visit(level[i], height, right, below);
            }
            if (height == 0 || !faults.empty()) return;
            level = std::move(below);
        }
    }

  private:
    [[nodiscard]] seen_node at(std::uint64_t number) const {
        const auto place = locate(where_, in_.nodes, number);
        static const tree_node none{};
        return {place == 0 ? &none : where_.at<tree_node>(place), in_.words};
    }
    [[nodiscard]] words key_at(const std::uint64_t* from) const { return {from, from + in_.words}; }
    void fault(std::uint64_t number, const char* what) {
        faults.push_back("nodes table " + std::to_string(in_.nodes) + ", node " +
                         std::to_string(number) + ": " + what);
    }

    void visit(std::uint64_t number, std::uint32_t height, std::uint64_t right,
               std::vector<std::uint64_t>& below) {
        const auto node = at(number);
        nodes.push_back(number);
        if (!node.is_used(number)) fault(number, "not used, and in the tree");
        if (node.level() != height) fault(number, "its level");
        if (node.node->count > entries_max(in_.words, height)) fault(number, "its count");
        if (node.node->right != right) fault(number, "N4: its right link");
        if (key_at(node.low()) != low_) fault(number, "N4: its low bound");
        const words high = right == 0 ? words() : key_at(node.high());
        words last;
        for (std::uint32_t i = 0; i < node.count(); ++i) {
            const auto key = key_at(node.entry(i));
            if (i > 0 && key <= last) fault(number, "N1: its entries do not ascend");
            if (key < low_ || (right != 0 && key >= high)) fault(number, "N2: an entry outside");
            last = key;
            if (height == 0) {
                keys.push_back(key);
                continue;
            }
            if (i == 0 && key != low_) fault(number, "N3: its first entry");
            const auto child = at(node.child(i));
            if (key_at(child.low()) != key) fault(number, "N5: a child's low bound");
            below.push_back(node.child(i));
        }
        if (height != 0 && node.count() == 0) fault(number, "an inner node without a child");
        low_ = right == 0 ? words(in_.words) : high;
    }

    region& where_;
    const index_shape& in_;
    words low_ = words(in_.words);
};

}  // namespace

std::vector<std::uint64_t> nodes_of(region& where, const index_shape& in) {
    tree_walk walk(where, in);
    walk.run();
    return walk.nodes;
}

void audit_trees(region& where, std::vector<std::string>& faults) {
    for (const auto& table : tables_in(where)) {
        for (const auto& index : table.shape.indexes) {
            tree_walk walk(where, index);
            walk.run();
            faults.insert(faults.end(), walk.faults.begin(), walk.faults.end());
            std::set<words> expected;
            for_each_row(where, table.number, [&](std::uint64_t row, const std::uint64_t* place) {
                if (reinterpret_cast<const row_header*>(place)->live != 1) return;
                const auto key = key_of_row(index, reinterpret_cast<const std::byte*>(place), row);
                expected.emplace(key.words.begin(), key.words.begin() + index.words);
            });
            if (!std::equal(expected.begin(), expected.end(), walk.keys.begin(), walk.keys.end())) {
                faults.push_back("table " + std::to_string(table.number) +
                                 ": an ordered index does not hold just its live rows");
            }
        }
    }
}

}  // namespace perdure::tests

// SPDX-License-Identifier: Apache-2.0
#include <perdure/shm/crash_point.hpp>
#include <perdure/shm/tree_index.hpp>

namespace perdure::shm {
namespace {

constexpr int descents_max = 64;
constexpr int steps_max =
    64;  // Nodes a descent may meet: levels, and neighbours of a split's time.

/// The node as this source sees it, in place unless the transaction has its own copy; nullptr when
/// there is none of that number.
template <row_source Source>
const tree_node* place_of(Source& source, std::uint32_t nodes, std::uint64_t number) noexcept {
    const std::uint64_t at = source.locate(nodes, number);
    if (at == 0) return nullptr;
    if constexpr (std::same_as<Source, transaction>) {
        if (const auto* copy = source.edited(at)) return reinterpret_cast<const tree_node*>(copy);
    }
    return source.where().template at<tree_node>(at);
}

/// A leaf is read from one end to the other, for a scan as for an edit: all its lines are fetched
/// together.
template <row_source Source>
void fetch_node(Source& source, std::uint32_t nodes, std::uint64_t number) noexcept {
    const auto& where = source.where();
    const auto* first = where.template at<std::byte>(source.locate(nodes, number));
    for (std::size_t line = 0; line < sizeof(tree_node); line += cache_line) {
        __builtin_prefetch(first + line);
    }
    __builtin_prefetch(&where.stripe(stripe_of(nodes, number)), 1);
}

/// Number of the node of that level that looks responsible for the key: a hint, read in place.
template <row_source Source>
result<std::uint64_t> descend(Source& source, const index_shape& in, const index_key& key,
                              std::uint32_t level) noexcept {
    for (int turn = 0; turn < descents_max; ++turn) {
        std::uint64_t number = 0;
        for (int steps = 0; steps < steps_max; ++steps) {
            const auto* place = place_of(source, in.nodes, number);
            if (place == nullptr) break;  // Torn: what led here is being rewritten.
            const seen_node seen{place, in.words};
            const std::uint32_t here = seen.level();
            if (!seen.is_used(number) || here < level) break;
            if (seen.is_left_of(key)) {
                number = peek(place->right);
                continue;
            }
            if (here == level) return number;
            number = seen.child(seen.child_for(key));
            if (here == 1) fetch_node(source, in.nodes, number);
        }
        source.where().waits().pause();
    }
    return errc::conflict;
}

/// A node being edited.
struct held_node {
    std::uint64_t number;
    edited_node node;
};

result<edited_node> edit_node(transaction& tx, const index_shape& in,
                              std::uint64_t number) noexcept {
    const std::uint64_t at = tx.locate(in.nodes, number);
    if (at == 0) return errc::garbled;
    auto* copy = PERDURE_TRY(tx.edit_words(at, sizeof(tree_node), stripe_of(in.nodes, number)));
    return edited_node{reinterpret_cast<tree_node*>(copy), in.words};
}

/// The node of that level that is responsible for the key, under its stripe.
result<held_node> edit_covering(transaction& tx, const index_shape& in, const index_key& key,
                                std::uint32_t level) noexcept {
    for (int turn = 0; turn < descents_max; ++turn) {
        const auto number = descend(tx, in, key, level);
        if (!number) return tx.lost_row();
        const auto node = PERDURE_TRY(edit_node(tx, in, *number));
        if (node.is_used(*number) && node.level() == level && node.covers(key)) {
            return held_node{*number, node};
        }
    }
    return tx.lost_row();
}

result<held_node> take_node(transaction& tx, const index_shape& in, std::uint32_t level) noexcept {
    auto* d = load(tx.where().descriptor(in.nodes).free_head) == 0
                  ? nullptr
                  : PERDURE_TRY(edit_descriptor(tx, in.nodes));
    const bool is_freed = d != nullptr && d->free_head != 0;
    const std::uint64_t number =
        is_freed ? d->free_head - 1 : PERDURE_TRY(take_fresh(tx, in.nodes));
    auto node = PERDURE_TRY(edit_node(tx, in, number));
    if (is_freed) d->free_head = node.node->free_link;
    *node.node = {};
    node.node->state = static_cast<std::uint32_t>(node_state::used);
    node.node->level = static_cast<std::uint16_t>(level);
    return held_node{number, node};
}

result<> free_node(transaction& tx, const index_shape& in, const held_node& freed) noexcept {
    auto* d = PERDURE_TRY(edit_descriptor(tx, in.nodes));
    *freed.node.node = {};
    freed.node.node->state = static_cast<std::uint32_t>(node_state::freed);
    freed.node.node->free_link = d->free_head;
    d->free_head = freed.number + 1;
    return {};
}

void copy_key(std::uint64_t* target, const std::uint64_t* source, std::uint32_t words) noexcept {
    std::copy_n(source, words, target);
}

/// Moves the entries from `from` on one place up or down.
void shift(const edited_node& node, std::uint32_t from, int places) noexcept {
    const std::uint32_t stride = entry_words(node.words, node.level());
    auto* first = node.entry(from);
    const std::size_t count = (node.node->count - from) * stride;
    std::memmove(first + places * static_cast<int>(stride), first, count * sizeof(std::uint64_t));
    node.node->count = static_cast<std::uint16_t>(node.node->count + places);
}

void put_entry(const edited_node& node, std::uint32_t at, const index_key& key,
               std::uint64_t child) noexcept {
    shift(node, at, 1);
    copy_key(node.entry(at), key.words.data(), node.words);
    if (node.level() != 0) node.entry(at)[node.words] = child;
}

/// The root's content goes to a child of its own, and the root is one level higher.
result<> push_down_root(transaction& tx, const index_shape& in, const edited_node& root) noexcept {
    const auto child = PERDURE_TRY(take_node(tx, in, root.level()));
    child.node.node->count = root.node->count;
    child.node.node->words = root.node->words;
    root.node->state = static_cast<std::uint32_t>(node_state::used);
    root.node->level = static_cast<std::uint16_t>(root.node->level + 1);
    root.node->count = 1;
    root.node->words = {};
    root.entry(0)[in.words] = child.number;
    return {};
}

/// Puts the upper half of a full node into a new right neighbour. Where keys arrive in ascending
/// order nothing is moved: such nodes stay full.
result<held_node> split(transaction& tx, const index_shape& in, const edited_node& left,
                        const index_key& key) noexcept {
    const auto right = PERDURE_TRY(take_node(tx, in, left.level()));
    const std::uint32_t count = left.count();
    const bool is_last = left.node->right == 0 && left.first_from(key) == count;
    const std::uint32_t kept = is_last ? count : count / 2;
    const std::uint32_t stride = entry_words(in.words, left.level());
    std::copy_n(left.entry(kept), (count - kept) * stride, right.node.entry(0));
    right.node.node->count = static_cast<std::uint16_t>(count - kept);
    left.node->count = static_cast<std::uint16_t>(kept);
    copy_key(right.node.low(), is_last ? key.words.data() : right.node.entry(0), in.words);
    copy_key(right.node.high(), left.high(), in.words);
    copy_key(left.high(), right.node.low(), in.words);
    right.node.node->right = left.node->right;
    left.node->right = right.number;
    return right;
}

index_key low_of(const edited_node& node) noexcept {
    index_key key;
    copy_key(key.words.data(), node.low(), node.words);
    return key;
}

/// The root takes its only child's place, as long as it has only one.
result<> shrink_root(transaction& tx, const index_shape& in, const edited_node& root) noexcept {
    while (root.level() != 0 && root.count() == 1) {
        const std::uint64_t number = root.child(0);
        const held_node child{number, PERDURE_TRY(edit_node(tx, in, number))};
        if (child.node.level() + 1 != root.level()) return errc::garbled;
        root.node->level = child.node.node->level;
        root.node->count = child.node.node->count;
        root.node->words = child.node.node->words;
        PERDURE_TRY(free_node(tx, in, child));
    }
    return {};
}

constexpr std::uint32_t few(std::uint32_t most) noexcept { return most / 4; }
constexpr std::uint32_t many(std::uint32_t most) noexcept { return most / 4 * 3; }

/// Two neighbours under one parent become one, if they fit. False when they do not.
result<bool> merge(transaction& tx, const index_shape& in, const held_node& node,
                   const edited_node& parent) noexcept {
    const std::uint32_t at = parent.child_for(low_of(node.node));
    if (parent.child(at) != node.number) return errc::garbled;  // N5
    if (parent.count() == 1) return false;
    const std::uint32_t right_at = at + 1 < parent.count() ? at + 1 : at;
    const std::uint64_t other = parent.child(right_at == at ? at - 1 : right_at);
    const held_node sibling{other, PERDURE_TRY(edit_node(tx, in, other))};
    const held_node& left = right_at == at ? sibling : node;
    const held_node& right = right_at == at ? node : sibling;
    const bool are_neighbours =
        left.node.node->right == right.number && left.node.level() == right.node.level();
    if (!are_neighbours) return errc::garbled;  // N4
    const std::uint32_t together = left.node.count() + right.node.count();
    if (together > many(entries_max(in.words, left.node.level()))) return false;
    std::copy_n(right.node.entry(0), right.node.count() * entry_words(in.words, right.node.level()),
                left.node.entry(left.node.count()));
    left.node.node->count = static_cast<std::uint16_t>(together);
    left.node.node->right = right.node.node->right;
    copy_key(left.node.high(), right.node.high(), in.words);
    PERDURE_TRY(free_node(tx, in, right));
    shift(parent, right_at + 1, -1);
    return true;
}

}  // namespace

result<tree> find_tree(region& where, std::uint32_t table,
                       std::initializer_list<std::string_view> fields) {
    const auto known = PERDURE_TRY(read_schema(where, table));
    ordered_index wanted;
    for (const auto name : fields) wanted.push_back(PERDURE_TRY(known.field_named(name)));
    for (std::size_t i = 0; i < known.indexes.size(); ++i) {
        if (known.indexes[i] != wanted) continue;
        return tree{table, PERDURE_TRY(read_shape(where, table)).indexes[i]};
    }
    return errc::not_found;
}

void fetch_leaf(transaction& tx, const index_shape& in, const index_key& key) noexcept {
    std::uint64_t number = 0;
    for (int steps = 0; steps < steps_max; ++steps) {
        const auto* place = place_of(tx, in.nodes, number);
        if (place == nullptr) return;
        const seen_node seen{place, in.words};
        const std::uint32_t here = seen.level();
        if (!seen.is_used(number) || here == 0) return;
        const bool is_right_of_it = seen.is_left_of(key);
        number = is_right_of_it ? peek(place->right) : seen.child(seen.child_for(key));
        if (here == 1 && !is_right_of_it) return fetch_node(tx, in.nodes, number);
    }
}

result<> insert_entry(transaction& tx, const index_shape& in, const index_key& key) noexcept {
    index_key entering = key;
    std::uint64_t child = 0;
    for (std::uint32_t level = 0;;) {  // A level up a turn, but for the root's.
        const auto place = PERDURE_TRY(edit_covering(tx, in, entering, level));
        if (!place.node.is_full()) {
            const auto at = place.node.first_from(entering);
            const bool is_there =
                at < place.node.count() &&
                compare(place.node.entry(at), entering.words.data(), in.words) == 0;
            if (is_there) return errc::garbled;
            put_entry(place.node, at, entering, child);
            return {};
        }
        if (place.number == 0) {
            PERDURE_TRY(push_down_root(tx, in, place.node));
            continue;
        }
        const auto right = PERDURE_TRY(split(tx, in, place.node, entering));
        const bool goes_right = right.node.covers(entering);
        const auto& side = goes_right ? right.node : place.node;
        put_entry(side, side.first_from(entering), entering, child);
        entering = low_of(right.node);
        child = right.number;
        ++level;
    }
}

result<> erase_entry(transaction& tx, const index_shape& in, const index_key& key) noexcept {
    auto place = PERDURE_TRY(edit_covering(tx, in, key, 0));
    const auto at = place.node.first_from(key);
    const bool is_there =
        at < place.node.count() && compare(place.node.entry(at), key.words.data(), in.words) == 0;
    if (!is_there) return errc::garbled;
    shift(place.node, at + 1, -1);
    for (std::uint32_t level = 0; place.number != 0; ++level) {
        if (place.node.count() >= few(entries_max(in.words, level))) return {};
        const auto parent = PERDURE_TRY(edit_covering(tx, in, low_of(place.node), level + 1));
        if (!PERDURE_TRY(merge(tx, in, place, parent.node))) return {};
        place = parent;
    }
    return shrink_root(tx, in, place.node);
}

template <row_source Source>
result<> scan<Source>::load_leaf(std::uint64_t hint, const index_key& key) noexcept {
    const auto nodes = tree_->shape.nodes;
    for (int turn = 0; turn < descents_max; ++turn) {
        // The root is a leaf only while it is alone, and the descent says so.
        if (hint == 0) hint = PERDURE_TRY(descend(*source_, tree_->shape, key, 0));
        const std::uint64_t at = source_->locate(nodes, hint);
        if (at != 0) {
            if (planted(bug::leaf_not_noted)) {
                copy_out(&leaf_, source_->where().template at<tree_node>(at), sizeof leaf_);
            } else {
                PERDURE_TRY(source_->get_words(at, sizeof leaf_, stripe_of(nodes, hint), &leaf_));
            }
            const seen_node seen{&leaf_, tree_->shape.words};
            if (seen.is_used(hint) && seen.level() == 0 && seen.covers(key)) return {};
        }
        hint = 0;
    }
    return errc::conflict;
}

template <row_source Source>
void scan<Source>::prefetch_rows() noexcept {
    const seen_node seen{&leaf_, tree_->shape.words};
    for (std::uint32_t i = at_; way_ == direction::ascending && i < seen.count(); ++i) {
        if (compare(seen.entry(i), to_.words.data(), seen.words) > 0) return;
        const std::uint64_t row = seen.entry(i)[seen.words - 1];
        __builtin_prefetch(
            source_->where().template at<std::byte>(source_->locate(tree_->table, row)));
        __builtin_prefetch(&source_->where().stripe(stripe_of(tree_->table, row)));
    }
}

template <row_source Source>
result<> scan<Source>::begin() noexcept {
    if constexpr (std::same_as<Source, transaction>) PERDURE_TRY(source_->settle());
    const bool up = way_ == direction::ascending;
    PERDURE_TRY(load_leaf(0, up ? from_ : to_));
    const seen_node seen{&leaf_, tree_->shape.words};
    at_ = seen.first_from(up ? from_ : to_);
    const bool meets =
        !up && at_ < seen.count() && compare(seen.entry(at_), to_.words.data(), seen.words) == 0;
    if (meets) ++at_;
    begun_ = true;
    prefetch_rows();
    return {};
}

/// Moves to the neighbouring leaf; false when there is none.
template <row_source Source>
result<bool> scan<Source>::step() noexcept {
    const seen_node seen{&leaf_, tree_->shape.words};
    index_key bound;
    if (way_ == direction::ascending) {
        if (leaf_.right == 0) return false;
        std::copy_n(seen.high(), seen.words, bound.words.begin());
        PERDURE_TRY(load_leaf(leaf_.right, bound));
        at_ = 0;
        prefetch_rows();
        return true;
    }
    std::copy_n(seen.low(), seen.words, bound.words.begin());
    if (bound == index_key{}) return false;
    for (std::uint32_t i = seen.words; i-- > 0;) {  // The key before the low bound.
        if (bound.words[i]-- != 0) break;
    }
    PERDURE_TRY(load_leaf(0, bound));
    at_ = seen.count();
    return true;
}

template <row_source Source>
result<bool> scan<Source>::next() noexcept {
    if (ended_) return false;
    if (!begun_) PERDURE_TRY(begin());
    const seen_node seen{&leaf_, tree_->shape.words};
    const bool up = way_ == direction::ascending;
    while (up ? at_ >= seen.count() : at_ == 0) {
        if (PERDURE_TRY(step())) continue;
        ended_ = true;
        return false;
    }
    const auto* entry = seen.entry(up ? at_++ : --at_);
    std::copy_n(entry, seen.words, key_.words.begin());
    const auto& end = up ? to_ : from_;
    const int past = compare(entry, end.words.data(), seen.words);
    ended_ = up ? past > 0 : past < 0;
    return !ended_;
}

template class scan<transaction>;
template class scan<view>;

}  // namespace perdure::shm

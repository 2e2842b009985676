// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <perdure/shm/tree_index.hpp>
#include <perdure/tests/crash/tree_primitives.hpp>
#include <perdure/tests/shm/ranks.hpp>
#include <stdexcept>

namespace perdure::tests {

using namespace perdure::shm;

namespace {

// Keys of five words: a leaf takes 23 entries, an inner node 19, so that trees are high early.
constexpr std::uint32_t leaf_most = 23;
constexpr std::uint32_t inner_most = 19;
static_assert(entries_max(5, 0) == leaf_most && entries_max(5, 1) == inner_most);

void must(bool held, const char* what) {
    if (!held) throw std::runtime_error(what);
}

/// Digits that ascend with the place.
std::array<char, 24> name_at(std::uint64_t place) noexcept {
    std::array<char, 24> out{};
    for (std::size_t i = 12; i-- > 0; place /= 10) out[i] = static_cast<char>('0' + place % 10);
    return out;
}

result<std::uint64_t> add_at(transaction& tx, std::uint32_t table, std::uint64_t place) {
    const auto taken = PERDURE_TRY(take_row(tx, table));
    reinterpret_cast<rank_row*>(taken.copy)->name = name_at(place);
    return taken.row;
}

/// Rows at places 0, 10, 20, ...: row i has place 10 * i, and all leaves but the last are full.
void lay(session& first, std::uint64_t rows) {
    auto shape = rank_schema();
    shape.indexes = {{3, 1}};
    std::uint32_t table = 0;
    const auto made = first.write([&](transaction& tx) -> result<> {
        table = PERDURE_TRY(create_table(tx, shape));
        return {};
    });
    must(made.has_value(), "a table of ranks");
    const auto nodes = read_shape(first.where(), table).value().indexes.front().nodes;
    for (std::uint64_t i = 0; i < rows; ++i) {
        const auto added = first.write([&](transaction& tx) -> result<> {
            PERDURE_TRY(add_at(tx, table, 10 * i));
            return {};
        });
        must(added.has_value(), "a rank");
    }
    // A primitive is one transaction: it must not have to ask for rows or nodes first.
    const auto soon = deadline::in(std::chrono::seconds(5));
    must(first.provide(table, 4, soon).has_value(), "rows");
    must(first.provide(nodes, 4, soon).has_value(), "nodes");
}

void remove(session& first, std::uint64_t from, std::uint64_t to) {
    const auto table = find_table(first.where(), "ranks").value();
    for (std::uint64_t row = from; row < to; ++row) {
        const auto freed = first.write([&](transaction& tx) { return free_row(tx, table, row); });
        must(freed.has_value(), "a rank removed");
    }
}

void some(session& first, const bank&) { lay(first, 12); }
void full_root(session& first, const bank&) { lay(first, leaf_most); }
void full_leaves(session& first, const bank&) { lay(first, 4 * leaf_most); }
void full_inner(session& first, const bank&) { lay(first, inner_most * leaf_most); }
void two_levels(session& first, const bank&) { lay(first, (inner_most + 3) * leaf_most); }

/// Two leaves that will be one after one row more has gone.
void thin_pair(session& first, const bank&) {
    lay(first, 2 * leaf_most);
    remove(first, 5, leaf_most);
    remove(first, leaf_most + 8, 2 * leaf_most);
}

/// The same in the middle of five leaves.
void thin_middle(session& first, const bank&) {
    lay(first, 5 * leaf_most);
    remove(first, leaf_most + 5, 2 * leaf_most);
    remove(first, 2 * leaf_most + 8, 3 * leaf_most);
}

template <class Work>
void commit(actor& by, Work&& work) {
    const auto table = find_table(by.where, "ranks").value();
    must(work(*by.tx, table).has_value(), "a primitive's closure was refused");
    must(by.tx->commit().has_value(), "a primitive's commit was refused");
}

void enter_at(actor& by, std::uint64_t place) {
    commit(by, [&](transaction& tx, std::uint32_t table) -> result<> {
        PERDURE_TRY(add_at(tx, table, place));
        return {};
    });
}

void enter(actor& by) { enter_at(by, 15 + by.round % 80); }
void enter_last(actor& by) { enter_at(by, 1'000'000); }

void remove_row(actor& by) {
    commit(by, [&](transaction& tx, std::uint32_t table) { return free_row(tx, table, 3); });
}

void remove_from_middle(actor& by) {
    commit(by, [&](transaction& tx, std::uint32_t table) {
        return free_row(tx, table, leaf_most + 3);
    });
}

void move_far(actor& by) {
    commit(by, [&](transaction& tx, std::uint32_t table) -> result<> {
        PERDURE_TRY(tx.edit<rank_row>(table, 3 + by.round % 5))->name = name_at(805);
        return {};
    });
}

void scan_and_change(actor& by) {
    commit(by, [&](transaction& tx, std::uint32_t table) -> result<> {
        const auto row = PERDURE_TRY(add_at(tx, table, 33));
        const auto by_name = PERDURE_TRY(find_tree(by.where, table, {"name", "group"}));
        scan<transaction> walk(tx, by_name, key_prefix().lowest(), key_prefix().highest());
        while (PERDURE_TRY(walk.next())) continue;
        PERDURE_TRY(tx.edit<rank_row>(table, row))->name = name_at(44);
        return {};
    });
}

void give_up_after_scan(actor& by) {
    const auto table = find_table(by.where, "ranks").value();
    must(add_at(*by.tx, table, 33).has_value(), "a rank");
    must(by.tx->settle().has_value(), "settle");
    by.tx->roll_back();
}

constexpr primitive all[] = {
    {"entering a row's key", some, enter},
    {"removing a row's key", some, remove_row},
    {"moving a key to another leaf", full_leaves, move_far},
    {"first split of a tree", full_root, enter},
    {"split of a leaf", full_leaves, enter},
    {"split at the right end", full_leaves, enter_last},
    {"split of the inner root", full_inner, enter},
    {"split on the second level", two_levels, enter},
    {"merge into the root", thin_pair, remove_row},
    {"merge of two leaves", thin_middle, remove_from_middle},
    {"scan of what is not committed", some, scan_and_change},
    {"roll back of an entered key", some, give_up_after_scan},
};

}  // namespace

std::span<const primitive> tree_primitives() { return all; }

}  // namespace perdure::tests

// SPDX-License-Identifier: Apache-2.0
#include <perdure/tests/shm/ranks.hpp>
#include <stdexcept>

namespace perdure::tests {

using namespace perdure::shm;

schema rank_schema(const std::string& name) {
    schema made;
    made.name = name;
    made.row_bytes = sizeof(rank_row);
    made.fields = {{"score", field_type::i64, offsetof(rank_row, score), 8, 0, 0},
                   {"group", field_type::u32, offsetof(rank_row, group), 4, 0, 0},
                   {"mark", field_type::u32, offsetof(rank_row, mark), 4, 0, 0},
                   {"name", field_type::text, offsetof(rank_row, name), 24, 0, 0}};
    made.indexes = {{1, 0}, {0}, {3, 1}};
    return made;
}

ranks ranks::make(session& self) {
    const auto paid = self.write([&](transaction& tx) -> result<> {
        PERDURE_TRY(create_table(tx, rank_schema()));
        return {};
    });
    if (!paid) throw std::runtime_error("ranks: " + std::string(perdure::name(paid.error())));
    return find(self.where());
}

ranks ranks::find(region& where) {
    ranks made;
    made.table = find_table(where, "ranks").value();
    made.by_group = find_tree(where, made.table, {"group", "score"}).value();
    made.by_score = find_tree(where, made.table, {"score"}).value();
    made.by_name = find_tree(where, made.table, {"name", "group"}).value();
    return made;
}

std::array<char, 24> name_of(std::int64_t score) noexcept {
    std::array<char, 24> out{};
    // The low digits first, so that names and scores have different orders.
    auto rest = static_cast<std::uint64_t>(score);
    for (std::size_t i = 0; i < 20; ++i, rest /= 10) {
        out[i] = static_cast<char>('0' + rest % 10);
    }
    return out;
}

result<std::uint64_t> add_rank(transaction& tx, const ranks& in, std::uint32_t group,
                               std::int64_t score) {
    const auto taken = PERDURE_TRY(take_row(tx, in.table));
    auto* row = reinterpret_cast<rank_row*>(taken.copy);
    row->group = group;
    row->score = score;
    row->name = name_of(score);
    return taken.row;
}

}  // namespace perdure::tests

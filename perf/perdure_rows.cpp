// SPDX-License-Identifier: Apache-2.0
//
// Rows in a table of their own: hash index on the key, B+tree on the score. A keeper drains to the
// disk meanwhile.
#include "kept_world.hpp"
#include "rows.hpp"

#include <optional>
#include <perdure/shm/tree_index.hpp>

namespace perdure::perf {
namespace {

struct stored_row {
    shm::row_header header;
    shm::row_key key;
    std::uint64_t score;
    std::uint64_t payload[5];
};
static_assert(shm::mapped<stored_row> && sizeof(stored_row) == 80);

shm::schema schema_of(bool ordered) {
    shm::schema made;
    made.name = "ranked";
    made.row_bytes = sizeof(stored_row);
    made.key_at = offsetof(stored_row, key);
    made.fields = {
        {"key", shm::field_type::bytes, offsetof(stored_row, key), 16, 0, 0},
        {"score", shm::field_type::u64, offsetof(stored_row, score), 8, 0, 0},
        {"payload", shm::field_type::bytes, offsetof(stored_row, payload), 40, 0, 0},
    };
    if (ordered) made.indexes = {{1}};
    return made;
}

class perdure_rows final : public row_store {
  public:
    ~perdure_rows() override {
        session_.reset();
        world_.reset();
        keeper_.reset();
    }

    void create(const store_plan& plan, bool ordered) override {
        const std::string directory = std::string(plan.disk_directory) + "/rows";
        world::create(directory);
        keeper_.emplace(world::open(directory, options_for(plan)));
        world_.emplace(world::open(directory, options_for(plan)));
        session_.emplace(world_->join());
        must(session_->write([&](tx& by) -> result<> {
            table_ = PERDURE_TRY(shm::create_table(by, schema_of(ordered)));
            return {};
        }),
             "make the table");
        if (ordered) by_score_ = shm::find_tree(world_->region(), table_, {"score"}).value();
    }

    void insert(std::span<const ranked_row> rows) override {
        must(session_->write(
                 [&](tx& by) -> result<> {
                     for (const ranked_row& row : rows) {
                         const shm::row_key key{row.key.high, row.key.low};
                         const auto taken = PERDURE_TRY(shm::insert_key(by, table_, key));
                         auto* copy = reinterpret_cast<stored_row*>(taken.copy);
                         copy->score = row.score;
                         std::copy(std::begin(row.payload), std::end(row.payload), copy->payload);
                     }
                     return {};
                 },
                 shm::deadline::never()),
             "insert");
    }

    std::uint64_t scan(std::uint64_t from, std::size_t count) override {
        const auto sum = session_->read([&](view& in) -> result<std::uint64_t> {
            shm::scan<view> walk(in, by_score_, shm::key_prefix().add(from).lowest(),
                                 shm::key_prefix().highest());
            std::uint64_t added = 0;
            for (std::size_t i = 0; i < count && PERDURE_TRY(walk.next()); ++i) {
                added += PERDURE_TRY(in.get<stored_row>(table_, walk.row())).payload[0];
            }
            return added;
        });
        must(sum, "scan");
        return *sum;
    }

    journal_state journal() override { return keeper_->journal(); }

  private:
    std::optional<kept_world> keeper_;
    std::optional<world> world_;
    std::optional<session> session_;
    std::uint32_t table_ = 0;
    shm::tree by_score_;
};

}  // namespace

std::unique_ptr<row_store> make_perdure_rows() { return std::make_unique<perdure_rows>(); }

}  // namespace perdure::perf

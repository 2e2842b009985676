// SPDX-License-Identifier: Apache-2.0
//
// Choices made in LMDB's favour: MDB_NOSYNC | MDB_WRITEMAP on tmpfs, blocks allocated beforehand;
// the order is a table of 24-byte keys {score, key} without values, big-endian so that memcmp
// orders them; one cursor a table for a whole batch. It keeps no journal here.
#include "../rows.hpp"

#include <fcntl.h>
#include <lmdb.h>
#include <array>
#include <cstring>
#include <filesystem>

namespace perdure::perf {
namespace {

void check(int rc, const char* what) {
    if (rc != 0) throw engine_failure(std::string("lmdb: ") + what + ": " + mdb_strerror(rc));
}

struct order_key {
    std::uint64_t score;  ///< Big-endian.
    account_key key;
};
static_assert(sizeof(order_key) == 24);

class lmdb_rows final : public row_store {
  public:
    ~lmdb_rows() override {
        if (reader_ != nullptr) mdb_txn_abort(reader_);
        if (env_ != nullptr) mdb_env_close(env_);
    }

    void create(const store_plan& plan, bool ordered) override {
        ordered_ = ordered;
        const std::string directory = std::string(plan.memory_directory) + "/lmdb_rows";
        std::filesystem::create_directories(directory);
        check(mdb_env_create(&env_), "create the environment");
        check(mdb_env_set_mapsize(env_, plan.store_bytes), "map size");
        check(mdb_env_set_maxdbs(env_, 2), "tables");
        check(mdb_env_open(env_, directory.c_str(), MDB_NOSYNC | MDB_WRITEMAP, 0600), "open");
        int descriptor = -1;
        check(mdb_env_get_fd(env_, &descriptor), "descriptor");
        check(posix_fallocate(descriptor, 0, static_cast<off_t>(plan.store_bytes)), "space");
        MDB_txn* txn = nullptr;
        check(mdb_txn_begin(env_, nullptr, 0, &txn), "begin");
        check(mdb_dbi_open(txn, "rows", MDB_CREATE, &rows_), "rows");
        check(mdb_dbi_open(txn, "order", MDB_CREATE, &order_), "order");
        check(mdb_txn_commit(txn), "commit");
    }

    void insert(std::span<const ranked_row> rows) override {
        MDB_txn* txn = nullptr;
        check(mdb_txn_begin(env_, nullptr, 0, &txn), "begin");
        MDB_cursor* into = nullptr;
        MDB_cursor* by_score = nullptr;
        check(mdb_cursor_open(txn, rows_, &into), "cursor");
        check(mdb_cursor_open(txn, order_, &by_score), "cursor");
        for (const ranked_row& row : rows) {
            ranked_row copy = row;
            MDB_val key{sizeof copy.key, &copy.key};
            MDB_val value{sizeof copy, &copy};
            check(mdb_cursor_put(into, &key, &value, MDB_NOOVERWRITE), "insert a row");
            if (!ordered_) continue;
            order_key place{__builtin_bswap64(row.score), row.key};
            MDB_val name{sizeof place, &place};
            MDB_val nothing{0, nullptr};
            check(mdb_cursor_put(by_score, &name, &nothing, MDB_NOOVERWRITE), "order a row");
        }
        mdb_cursor_close(into);
        mdb_cursor_close(by_score);
        check(mdb_txn_commit(txn), "commit");
    }

    std::uint64_t scan(std::uint64_t from, std::size_t count) override {
        if (reader_ == nullptr) {
            check(mdb_txn_begin(env_, nullptr, MDB_RDONLY, &reader_), "begin reading");
        } else {
            check(mdb_txn_renew(reader_), "renew");
        }
        MDB_cursor* walk = nullptr;
        check(mdb_cursor_open(reader_, order_, &walk), "cursor");
        order_key place{__builtin_bswap64(from), {}};
        MDB_val name{sizeof place, &place};
        MDB_val value;
        std::uint64_t sum = 0;
        int rc = mdb_cursor_get(walk, &name, &value, MDB_SET_RANGE);
        for (std::size_t i = 0; rc == 0 && i < count; ++i) {
            order_key here;
            std::memcpy(&here, name.mv_data, sizeof here);
            MDB_val key{sizeof here.key, &here.key};
            check(mdb_get(reader_, rows_, &key, &value), "read a row");
            ranked_row row;
            std::memcpy(&row, value.mv_data, sizeof row);
            sum += row.payload[0];
            rc = mdb_cursor_get(walk, &name, &value, MDB_NEXT);
        }
        mdb_cursor_close(walk);
        mdb_txn_reset(reader_);
        return sum;
    }

  private:
    bool ordered_ = false;
    MDB_env* env_ = nullptr;
    MDB_txn* reader_ = nullptr;
    MDB_dbi rows_ = 0;
    MDB_dbi order_ = 0;
};

}  // namespace

std::unique_ptr<row_store> make_lmdb_rows() { return std::make_unique<lmdb_rows>(); }

}  // namespace perdure::perf

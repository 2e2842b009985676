// SPDX-License-Identifier: Apache-2.0
//
// Choices made in LMDB's favour:
// * applied: MDB_NOSYNC | MDB_WRITEMAP with the map on tmpfs, its blocks allocated beforehand;
// * durable: the default flags, on the disk (with MDB_WRITEMAP, which syncs by msync of the map, 16
//   waiting processes reached a third of it);
// * accounts are loaded in key order, so that pages are full and the tree is flat;
// * a cursor finds each row once and writes it back where it stands (MDB_CURRENT);
// * events overwrite each other in a ring of slots, numbered by the transaction itself: no counter
//   row is needed; deleting the oldest, one by one or a table at once, cost a tenth or more.
#include "lmdb.hpp"

#include "../harness.hpp"

#include <fcntl.h>
#include <lmdb.h>
#include <unistd.h>
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <vector>

namespace perdure::perf {
namespace {

/// A copy that reads keeps every page that was replaced since; then there may be no more.
class map_full : public engine_failure {
  public:
    map_full() : engine_failure("lmdb: the map is full") {}
};

void check(int rc, const char* what) {
    if (rc == MDB_MAP_FULL) throw map_full{};
    if (rc != 0) throw engine_failure(std::string("lmdb: ") + what + ": " + mdb_strerror(rc));
}

template <class T>
MDB_val bytes_of(T& object) noexcept {
    return {sizeof(T), &object};
}

/// Aborts unless committed, so that an exception leaves no writer lock behind.
class write_transaction {
  public:
    explicit write_transaction(MDB_env* env) {
        check(mdb_txn_begin(env, nullptr, 0, &txn_), "begin");
    }
    write_transaction(const write_transaction&) = delete;
    write_transaction& operator=(const write_transaction&) = delete;
    ~write_transaction() {
        if (txn_ != nullptr) mdb_txn_abort(txn_);
    }

    [[nodiscard]] MDB_txn* get() const noexcept { return txn_; }

    void commit() {
        MDB_txn* const txn = txn_;
        txn_ = nullptr;
        check(mdb_txn_commit(txn), "commit");
    }

  private:
    MDB_txn* txn_ = nullptr;
};

/// In a write transaction a cursor must be closed before the transaction ends.
class cursor {
  public:
    cursor(MDB_txn* txn, MDB_dbi table) { check(mdb_cursor_open(txn, table, &cursor_), "cursor"); }
    cursor(const cursor&) = delete;
    cursor& operator=(const cursor&) = delete;
    ~cursor() { mdb_cursor_close(cursor_); }

    [[nodiscard]] MDB_cursor* get() const noexcept { return cursor_; }

    account_row find(account_key& key) {
        MDB_val name = bytes_of(key);
        MDB_val value;
        check(mdb_cursor_get(cursor_, &name, &value, MDB_SET), "find an account");
        account_row row;
        std::memcpy(&row, value.mv_data, sizeof row);
        return row;
    }

    void replace(account_key& key, account_row& row) {
        MDB_val name = bytes_of(key);
        MDB_val value = bytes_of(row);
        check(mdb_cursor_put(cursor_, &name, &value, MDB_CURRENT), "write an account");
    }

  private:
    MDB_cursor* cursor_ = nullptr;
};

/// Reads a byte of each page of the file that this process maps. LMDB does not tell where that is.
void touch_mapping(const std::string& path) {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        if (!line.ends_with(path)) continue;
        std::uintptr_t first = 0;
        std::uintptr_t last = 0;
        char dash = 0;
        std::istringstream range(line);
        range >> std::hex >> first >> dash >> last;
        const auto length =
            std::min<std::uintptr_t>(last - first, std::filesystem::file_size(path));
        for (std::uintptr_t at = first; at < first + length; at += 4096) {
            (void)*reinterpret_cast<const volatile char*>(at);
        }
    }
}

class lmdb final : public engine {
  public:
    ~lmdb() override { close(); }

    durability_level applied_level() const noexcept override { return durability_level::applied; }

    void create(const store_plan& plan) override {
        place(plan);
        std::filesystem::create_directories(directory_);
        open_environment(plan);
        if (const int rc = posix_fallocate(descriptor(), 0, static_cast<off_t>(plan.store_bytes))) {
            throw engine_failure("lmdb: no space in " + directory_ + ": " +
                                 std::generic_category().message(rc));
        }
        open_tables(MDB_CREATE);
        load(plan.accounts);
        check(mdb_env_sync(env_, 1), "sync after loading");
        close();
    }

    void destroy() noexcept override {
        close();
        std::error_code ignored;
        if (!directory_.empty()) std::filesystem::remove_all(directory_, ignored);
    }

    void open(const store_plan& plan) override {
        place(plan);
        open_environment(plan);
        open_tables(0);
    }

    void warm() override {
        touch_mapping(directory_ + "/data.mdb");
        (void)total();
    }

    bool pay(const payment& what) override {
        try {
            write_transaction txn(env_);
            apply(txn.get(), what, mdb_txn_id(txn.get()));
            txn.commit();
            return true;
        } catch (const map_full&) {
            return false;
        }
    }

    void pay_durably(std::span<const payment> what) override {
        write_transaction txn(env_);
        std::uint64_t sequence = mdb_txn_id(txn.get()) * what.size();
        for (const payment& one : what) apply(txn.get(), one, sequence++);
        txn.commit();
    }

    saved_copy save() override {
        const std::string into = std::string(copy_directory_) + "/lmdb-copy";
        std::filesystem::remove_all(into);
        std::filesystem::create_directories(into);
        saved_copy made{};
        made.begun_ns = nanoseconds_now();
        check(mdb_env_copy2(env_, into.c_str(), MDB_CP_COMPACT), "copy");
        const std::string file = into + "/data.mdb";
        const int copy = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
        if (copy < 0 || fsync(copy) != 0) throw engine_failure("lmdb: cannot sync " + file);
        ::close(copy);
        made.ended_ns = made.captured_ns = nanoseconds_now();
        made.rows = account_count_;
        made.row_bytes = account_count_ * (sizeof(account_key) + sizeof(account_row));
        made.file_bytes = std::filesystem::file_size(file);
        return made;
    }

    account_row read(std::uint64_t account) override {
        if (reader_ == nullptr) {
            check(mdb_txn_begin(env_, nullptr, MDB_RDONLY, &reader_), "begin reading");
        } else {
            check(mdb_txn_renew(reader_), "renew");
        }
        account_key key = key_of(account);
        MDB_val name = bytes_of(key);
        MDB_val value;
        check(mdb_get(reader_, accounts_, &name, &value), "read an account");
        account_row row;
        std::memcpy(&row, value.mv_data, sizeof row);
        mdb_txn_reset(reader_);
        return row;
    }

    void hold(std::uint64_t account, const std::function<void()>& while_held) override {
        write_transaction txn(env_);
        {
            cursor at(txn.get(), accounts_);
            account_key key = key_of(account);
            account_row row = at.find(key);
            ++row.changes;
            at.replace(key, row);
            while_held();
        }
        txn.commit();
    }

    std::int64_t total() override {
        write_transaction txn(env_);  // Alone in the store: nothing moves while it adds up.
        cursor at(txn.get(), accounts_);
        MDB_val name;
        MDB_val value;
        std::int64_t sum = 0;
        for (int rc = mdb_cursor_get(at.get(), &name, &value, MDB_FIRST); rc == 0;
             rc = mdb_cursor_get(at.get(), &name, &value, MDB_NEXT)) {
            account_row row;
            std::memcpy(&row, value.mv_data, sizeof row);
            sum += row.balance;
        }
        return sum;
    }

  private:
    void place(const store_plan& plan) {
        durable_ = plan.level == durability_level::durable;
        directory_ = std::string(durable_ ? plan.disk_directory : plan.memory_directory) + "/lmdb";
        copy_directory_ = plan.disk_directory;
        account_count_ = plan.accounts;
    }

    [[nodiscard]] int descriptor() const {
        int descriptor = -1;
        check(mdb_env_get_fd(env_, &descriptor), "descriptor");
        return descriptor;
    }

    void open_environment(const store_plan& plan) {
        check(mdb_env_create(&env_), "create the environment");
        check(mdb_env_set_mapsize(env_, plan.store_bytes), "map size");
        check(mdb_env_set_maxdbs(env_, 2), "tables");
        const unsigned flags = durable_ ? 0U : unsigned{MDB_NOSYNC | MDB_WRITEMAP};
        check(mdb_env_open(env_, directory_.c_str(), flags, 0600), "open the environment");
    }

    void open_tables(unsigned flags) {
        write_transaction txn(env_);
        check(mdb_dbi_open(txn.get(), "accounts", flags, &accounts_), "open accounts");
        check(mdb_dbi_open(txn.get(), "events", flags | MDB_INTEGERKEY, &events_), "open events");
        txn.commit();
    }

    void load(std::uint64_t accounts) {
        std::vector<account_key> keys(accounts);
        for (std::uint64_t i = 0; i < accounts; ++i) keys[i] = key_of(i);
        std::sort(keys.begin(), keys.end(), [](const account_key& a, const account_key& b) {
            return std::memcmp(&a, &b, sizeof a) < 0;
        });
        write_transaction txn(env_);
        {
            cursor at(txn.get(), accounts_);
            for (account_key& key : keys) {
                account_row row{opening_balance, 0, {}};
                MDB_val name = bytes_of(key);
                MDB_val value = bytes_of(row);
                check(mdb_cursor_put(at.get(), &name, &value, MDB_APPEND), "load");
            }
        }
        txn.commit();
    }

    void apply(MDB_txn* txn, const payment& what, std::uint64_t sequence) {
        account_key source = key_of(what.source);
        account_key target = key_of(what.target);
        cursor at_source(txn, accounts_);
        cursor at_target(txn, accounts_);
        account_row from = at_source.find(source);
        account_row into = at_target.find(target);
        if (from.balance < what.amount) throw engine_failure("lmdb: an account ran dry");
        from.balance -= what.amount;
        into.balance += what.amount;
        ++from.changes;
        ++into.changes;
        at_source.replace(source, from);
        at_target.replace(target, into);
        payment_event event{sequence, source, target, what.amount, {}};
        std::uint64_t slot = sequence % event_ring_length;
        MDB_val name = bytes_of(slot);
        MDB_val value = bytes_of(event);
        check(mdb_put(txn, events_, &name, &value, 0), "write an event");
    }

    void close() noexcept {
        if (reader_ != nullptr) mdb_txn_abort(reader_);
        if (env_ != nullptr) mdb_env_close(env_);
        reader_ = nullptr;
        env_ = nullptr;
    }

    std::string directory_;
    std::string copy_directory_;
    std::uint64_t account_count_ = 0;
    bool durable_ = false;
    MDB_env* env_ = nullptr;
    MDB_txn* reader_ = nullptr;
    MDB_dbi accounts_ = 0;
    MDB_dbi events_ = 0;
};

}  // namespace

std::unique_ptr<engine> make_lmdb() { return std::make_unique<lmdb>(); }

}  // namespace perdure::perf

// SPDX-License-Identifier: Apache-2.0
//
// Choices made in SQLite's favour:
// * WAL, 256 MiB of page cache, the file mapped, statements prepared once;
// * a table without rowids, so that a row is found in one descent; events overwrite each other;
// * applied: synchronous=OFF, which survives the death of processes; durable: FULL;
// * a copy is the backup interface in one step, by a connection of its own: it reads one state of
//   the WAL and never begins anew;
// * where the log is to grow long, nothing checkpoints it, and closing does not either.
#include "sqlite.hpp"

#include "../harness.hpp"

#include <sqlite3.h>
#include <algorithm>
#include <cstring>
#include <filesystem>

namespace perdure::perf {
namespace {

class connection {
  public:
    connection(const std::string& path, int flags) {
        const int rc = sqlite3_open_v2(path.c_str(), &db_, flags, nullptr);
        check(rc, "open");
        sqlite3_busy_timeout(db_, 10'000);
    }
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;
    ~connection() { sqlite3_close_v2(db_); }

    void check(int rc, const char* what) const {
        if (rc == SQLITE_OK || rc == SQLITE_DONE || rc == SQLITE_ROW) return;
        throw engine_failure(std::string("sqlite: ") + what + ": " + sqlite3_errmsg(db_));
    }
    void run(const std::string& text) const {
        check(sqlite3_exec(db_, text.c_str(), nullptr, nullptr, nullptr), text.c_str());
    }
    [[nodiscard]] sqlite3* get() const noexcept { return db_; }

  private:
    sqlite3* db_ = nullptr;
};

class statement {
  public:
    statement(const connection& in, const char* text) : in_(&in) {
        in.check(sqlite3_prepare_v3(in.get(), text, -1, SQLITE_PREPARE_PERSISTENT, &made_, nullptr),
                 text);
    }
    statement(const statement&) = delete;
    statement& operator=(const statement&) = delete;
    ~statement() { sqlite3_finalize(made_); }

    template <class T>
    statement& bind(int place, const T& object) {
        in_->check(sqlite3_bind_blob(made_, place, &object, sizeof object, SQLITE_STATIC), "bind");
        return *this;
    }
    statement& bind(int place, std::int64_t number) {
        in_->check(sqlite3_bind_int64(made_, place, number), "bind");
        return *this;
    }
    /// True when there is a row.
    bool step() {
        const int rc = sqlite3_step(made_);
        in_->check(rc, "step");
        return rc == SQLITE_ROW;
    }
    void run() {
        step();
        reset();
    }
    void reset() { sqlite3_reset(made_); }
    template <class T>
    void column(int place, T& object) {
        if (sqlite3_column_bytes(made_, place) != sizeof object) {
            throw engine_failure("sqlite: a row of another size");
        }
        std::memcpy(&object, sqlite3_column_blob(made_, place), sizeof object);
    }

  private:
    const connection* in_;
    sqlite3_stmt* made_ = nullptr;
};

/// An open file with its statements.
struct opened_file {
    explicit opened_file(const std::string& path)
        : in(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX) {}

    connection in;
    statement begin{in, "BEGIN IMMEDIATE"};
    statement commit{in, "COMMIT"};
    statement find{in, "SELECT row FROM accounts WHERE key = ?1"};
    statement change{in, "UPDATE accounts SET row = ?2 WHERE key = ?1"};
    statement tell{in, "INSERT OR REPLACE INTO events VALUES (?1, ?2)"};
    statement all{in, "SELECT row FROM accounts"};
};

class sqlite final : public engine {
  public:
    durability_level applied_level() const noexcept override { return durability_level::applied; }

    void create(const store_plan& plan) override {
        place(plan);
        const connection in(path_,
                            SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX);
        in.run("PRAGMA journal_mode=WAL");
        in.run("PRAGMA synchronous=OFF");
        in.run("CREATE TABLE accounts (key BLOB PRIMARY KEY, row BLOB NOT NULL) WITHOUT ROWID");
        in.run("CREATE TABLE events (slot INTEGER PRIMARY KEY, event BLOB NOT NULL)");
        std::vector<account_key> keys(plan.accounts);
        for (std::uint64_t i = 0; i < plan.accounts; ++i) keys[i] = key_of(i);
        std::sort(keys.begin(), keys.end(), [](const account_key& a, const account_key& b) {
            return std::memcmp(&a, &b, sizeof a) < 0;
        });
        statement put(in, "INSERT INTO accounts VALUES (?1, ?2)");
        const account_row row{opening_balance, 0, {}};
        in.run("BEGIN");
        for (const account_key& key : keys) put.bind(1, key).bind(2, row).run();
        in.run("COMMIT");
        in.run("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    void destroy() noexcept override { file_.reset(); }

    void open(const store_plan& plan) override {
        place(plan);
        file_ = std::make_unique<opened_file>(path_);
        const connection& in = file_->in;
        in.run("PRAGMA cache_size=-262144");
        in.run("PRAGMA mmap_size=" + std::to_string(plan.store_bytes));
        const bool is_durable = plan.level == durability_level::durable;
        in.run(is_durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=OFF");
        if (plan.keeps_log == 0) return;
        in.run("PRAGMA wal_autocheckpoint=0");
        sqlite3_db_config(in.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    }

    void warm() override { (void)total(); }

    bool pay(const payment& what) override {
        pay_durably({&what, 1});
        return true;
    }

    void pay_durably(std::span<const payment> what) override {
        file_->begin.run();
        for (const payment& one : what) apply(one);
        file_->commit.run();
    }

    account_row read(std::uint64_t account) override {
        const account_key key = key_of(account);
        account_row row;
        if (!file_->find.bind(1, key).step()) throw engine_failure("sqlite: a row is missing");
        file_->find.column(0, row);
        file_->find.reset();
        return row;
    }

    void hold(std::uint64_t /*account*/, const std::function<void()>& /*while_held*/) override {
        throw engine_failure("sqlite: nobody asks it to hold");
    }

    std::int64_t total() override {
        std::int64_t sum = 0;
        for (account_row row; file_->all.step();) {
            file_->all.column(0, row);
            sum += row.balance;
        }
        file_->all.reset();
        return sum;
    }

    saved_copy save() override {
        const std::string into = path_ + ".copy";
        std::filesystem::remove(into);
        saved_copy made{};
        made.begun_ns = nanoseconds_now();
        {
            const connection source(path_, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX);
            const connection target(
                into, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX);
            sqlite3_backup* const work =
                sqlite3_backup_init(target.get(), "main", source.get(), "main");
            if (work == nullptr) target.check(sqlite3_errcode(target.get()), "begin a backup");
            const int rc = sqlite3_backup_step(work, -1);
            sqlite3_backup_finish(work);
            target.check(rc, "back up");
        }
        made.ended_ns = made.captured_ns = nanoseconds_now();
        made.rows = accounts_;
        made.row_bytes = accounts_ * (sizeof(account_key) + sizeof(account_row));
        made.file_bytes = std::filesystem::file_size(into);
        return made;
    }

  private:
    void place(const store_plan& plan) {
        path_ = std::string(plan.disk_directory) + "/sqlite.db";
        accounts_ = plan.accounts;
    }

    void apply(const payment& what) {
        const account_key source = key_of(what.source);
        const account_key target = key_of(what.target);
        account_row from = read(what.source);
        account_row into = read(what.target);
        if (from.balance < what.amount) throw engine_failure("sqlite: an account ran dry");
        from.balance -= what.amount;
        into.balance += what.amount;
        ++from.changes;
        ++into.changes;
        file_->change.bind(1, source).bind(2, from).run();
        file_->change.bind(1, target).bind(2, into).run();
        const payment_event event{sequence_, source, target, what.amount, {}};
        const auto slot = static_cast<std::int64_t>(sequence_++ % event_ring_length);
        file_->tell.bind(1, slot).bind(2, event).run();
    }

    std::string path_;
    std::uint64_t accounts_ = 0;
    std::uint64_t sequence_ = 0;
    std::unique_ptr<opened_file> file_;
};

}  // namespace

std::unique_ptr<engine> make_sqlite() { return std::make_unique<sqlite>(); }

}  // namespace perdure::perf

// SPDX-License-Identifier: Apache-2.0
//
// Choices made in RocksDB's favour:
// * one process writes, so a batch is atomic enough: no transaction layer, no locks;
// * a block cache that holds everything, Bloom filters, two background threads;
// * applied: the log is written and not synced; durable: synced with each batch;
// * a copy is Checkpoint::CreateCheckpoint: the files that are there get a second name, and only
//   what is in memory is written;
// * where the log is to grow long, a memory table that takes it all.
#include "rocksdb.hpp"

#include "../harness.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_batch.h>
#include <cstring>
#include <filesystem>

namespace perdure::perf {
namespace {

void check(const ::rocksdb::Status& status, const char* what) {
    if (!status.ok())
        throw engine_failure(std::string("rocksdb: ") + what + ": " + status.ToString());
}

template <class T>
::rocksdb::Slice bytes_of(const T& object) noexcept {
    return {reinterpret_cast<const char*>(&object), sizeof object};
}

class rocksdb_store final : public engine {
  public:
    durability_level applied_level() const noexcept override { return durability_level::applied; }

    void create(const store_plan& plan) override {
        place(plan);
        std::filesystem::create_directories(directory_);
        open(plan);
        load(plan.accounts);
        db_.reset();
    }

    void destroy() noexcept override { db_.reset(); }

    void open(const store_plan& plan) override {
        place(plan);
        ::rocksdb::Options how;
        how.create_if_missing = true;
        how.IncreaseParallelism(2);
        if (plan.keeps_log != 0) {
            how.write_buffer_size = std::size_t{8} << 30U;
            how.max_total_wal_size = std::uint64_t{64} << 30U;
            how.avoid_flush_during_recovery = true;
        }
        ::rocksdb::BlockBasedTableOptions table;
        table.block_cache = ::rocksdb::NewLRUCache(plan.store_bytes);
        table.filter_policy.reset(::rocksdb::NewBloomFilterPolicy(10));
        how.table_factory.reset(::rocksdb::NewBlockBasedTableFactory(table));
        ::rocksdb::DB* opened = nullptr;
        check(::rocksdb::DB::Open(how, directory_, &opened), "open");
        db_.reset(opened);
        written_.sync = plan.level == durability_level::durable;
    }

    void warm() override { (void)total(); }

    bool pay(const payment& what) override {
        pay_durably({&what, 1});
        return true;
    }

    void pay_durably(std::span<const payment> what) override {
        for (const payment& one : what) {
            ::rocksdb::WriteBatch batch;
            apply(batch, one);
            // Only the last is waited for: one log, so the earlier ones are in front of it.
            ::rocksdb::WriteOptions how = written_;
            how.sync = written_.sync && &one == &what.back();
            check(db_->Write(how, &batch), "write");
        }
    }

    account_row read(std::uint64_t account) override {
        const account_key key = key_of(account);
        ::rocksdb::PinnableSlice value;
        check(db_->Get({}, db_->DefaultColumnFamily(), bytes_of(key), &value), "read");
        account_row row;
        if (value.size() != sizeof row) throw engine_failure("rocksdb: a row of another size");
        std::memcpy(&row, value.data(), sizeof row);
        return row;
    }

    void hold(std::uint64_t /*account*/, const std::function<void()>& /*while_held*/) override {
        throw engine_failure("rocksdb: a batch holds nothing");
    }

    std::int64_t total() override {
        std::int64_t sum = 0;
        const std::unique_ptr<::rocksdb::Iterator> each(db_->NewIterator({}));
        for (each->SeekToFirst(); each->Valid(); each->Next()) {
            if (each->key().size() != sizeof(account_key)) continue;  // An event.
            account_row row;
            std::memcpy(&row, each->value().data(), sizeof row);
            sum += row.balance;
        }
        check(each->status(), "iterate");
        return sum;
    }

    saved_copy save() override {
        const std::string into = directory_ + ".copy";
        std::filesystem::remove_all(into);
        saved_copy made{};
        made.begun_ns = nanoseconds_now();
        ::rocksdb::Checkpoint* maker = nullptr;
        check(::rocksdb::Checkpoint::Create(db_.get(), &maker), "prepare a checkpoint");
        const std::unique_ptr<::rocksdb::Checkpoint> owned(maker);
        check(maker->CreateCheckpoint(into), "checkpoint");
        made.ended_ns = made.captured_ns = nanoseconds_now();
        made.rows = accounts_;
        made.row_bytes = accounts_ * (sizeof(account_key) + sizeof(account_row));
        for (const auto& file : std::filesystem::directory_iterator(into)) {
            made.file_bytes += file.file_size();
        }
        return made;
    }

  private:
    void place(const store_plan& plan) {
        directory_ = std::string(plan.disk_directory) + "/rocksdb";
        accounts_ = plan.accounts;
    }

    void load(std::uint64_t accounts) {
        constexpr std::uint64_t together = 10'000;
        ::rocksdb::WriteOptions unlogged;
        unlogged.disableWAL = true;
        for (std::uint64_t first = 0; first < accounts; first += together) {
            ::rocksdb::WriteBatch batch;
            for (std::uint64_t i = first; i < std::min(first + together, accounts); ++i) {
                const account_key key = key_of(i);
                const account_row row{opening_balance, 0, {}};
                check(batch.Put(bytes_of(key), bytes_of(row)), "load");
            }
            check(db_->Write(unlogged, &batch), "load");
        }
        check(db_->Flush({}), "flush");
        check(db_->CompactRange({}, nullptr, nullptr), "compact");
    }

    void apply(::rocksdb::WriteBatch& batch, const payment& what) {
        account_row from = read(what.source);
        account_row into = read(what.target);
        if (from.balance < what.amount) throw engine_failure("rocksdb: an account ran dry");
        from.balance -= what.amount;
        into.balance += what.amount;
        ++from.changes;
        ++into.changes;
        const account_key source = key_of(what.source);
        const account_key target = key_of(what.target);
        const payment_event event{sequence_, source, target, what.amount, {}};
        const std::uint64_t slot = sequence_++ % event_ring_length;
        check(batch.Put(bytes_of(source), bytes_of(from)), "write");
        check(batch.Put(bytes_of(target), bytes_of(into)), "write");
        check(batch.Put(bytes_of(slot), bytes_of(event)), "write an event");
    }

    std::string directory_;
    std::uint64_t accounts_ = 0;
    std::uint64_t sequence_ = 0;
    ::rocksdb::WriteOptions written_;
    std::unique_ptr<::rocksdb::DB> db_;
};

}  // namespace

std::unique_ptr<engine> make_rocksdb() { return std::make_unique<rocksdb_store>(); }

}  // namespace perdure::perf

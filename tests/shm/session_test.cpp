// SPDX-License-Identifier: Apache-2.0
//
// Claims of shm/session: a closure is applied once or not at all, by threads over one mapping and
// by processes over one file; readers see whole states only (I1, I2, I4, I8).
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <perdure/tests/shm/open_bank.hpp>
#include <random>
#include <thread>

namespace {

using namespace perdure;
using namespace perdure::shm;
using namespace perdure::tests;

constexpr std::uint64_t accounts = 16;

/// Empties the ring for all threads: they take turns.
struct shared_keeper final : drain {
    book_keeper books;
    std::atomic_flag busy;
    result<> help(region& where) noexcept override {
        if (busy.test_and_set()) return errc::lease_held;
        const auto helped = books.help(where);
        busy.clear();
        return helped;
    }
};

/// Moves money `turns` times; answers how many commits failed.
int trade(session& self, const bank& in, unsigned seed, int turns) {
    std::mt19937 random(seed);
    int failed = 0;
    for (int i = 0; i < turns; ++i) {
        const auto from = random() % accounts;
        const auto to = (from + 1 + random() % (accounts - 1)) % accounts;
        failed += transfer(self, in, from, to, static_cast<int>(random() % 100)) ? 0 : 1;
    }
    return failed;
}

/// Sums all balances in one consistent view; answers how often the sum was not zero.
int check_sums(session& self, const bank& in, const std::atomic<bool>& stop) {
    int wrong = 0;
    while (!stop) {
        const auto sum = self.read([&](view& seen) -> result<std::int64_t> {
            std::int64_t all = 0;
            for (std::uint64_t i = 0; i < accounts; ++i) {
                all += PERDURE_TRY(get_key<account_row>(seen, in.accounts, key_of(i))).balance;
            }
            return all;
        });
        if (sum && *sum != 0) ++wrong;
    }
    return wrong;
}

BOOST_AUTO_TEST_CASE(threads_trade_while_readers_sum) {
    open_bank bank(accounts);
    shared_keeper keeper;
    BOOST_REQUIRE(drain_ring(bank.where, keeper.books.journal) == "");
    auto image = image_of(bank.where);
    keeper.books.journal.clear();
    std::atomic<bool> stop{false};
    std::atomic<int> failed{0};
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (unsigned seed = 1; seed <= 2; ++seed) {
        threads.emplace_back([&, seed] {
            auto self = session::join(bank.where, &keeper).value();
            failed += trade(self, bank.in, seed, 10'000);
        });
    }
    std::thread reader([&] {
        auto self = session::join(bank.where, &keeper).value();
        wrong += check_sums(self, bank.in, stop);
    });
    for (auto& each : threads) each.join();
    stop = true;
    reader.join();
    BOOST_TEST(failed == 0);
    BOOST_TEST(wrong == 0);
    BOOST_REQUIRE(drain_ring(bank.where, keeper.books.journal) == "");
    BOOST_TEST(keeper.books.fault == "");
    BOOST_TEST(keeper.books.journal.size() == 20'000U);
    for (const auto& record : keeper.books.journal) BOOST_REQUIRE(replay(image, record) == "");
    BOOST_TEST(difference(image, image_of(bank.where)) == "");
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(threads_insert_and_erase_the_same_keys) {
    open_bank bank(accounts);
    shared_keeper keeper;
    std::vector<std::thread> threads;
    std::atomic<int> odd{0};
    for (unsigned seed = 1; seed <= 3; ++seed) {
        threads.emplace_back([&, seed] {
            auto self = session::join(bank.where, &keeper).value();
            std::mt19937 random(seed);
            for (int i = 0; i < 1500; ++i) {
                const auto number = 100 + random() % 300;
                const auto paid = self.write(
                    [&](transaction& tx) -> result<> {
                        if (i % 3 != 0) {
                            PERDURE_TRY(insert_key(tx, bank.in.accounts, key_of(number)));
                            return {};
                        }
                        return erase_key(tx, bank.in.accounts, key_of(number));
                    },
                    deadline::in(std::chrono::seconds(60)));
                if (!paid && paid.error() != errc::exists && paid.error() != errc::not_found) ++odd;
            }
        });
    }
    for (auto& each : threads) each.join();
    BOOST_TEST(odd == 0);
    BOOST_TEST(bank.faults() == "");
}

/// Takes so many rows in one transaction; answers how often it ran.
int runs_to_take(session& self, std::uint32_t table, int rows) {
    int runs = 0;
    const auto paid = self.write([&](transaction& tx) -> result<> {
        ++runs;
        for (int i = 0; i < rows; ++i) PERDURE_TRY(take_row(tx, table));
        return {};
    });
    BOOST_TEST(paid.has_value());
    return runs;
}

BOOST_AUTO_TEST_CASE(with_its_rows_at_hand_a_transaction_runs_once) {
    constexpr int rows = 200;
    const auto soon = deadline::in(std::chrono::seconds(5));
    auto options = small_options();
    options.undo_bytes = 256U << 10;
    options.ring_bytes = 1U << 20;
    options.capacity_bytes = 64U << 20;
    open_bank bank(0, options);
    auto other = session::join(bank.where, &bank.keeper).value();
    BOOST_TEST(runs_to_take(bank.self, bank.in.wide, rows) > 1);
    for (int turn = 0; turn < 3; ++turn) {
        // Another's range lies behind one's own: what was left of it must still be at hand.
        if (turn == 2) BOOST_TEST(other.provide(bank.in.wide, 5, soon).has_value());
        BOOST_TEST(bank.self.provide(bank.in.wide, rows, soon).has_value());
        BOOST_TEST(runs_to_take(bank.self, bank.in.wide, rows) == 1);
    }
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(what_a_participant_holds_unused_is_bounded_in_bytes) {
    open_bank bank(1);
    BOOST_TEST(runs_to_take(bank.self, bank.in.wide, 1) > 1);
    const auto bytes_held = [&](std::uint32_t table) {
        const auto& range = bank.self.self().control().fresh[table];
        return (range.end - range.next) * bank.where.descriptor(table).row_bytes;
    };
    const auto bound = bank.where.geometry().undo_bytes / 2;
    BOOST_TEST(bytes_held(bank.in.wide) > 0U);
    BOOST_TEST(bytes_held(bank.in.wide) <= bound);
    BOOST_TEST(bytes_held(bank.in.accounts) > bound / 2);
    BOOST_TEST(bytes_held(bank.in.accounts) <= bound);
}

BOOST_AUTO_TEST_CASE(processes_trade_over_one_file) {
    const std::string path = "/dev/shm/perdure-session-" + std::to_string(::getpid());
    auto where = region::create(path, small_options());
    bank in;
    {
        book_keeper keeper;
        auto self = session::join(where, &keeper).value();
        in = make_bank(self);
        open_accounts(self, in, 0, accounts);
    }
    std::vector<record_bytes> journal;
    BOOST_REQUIRE(drain_ring(where, journal) == "");
    auto image = image_of(where);
    journal.clear();
    std::vector<pid_t> children;
    for (unsigned seed = 1; seed <= 3; ++seed) {
        const pid_t child = ::fork();
        if (child == 0) {
            auto mine = region::attach(path, {{1, 2}, {3, 4}}, access::read_write);
            auto self = session::join(mine, nullptr);
            ::_exit(self && trade(*self, in, seed, 4000) == 0 ? 0 : 1);
        }
        children.push_back(child);
    }
    std::string fault;
    for (std::size_t left = children.size(); left > 0;) {
        fault += drain_ring(where, journal);
        int status = 0;
        const pid_t ended = ::waitpid(-1, &status, WNOHANG);
        if (ended <= 0) continue;
        BOOST_TEST(status == 0);
        --left;
    }
    fault += drain_ring(where, journal);
    BOOST_TEST(fault == "");
    BOOST_TEST(journal.size() == 12'000U);
    for (const auto& record : journal) BOOST_REQUIRE(replay(image, record) == "");
    BOOST_TEST(difference(image, image_of(where)) == "");
    BOOST_TEST(audit(where).empty());
    ::unlink(path.c_str());
}

BOOST_AUTO_TEST_CASE(a_schema_that_a_writer_stands_on_is_waited_for) {
    open_bank bank(2);
    std::atomic<bool> held{false};
    std::thread writer([&] {
        auto self = participant::join(bank.where).value();
        transaction tx(self);
        held = tx.edit<schema_row>(schemas_table, bank.in.accounts).has_value();
        std::this_thread::sleep_for(std::chrono::milliseconds(30));  // Asleep, or not running.
        tx.roll_back();
    });
    while (!held) std::this_thread::yield();
    BOOST_TEST((find_table(bank.where, "accounts") == bank.in.accounts));
    writer.join();
}

BOOST_AUTO_TEST_CASE(a_session_stays_on_its_thread) {
    open_bank bank(2);
    std::thread([&] {
        BOOST_CHECK(transfer(bank.self, bank.in, 0, 1, 1).error() == errc::wrong_thread);
    }).join();
    BOOST_TEST(bank.look_at(0)->balance == 0);
}

BOOST_AUTO_TEST_CASE(a_transaction_inside_a_transaction_is_refused) {
    open_bank bank(2);
    errc inner{};
    const auto paid = bank.self.write([&](transaction& tx) -> result<> {
        const auto nested = transfer(bank.self, bank.in, 0, 1, 1);
        if (!nested) inner = nested.error();
        return move(tx, bank.in, 0, 1, 2);
    });
    BOOST_TEST(paid.has_value());
    BOOST_CHECK(inner == errc::nested);
    BOOST_TEST(bank.look_at(1)->balance == 2);
}

BOOST_AUTO_TEST_CASE(a_conflict_out_of_a_closure_runs_it_again) {
    open_bank bank(2);
    int runs = 0;
    const auto paid = bank.self.write([&](transaction& tx) -> result<> {
        if (++runs < 30) return errc::conflict;  // Beyond the number that goes behind the gate.
        return move(tx, bank.in, 0, 1, 2);
    });
    BOOST_TEST(paid.has_value());
    BOOST_TEST(runs == 30);
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(an_exception_out_of_a_closure_changes_nothing) {
    open_bank bank(2);
    const auto before = digest_of(bank.where);
    BOOST_CHECK_THROW(bank.self
                          .write([&](transaction& tx) -> result<> {
                              PERDURE_TRY(move(tx, bank.in, 0, 1, 2));
                              throw std::runtime_error("out of here");
                          })
                          .value(),
                      std::runtime_error);
    BOOST_TEST(digest_of(bank.where) == before);
    BOOST_TEST(bank.faults() == "");
    BOOST_TEST(transfer(bank.self, bank.in, 0, 1, 1).has_value());
}

BOOST_AUTO_TEST_CASE(a_refusal_changes_nothing_and_says_why) {
    open_bank bank(2);
    const auto paid = bank.self.write([&](transaction& tx) -> result<> {
        PERDURE_TRY(move(tx, bank.in, 0, 1, 2));
        return errc::insufficient_funds;
    });
    BOOST_CHECK(paid.error() == errc::insufficient_funds);
    BOOST_TEST(bank.look_at(1)->balance == 0);
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(a_durable_wait_ends_at_the_mark_at_the_deadline_or_at_a_failure) {
    open_bank bank(2);
    const auto paid = transfer(bank.self, bank.in, 0, 1, 1).value();
    auto idle = session::join(bank.where, nullptr).value();
    const auto soon = [] { return deadline::in(std::chrono::milliseconds(5)); };
    BOOST_CHECK(idle.wait_durable(paid, soon()).error() == errc::stalled);
    BOOST_CHECK(idle.wait_durable({paid.lsn, paid.incarnation + 1}, soon()).error() ==
                errc::garbled);
    BOOST_TEST(idle.wait_durable({}, soon()).has_value());
    bank.where.header().durable.failed = static_cast<std::uint32_t>(errc::io_error);
    BOOST_CHECK(idle.wait_durable(paid, soon()).error() == errc::durability_lost);
    bank.where.header().durable.lsn = paid.lsn;
    BOOST_TEST(idle.wait_durable(paid, soon()).has_value());
}

}  // namespace

// SPDX-License-Identifier: Apache-2.0
//
// Claims of io/row_history.hpp and io/record_finder.hpp: every change of a row, newest first, equal
// to a naive history of a few thousand random transfers, in files, in the ring and over both; a
// row that was freed and taken again has only its own; what does not lead on is refused.
#include <boost/test/unit_test.hpp>
#include <map>
#include <perdure/io/row_history.hpp>
#include <perdure/tests/io/kept_bank.hpp>
#include <perdure/tests/print_errc.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;

constexpr std::uint32_t balance_word = offsetof(account_row, balance) / 8;

struct moved {
    std::uint64_t lsn;
    std::int64_t gained;
    friend bool operator==(const moved&, const moved&) = default;
};

struct remembered : kept_bank {
    std::map<std::uint64_t, std::vector<moved>> naive;  // Oldest first.
    std::mt19937_64 random{17};

    remembered() { BOOST_TEST_REQUIRE(keeper.take(where).has_value()); }

    void pay_at_random(int times) {
        for (int i = 0; i < times; ++i) {
            const auto from = random() % 16;
            const auto to = (from + 1 + random() % 15) % 16;
            const auto value = static_cast<std::int64_t>(1 + random() % 50);
            const auto paid = transfer(self, in, from, to, value).value();
            naive[from].push_back({paid.lsn, -value});
            naive[to].push_back({paid.lsn, value});
            const bool is_full = tail() - head() > where.geometry().ring_bytes / 2;
            if (is_full || random() % 100 == 0) drain_all();
        }
    }
    void drain_all() {
        while (drain() != 0) {
        }
    }
    struct place {
        std::uint64_t row;
        account_row now;
    };
    place place_of(std::uint64_t account) {
        return self
            .read([&](shm::view& seen) -> result<place> {
                const auto row = PERDURE_TRY(shm::find_row(seen, in.accounts, key_of(account)));
                return place{row, PERDURE_TRY(seen.get<account_row>(in.accounts, row))};
            })
            .value();
    }
    /// Newest first, without the first change, which took the row.
    std::vector<moved> told(std::uint64_t account, io::record_finder& records) {
        const auto at = place_of(account);
        io::row_history history(records, in.accounts, at.row, at.now.header.lsn);
        std::vector<moved> out;
        std::int64_t balance = at.now.balance;
        io::row_change change;
        for (bool is_first = false; !is_first;) {
            const auto more = history.next(change);
            BOOST_REQUIRE_MESSAGE(more.has_value(), name(more.error()));
            BOOST_REQUIRE(*more);
            is_first = change.is_first;
            const auto gained = static_cast<std::int64_t>(change.gained[balance_word]);
            balance -= gained;
            if (!is_first) out.push_back({change.record.lsn(), gained});
        }
        BOOST_TEST(balance == 0);
        BOOST_TEST(!history.next(change).value());
        return out;
    }
    void compare_all() {
        io::record_finder records(where, disk, "world");
        for (std::uint64_t account = 0; account < 16; ++account) {
            auto expected = naive[account];
            std::reverse(expected.begin(), expected.end());
            BOOST_TEST((told(account, records) == expected), "account " << account);
        }
    }
};

BOOST_FIXTURE_TEST_CASE(it_equals_a_naive_history_in_ring_and_files, remembered) {
    pay_at_random(50);
    compare_all();
    pay_at_random(4000);
    BOOST_TEST(tail() > 4 * where.geometry().ring_bytes);
    for (std::uint64_t i = 0; i < 16; ++i) {  // Not drained.
        const auto paid = transfer(self, in, i, (i + 1) % 16, 1).value();
        naive[i].push_back({paid.lsn, -1});
        naive[(i + 1) % 16].push_back({paid.lsn, 1});
    }
    BOOST_TEST(tail() > head());
    compare_all();
    drain_all();
    compare_all();
}

BOOST_FIXTURE_TEST_CASE(a_row_taken_again_has_only_its_own_history, remembered) {
    pay_at_random(100);
    const auto before = place_of(3).row;
    const auto moved_away = place_of(3).now.balance;
    if (moved_away != 0) transfer(self, in, 3, 4, moved_away).value();
    self.write([&](shm::transaction& tx) { return shm::erase_key(tx, in.accounts, key_of(3)); })
        .value();
    open_accounts(self, in, 99, 100);
    BOOST_TEST(place_of(99).row == before);
    io::record_finder records(where, disk, "world");
    BOOST_TEST(told(99, records).empty());
    transfer(self, in, 4, 99, 5).value();
    BOOST_TEST(told(99, records).size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(what_does_not_lead_on_is_refused, remembered) {
    pay_at_random(100);
    const auto at = place_of(2);
    io::record_finder records(where, disk, "world");
    io::row_change change;
    // A record that says nothing of this row.
    const auto other = place_of(5).now.header.lsn == at.now.header.lsn ? place_of(6) : place_of(5);
    io::row_history wrong(records, in.accounts, at.row, other.now.header.lsn);
    BOOST_TEST(wrong.next(change).error() == errc::broken_chain);
    io::row_history ahead(records, in.accounts, at.row, last() + 1);
    BOOST_TEST(ahead.next(change).error() == errc::not_written);
    BOOST_TEST(records.find(0).error() == errc::history_gone);
}

}  // namespace

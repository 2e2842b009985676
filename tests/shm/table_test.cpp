// SPDX-License-Identifier: Apache-2.0
//
// Claims of shm/table and shm/extent: rows are taken once and freed once, stale ids are noticed, no
// row number and no page is lost (B1, B2).
#include <boost/test/unit_test.hpp>
#include <perdure/tests/shm/open_bank.hpp>
#include <random>
#include <set>
#include <thread>

namespace {

using namespace perdure;
using namespace perdure::shm;
using namespace perdure::tests;

result<row_id> take(session& self, std::uint32_t table) {
    row_id id;
    const auto paid = self.write([&](transaction& tx) -> result<> {
        const auto taken = PERDURE_TRY(take_row(tx, table));
        id = {taken.row, reinterpret_cast<const row_header*>(taken.copy)->generation};
        return {};
    });
    if (!paid) return paid.error();
    return id;
}

result<receipt> give_back(session& self, std::uint32_t table, std::uint64_t row) {
    return self.write([&](transaction& tx) { return free_row(tx, table, row); });
}

BOOST_AUTO_TEST_CASE(rows_are_taken_once) {
    open_bank bank;
    std::set<std::uint64_t> seen;
    for (int i = 0; i < 1000; ++i) {
        BOOST_REQUIRE(seen.insert(take(bank.self, bank.in.wide)->row()).second);
    }
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(a_freed_row_is_taken_again_under_a_new_id) {
    open_bank bank;
    const auto id = take(bank.self, bank.in.wide).value();
    BOOST_REQUIRE(give_back(bank.self, bank.in.wide, id.row()).has_value());
    BOOST_TEST(bank.faults() == "");
    BOOST_CHECK(give_back(bank.self, bank.in.wide, id.row()).error() == errc::not_found);
    const auto again = take(bank.self, bank.in.wide).value();
    BOOST_TEST(again.row() == id.row());
    BOOST_TEST(again.generation() == id.generation() + 1);
    const auto by_old_id = bank.self.write([&](transaction& tx) -> result<> {
        PERDURE_TRY(edit_row(tx, bank.in.wide, id));
        return {};
    });
    BOOST_CHECK(by_old_id.error() == errc::stale_row);
    BOOST_TEST(bank.self
                   .write([&](transaction& tx) -> result<> {
                       PERDURE_TRY(edit_row(tx, bank.in.wide, again));
                       return {};
                   })
                   .has_value());
}

BOOST_AUTO_TEST_CASE(a_row_taken_from_the_free_list_is_empty) {
    open_bank bank;
    const auto id = take(bank.self, bank.in.wide).value();
    BOOST_REQUIRE(bank.self
                      .write([&](transaction& tx) -> result<> {
                          PERDURE_TRY(tx.edit<wide_row>(bank.in.wide, id.row()))->words.fill(0xabc);
                          return {};
                      })
                      .has_value());
    BOOST_REQUIRE(give_back(bank.self, bank.in.wide, id.row()).has_value());
    bool clean = true;
    BOOST_REQUIRE(bank.self
                      .write([&](transaction& tx) -> result<> {
                          const auto taken = PERDURE_TRY(take_row(tx, bank.in.wide));
                          for (const auto word : reinterpret_cast<wide_row*>(taken.copy)->words)
                              clean &= word == 0;
                          return {};
                      })
                      .has_value());
    BOOST_TEST(clean);
}

BOOST_AUTO_TEST_CASE(a_random_life_of_rows_loses_none) {
    const unsigned seed = 5;
    std::mt19937 random(seed);
    open_bank bank;
    std::vector<record_bytes> journal;
    BOOST_REQUIRE(drain_ring(bank.where, journal) == "");
    auto image = image_of(bank.where);
    std::vector<row_id> live;
    for (int turn = 0; turn < 3000; ++turn) {
        if (live.empty() || random() % 100 < 55) {
            live.push_back(take(bank.self, bank.in.wide).value());
        } else {
            const auto at = random() % live.size();
            BOOST_REQUIRE(give_back(bank.self, bank.in.wide, live[at].row()).has_value());
            live[at] = live.back();
            live.pop_back();
        }
    }
    journal.clear();
    BOOST_REQUIRE(bank.keeper.fault == "");
    BOOST_REQUIRE(drain_ring(bank.where, bank.keeper.journal) == "");
    for (const auto& record : bank.keeper.journal) BOOST_REQUIRE(replay(image, record) == "");
    BOOST_TEST(difference(image, image_of(bank.where)) == "");
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(one_transaction_takes_and_frees_many) {
    open_bank bank;
    BOOST_REQUIRE(bank.self
                      .write([&](transaction& tx) -> result<> {
                          const auto one = PERDURE_TRY(take_row(tx, bank.in.accounts));
                          const auto two = PERDURE_TRY(take_row(tx, bank.in.accounts));
                          PERDURE_TRY(free_row(tx, bank.in.accounts, one.row));
                          const auto three = PERDURE_TRY(take_row(tx, bank.in.accounts));
                          BOOST_TEST(three.row != two.row);
                          PERDURE_TRY(free_row(tx, bank.in.accounts, three.row));
                          return free_row(tx, bank.in.accounts, two.row);
                      })
                      .has_value());
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(the_journal_tells_of_a_row_that_was_taken_and_freed_at_once) {
    open_bank bank;
    BOOST_REQUIRE(drain_ring(bank.where, bank.keeper.journal) == "");
    auto image = image_of(bank.where);
    bank.keeper.journal.clear();
    for (int turn = 0; turn < 2; ++turn) {
        BOOST_REQUIRE(bank.self
                          .write([&](transaction& tx) -> result<> {
                              const auto taken = PERDURE_TRY(take_row(tx, bank.in.wide));
                              return free_row(tx, bank.in.wide, taken.row);
                          })
                          .has_value());
    }
    BOOST_REQUIRE(drain_ring(bank.where, bank.keeper.journal) == "");
    for (const auto& record : bank.keeper.journal) BOOST_REQUIRE(replay(image, record) == "");
    BOOST_TEST(difference(image, image_of(bank.where)) == "");
}

BOOST_AUTO_TEST_CASE(a_refused_taking_loses_no_row) {
    open_bank bank;
    BOOST_REQUIRE(take(bank.self, bank.in.wide).has_value());
    for (int i = 0; i < 300; ++i) {
        const auto paid = bank.self.write([&](transaction& tx) -> result<> {
            PERDURE_TRY(take_row(tx, bank.in.wide));
            return errc::insufficient_funds;
        });
        BOOST_CHECK(paid.error() == errc::insufficient_funds);
    }
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(an_extent_that_may_yet_be_taken_back_is_not_remembered) {
    open_bank bank;
    const std::uint32_t table = bank.in.wide;
    BOOST_REQUIRE(take(bank.self, table).has_value());
    const auto& d = bank.where.descriptor(table);
    auto* leaf = bank.where.at<std::uint32_t>(
        bank.where.page_at(*bank.where.at<std::uint32_t>(bank.where.page_at(d.root_page))));
    const std::uint64_t row = std::uint64_t{extent_pages} * d.rows_per_page;
    directory reader(bank.where);
    BOOST_TEST(reader.locate(table, row) == 0U);

    // Somebody adds the second extent, is looked at meanwhile, and takes it back.
    const std::uint32_t other = 77;
    BOOST_REQUIRE(take_stripe(bank.where, descriptor_stripe(table), other));
    leaf[1] = leaf[0];
    BOOST_TEST(reader.locate(table, row) == locate(bank.where, table, 0));
    leaf[1] = 0;
    release_stripe(bank.where, descriptor_stripe(table), other);
    BOOST_TEST(reader.locate(table, row) == 0U);
}

BOOST_AUTO_TEST_CASE(a_table_of_a_name_is_made_once) {
    open_bank bank;
    const auto make = [&](const schema& wanted) {
        return bank.self.write([&](transaction& tx) -> result<> {
            PERDURE_TRY(create_table(tx, wanted));
            return {};
        });
    };
    BOOST_CHECK(make(wide_schema()).error() == errc::exists);
    auto bad = wide_schema("other");
    bad.row_bytes = 20;
    BOOST_CHECK(make(bad).error() == errc::bad_schema);
    BOOST_CHECK(make(account_schema("a name that leaves no room 4 it")).error() ==
                errc::bad_schema);
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(the_last_table_is_followed_by_a_clear_no) {
    auto options = small_options();
    options.undo_bytes = 16 << 10;
    open_bank bank(0, options);
    errc reason{};
    int made = 0;
    for (; made < 300 && reason == errc{}; ++made) {
        const auto paid = bank.self.write([&](transaction& tx) -> result<> {
            PERDURE_TRY(create_table(tx, wide_schema("w" + std::to_string(made))));
            return {};
        });
        if (!paid) reason = paid.error();
    }
    BOOST_CHECK(reason == errc::too_many_tables);
    BOOST_TEST(made > 200);
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(page_numbers_are_exact_for_every_row_size) {
    for (std::uint32_t bytes = 24; bytes <= page_bytes; bytes += 8) {
        table_descriptor d;
        lay_descriptor(d, bytes, 0, 0);
        for (const std::uint64_t row :
             {std::uint64_t{0}, std::uint64_t{d.rows_per_page - 1}, std::uint64_t{d.rows_per_page},
              std::uint64_t{1} << 20, (std::uint64_t{1} << 48) - 1,
              ((std::uint64_t{1} << 47) / d.rows_per_page) * d.rows_per_page - 1}) {
            BOOST_REQUIRE(page_of_row(d, row) == row / d.rows_per_page);
        }
    }
}

BOOST_AUTO_TEST_CASE(a_full_region_lends_out_the_rows_of_idle_slots) {
    open_bank bank;
    std::thread([&] {
        auto other = session::join(bank.where, &bank.keeper).value();
        BOOST_REQUIRE(take(other, bank.in.wide).has_value());  // Leaves given rows behind.
    }).join();
    const auto& theirs = bank.where.slot(1).fresh[bank.in.wide];
    BOOST_TEST(theirs.next < theirs.end);
    errc reason{};
    std::uint64_t rows = 0;
    for (; reason == errc{}; ++rows) {
        const auto id = take(bank.self, bank.in.wide);
        if (!id) reason = id.error();
    }
    BOOST_CHECK(reason == errc::region_full);
    BOOST_TEST(theirs.next == theirs.end);
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(nobody_takes_the_rows_of_a_slot_in_use) {
    open_bank bank;
    auto other = session::join(bank.where, &bank.keeper).value();
    BOOST_REQUIRE(take(other, bank.in.wide).has_value());
    while (take(bank.self, bank.in.wide)) {
    }
    const auto& theirs = bank.where.slot(1).fresh[bank.in.wide];
    BOOST_TEST(theirs.next < theirs.end);
    BOOST_TEST(take(other, bank.in.wide).has_value());
    BOOST_TEST(bank.faults() == "");
}

}  // namespace

// SPDX-License-Identifier: Apache-2.0
//
// Claims of shm/transaction: all or nothing, balanced or nothing, bounded or nothing; a read that
// went stale is never committed (T1 to T3, I1, I4, I8).
#include <boost/test/unit_test.hpp>
#include <perdure/tests/shm/open_bank.hpp>

namespace {

using namespace perdure;
using namespace perdure::shm;
using namespace perdure::tests;

BOOST_AUTO_TEST_CASE(a_commit_is_visible_and_in_the_ring) {
    open_bank bank(2);
    std::vector<record_bytes> journal;
    BOOST_REQUIRE(drain_ring(bank.where, journal) == "");
    auto image = image_of(bank.where);
    const auto paid = transfer(bank.self, bank.in, 0, 1, 5);
    BOOST_REQUIRE(paid.has_value());
    BOOST_TEST(bank.look_at(0)->balance == -5);
    BOOST_TEST(bank.look_at(1)->balance == 5);
    BOOST_TEST(bank.look_at(1)->header.lsn == paid->lsn);
    const auto walk = walk_ring(bank.where, load(bank.where.header().head.value));
    BOOST_REQUIRE(walk.records.size() == 1U);
    BOOST_TEST(replay(image, walk.records[0]) == "");
    BOOST_TEST(difference(image, image_of(bank.where)) == "");
}

BOOST_AUTO_TEST_CASE(a_roll_back_leaves_nothing_but_a_new_version) {
    open_bank bank(2);
    auto self = participant::join(bank.where).value();
    const auto before = digest_of(bank.where);
    const auto stripe = stripe_of(bank.in.accounts, bank.row_of(0).value());
    const auto version = version_of(bank.where.stripe(stripe));
    {
        transaction tx(self);
        BOOST_REQUIRE(move(tx, bank.in, 0, 1, 5).has_value());
        tx.roll_back();
    }
    BOOST_TEST(digest_of(bank.where) == before);
    BOOST_TEST(version_of(bank.where.stripe(stripe)) == version + 1);
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(a_private_copy_is_seen_by_nobody_before_the_commit) {
    open_bank bank(2);
    auto self = participant::join(bank.where).value();
    transaction tx(self);
    const auto row = bank.row_of(0).value();
    auto* copy = tx.edit<account_row>(bank.in.accounts, row).value();
    copy->mark = 9;
    BOOST_TEST(copy == tx.edit<account_row>(bank.in.accounts, row).value());  // T3
    BOOST_TEST(tx.get<account_row>(bank.in.accounts, row)->mark == 9U);
    const auto at = locate(bank.where, bank.in.accounts, row);
    BOOST_TEST(bank.where.at<account_row>(at)->mark == 0U);
    BOOST_TEST(tx.commit().has_value());
    BOOST_TEST(bank.where.at<account_row>(at)->mark == 9U);
}

BOOST_AUTO_TEST_CASE(many_rows_have_one_undo_entry_each) {
    auto options = small_options();
    options.undo_bytes = 64 << 10;
    open_bank bank(100, options);
    const auto paid = bank.self.write([&](transaction& tx) -> result<> {
        for (int turn = 0; turn < 3; ++turn) {
            for (std::uint64_t i = 0; i < 100; ++i) {
                PERDURE_TRY(edit_key<account_row>(tx, bank.in.accounts, key_of(i)))->mark += 1;
            }
        }
        return {};
    });
    BOOST_REQUIRE(paid.has_value());
    for (std::uint64_t i = 0; i < 100; ++i) BOOST_REQUIRE(bank.look_at(i)->mark == 3U);
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(what_is_out_of_balance_is_refused_whole) {
    open_bank bank(2);
    const auto before = digest_of(bank.where);
    const auto one_sided = bank.self.write([&](transaction& tx) -> result<> {
        PERDURE_TRY(edit_key<account_row>(tx, bank.in.accounts, key_of(0)))->balance += 1;
        return {};
    });
    BOOST_CHECK(one_sided.error() == errc::unbalanced);
    const auto other_group = bank.self.write([&](transaction& tx) -> result<> {
        PERDURE_TRY(move(tx, bank.in, 0, 1, 5));
        PERDURE_TRY(edit_key<account_row>(tx, bank.in.accounts, key_of(1)))->group = 2;
        return {};
    });
    BOOST_CHECK(other_group.error() == errc::unbalanced);
    // Overflow does not hide a difference: the sums are wider than the values.
    const auto wrapped = bank.self.write([&](transaction& tx) -> result<> {
        const auto most = std::numeric_limits<std::int64_t>::max();
        PERDURE_TRY(edit_key<account_row>(tx, bank.in.accounts, key_of(0)))->balance = most;
        PERDURE_TRY(edit_key<account_row>(tx, bank.in.accounts, key_of(1)))->balance = most;
        return {};
    });
    BOOST_CHECK(wrapped.error() == errc::unbalanced);
    BOOST_TEST(digest_of(bank.where) == before);
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(freeing_a_row_with_a_balance_is_unbalanced) {
    open_bank bank(2);
    BOOST_REQUIRE(transfer(bank.self, bank.in, 0, 1, 5).has_value());
    const auto paid = bank.self.write(
        [&](transaction& tx) { return erase_key(tx, bank.in.accounts, key_of(1)); });
    BOOST_CHECK(paid.error() == errc::unbalanced);
    BOOST_TEST(bank.look_at(1)->balance == 5);
}

BOOST_AUTO_TEST_CASE(a_transaction_larger_than_the_undo_is_refused_whole) {
    open_bank bank(100);
    const auto before = digest_of(bank.where);
    const auto paid = bank.self.write([&](transaction& tx) -> result<> {
        for (std::uint64_t i = 0; i < 100; ++i) {
            PERDURE_TRY(edit_key<account_row>(tx, bank.in.accounts, key_of(i)))->mark += 1;
        }
        return {};
    });
    BOOST_CHECK(paid.error() == errc::transaction_too_large);
    BOOST_TEST(digest_of(bank.where) == before);
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(nothing_changed_is_nothing_to_wait_for) {
    open_bank bank(2);
    const auto tail = load(bank.where.header().producer.tail);
    const auto paid = bank.self.write([&](transaction& tx) -> result<> {
        PERDURE_TRY(edit_key<account_row>(tx, bank.in.accounts, key_of(0)));
        return {};
    });
    BOOST_TEST(paid->lsn == 0U);
    BOOST_TEST(load(bank.where.header().producer.tail) == tail);
}

BOOST_AUTO_TEST_CASE(rows_and_tables_that_are_not_there_are_named) {
    open_bank bank(2);
    auto self = participant::join(bank.where).value();
    transaction tx(self);
    BOOST_CHECK(tx.edit(bank.in.accounts, 1ULL << 40).error() == errc::not_found);
    BOOST_CHECK(tx.edit(bank.in.accounts, ~0ULL).error() == errc::not_found);
    BOOST_CHECK(tx.edit(0, 0).error() == errc::unknown_table);
    BOOST_CHECK(tx.edit(200, 0).error() == errc::unknown_table);
    BOOST_CHECK(tx.edit(table_count, 0).error() == errc::unknown_table);
    account_row row;
    BOOST_CHECK(tx.get(200, 0, &row).error() == errc::unknown_table);
    tx.roll_back();
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(a_stale_read_is_not_committed) {
    open_bank bank(3);
    auto self = participant::join(bank.where).value();
    transaction tx(self);
    const auto seen = bank.row_of(0).value();
    BOOST_REQUIRE(tx.get<account_row>(bank.in.accounts, seen).has_value());
    BOOST_REQUIRE(transfer(bank.self, bank.in, 0, 1, 5).has_value());
    tx.edit<account_row>(bank.in.accounts, bank.row_of(2).value()).value()->mark = 1;
    BOOST_TEST(!tx.is_fresh());
    BOOST_CHECK(tx.commit().error() == errc::conflict);
    BOOST_CHECK(tx.why() == rerun::stale);
    BOOST_TEST(bank.look_at(2)->mark == 0U);
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(an_error_the_closure_swallows_is_not_committed) {
    open_bank bank(3);
    auto other = participant::join(bank.where).value();
    const auto stripe = stripe_of(bank.in.accounts, bank.row_of(0).value());
    BOOST_REQUIRE(take_stripe(bank.where, stripe, other.owner()));
    auto self = participant::join(bank.where).value();
    transaction tx(self);
    BOOST_CHECK(tx.edit(bank.in.accounts, bank.row_of(0).value()).error() == errc::conflict);
    tx.edit<account_row>(bank.in.accounts, bank.row_of(2).value()).value()->mark = 1;
    BOOST_CHECK(tx.commit().error() == errc::conflict);
    release_stripe(bank.where, stripe, other.owner());
    BOOST_TEST(bank.look_at(2)->mark == 0U);
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(the_half_of_a_step_is_not_committed_by_a_closure_that_goes_on) {
    open_bank bank(3);
    std::uint64_t tried = 0;
    const auto paid = bank.self.write([&](transaction& tx) -> result<> {
        tried = 0;
        for (std::uint64_t number = 100; number < 100'000; ++number) {
            const auto taken = insert_key(tx, bank.in.accounts, key_of(number));
            if (!taken && taken.error() == errc::conflict) return errc::conflict;
            if (!taken) break;  // And be content with those that found room.
            ++tried;
        }
        return {};
    });
    BOOST_TEST(tried > 10U);
    BOOST_CHECK(paid.error() == errc::transaction_too_large);
    BOOST_CHECK(bank.look_at(100).error() == errc::not_found);
    BOOST_TEST(bank.faults() == "");
    BOOST_TEST(transfer(bank.self, bank.in, 0, 1, 0).has_value());
}

BOOST_AUTO_TEST_CASE(wide_rows_replay_word_for_word) {
    open_bank bank(0);
    std::uint64_t row = 0;
    BOOST_REQUIRE(bank.self
                      .write([&](transaction& tx) -> result<> {
                          row = PERDURE_TRY(take_row(tx, bank.in.wide)).row;
                          return {};
                      })
                      .has_value());
    std::vector<record_bytes> journal;
    BOOST_REQUIRE(drain_ring(bank.where, journal) == "");
    auto image = image_of(bank.where);
    for (std::uint64_t turn = 1; turn < 6; ++turn) {
        BOOST_REQUIRE(bank.self
                          .write([&](transaction& tx) -> result<> {
                              auto* wide = PERDURE_TRY(tx.edit<wide_row>(bank.in.wide, row));
                              for (std::size_t i = 0; i < wide->words.size(); i += turn)
                                  wide->words[i] -= turn * i;
                              return {};
                          })
                          .has_value());
    }
    for (const auto& record : walk_ring(bank.where, bank.where.header().head.value).records) {
        BOOST_TEST(replay(image, record) == "");
    }
    BOOST_TEST(difference(image, image_of(bank.where)) == "");
}

BOOST_AUTO_TEST_CASE(a_key_stands_in_the_record) {
    open_bank bank(2);
    std::vector<record_bytes> journal;
    BOOST_REQUIRE(drain_ring(bank.where, journal) == "");
    BOOST_REQUIRE(bank.self
                      .write([&](transaction& tx) -> result<> {
                          tx.key({11, 22});
                          return move(tx, bank.in, 0, 1, 1);
                      })
                      .has_value());
    BOOST_REQUIRE(transfer(bank.self, bank.in, 0, 1, 1).has_value());
    const auto walk = walk_ring(bank.where, bank.where.header().head.value);
    transaction_header header;
    transaction_key key;
    std::memcpy(&header, walk.records[0].data() + 16, sizeof header);
    std::memcpy(&key, walk.records[0].data() + 48, sizeof key);
    BOOST_TEST(header.flags == keyed);
    BOOST_TEST((key == transaction_key{11, 22}));
    std::memcpy(&header, walk.records[1].data() + 16, sizeof header);
    BOOST_TEST(header.flags == 0);  // The next transaction does not inherit it.
}

BOOST_AUTO_TEST_CASE(a_garbled_directory_is_not_followed) {
    open_bank bank(2);
    const auto row = bank.row_of(0).value();
    auto& root = bank.where.descriptor(bank.in.accounts).root_page;
    const auto good = root;
    for (const std::uint32_t wild : {0U, 0xffffffffU, 1U << 20}) {
        root = wild;
        BOOST_TEST(locate(bank.where, bank.in.accounts, row) == 0U);
        auto stranger = session::join(bank.where, nullptr).value();
        BOOST_TEST(!transfer(stranger, bank.in, 0, 1, 1).has_value());
        // Who has been there knows the way: extents do not move.
        BOOST_TEST(transfer(bank.self, bank.in, 0, 1, 1).has_value());
    }
    root = good;
    BOOST_TEST(transfer(bank.self, bank.in, 0, 1, 1).has_value());
}

BOOST_AUTO_TEST_CASE(growing_through_a_garbled_directory_is_refused) {
    open_bank bank(2);
    auto& root = bank.where.descriptor(bank.in.wide).root_page;
    root = 0xfffffff0U;
    const auto paid = bank.self.write([&](transaction& tx) -> result<> {
        PERDURE_TRY(take_row(tx, bank.in.wide));
        return {};
    });
    BOOST_CHECK(paid.error() == errc::garbled);
    root = 0;
    BOOST_TEST(bank.faults() == "");
}

}  // namespace

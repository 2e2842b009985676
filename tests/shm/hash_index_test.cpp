// SPDX-License-Identifier: Apache-2.0
//
// Claims of shm/hash_index: a key stands in it once, growth loses none, a transaction sees its own
// keys, an absence is noted (H1, H2).
#include <boost/test/unit_test.hpp>
#include <map>
#include <perdure/tests/shm/open_bank.hpp>
#include <random>

namespace {

using namespace perdure;
using namespace perdure::shm;
using namespace perdure::tests;

region_options roomy() {
    auto options = small_options();
    options.undo_bytes = 16 << 10;
    options.capacity_bytes = 64 << 20;
    return options;
}

result<> insert(transaction& tx, const bank& in, std::uint64_t number, std::uint32_t mark) {
    const auto taken = PERDURE_TRY(insert_key(tx, in.accounts, key_of(number)));
    reinterpret_cast<account_row*>(taken.copy)->mark = mark;
    return {};
}

BOOST_AUTO_TEST_CASE(keys_are_found_through_all_growth) {
    open_bank bank(20'000, roomy());
    BOOST_TEST(bank.faults() == "");
    BOOST_TEST(bank.where.descriptor(bank.in.accounts + 1).row_high > 1000U);
    for (std::uint64_t i = 0; i < 20'000; i += 17) {
        BOOST_REQUIRE((bank.look_at(i)->key == key_of(i)));
    }
    BOOST_CHECK(bank.look_at(20'000).error() == errc::not_found);
}

BOOST_AUTO_TEST_CASE(many_keys_are_read_as_one) {
    open_bank bank(3000, roomy());
    std::vector<row_key> keys;
    for (std::uint64_t i = 0; i < 3000; i += 7) keys.push_back(key_of(i));
    std::vector<account_row> rows(keys.size());
    const auto read = [&] {
        return bank.self.read([&](view& in) {
            return get_keys<account_row>(in, bank.in.accounts, keys, std::span(rows));
        });
    };
    BOOST_TEST_REQUIRE(read().has_value());
    for (std::size_t i = 0; i < keys.size(); ++i) BOOST_REQUIRE((rows[i].key == keys[i]));
    keys[40] = key_of(5000);
    BOOST_CHECK(read().error() == errc::not_found);
}

BOOST_AUTO_TEST_CASE(an_id_goes_stale_with_its_row) {
    open_bank bank(3);
    const auto row = bank.row_of(1).value();
    const auto look = [&](row_id id) {
        return bank.self.read(
            [&](view& in) { return get_row<account_row>(in, bank.in.accounts, id); });
    };
    const row_id id(row, look({row, 0}).value().header.generation);
    BOOST_TEST((look(id)->key == key_of(1)));
    const auto freed = bank.self.write(
        [&](transaction& tx) { return erase_key(tx, bank.in.accounts, key_of(1)); });
    BOOST_TEST_REQUIRE(freed.has_value());
    BOOST_CHECK(look(id).error() == errc::stale_row);
    open_accounts(bank.self, bank.in, 7, 8);  // The same row number, taken again.
    BOOST_TEST(bank.row_of(7).value() == row);
    BOOST_CHECK(look(id).error() == errc::stale_row);
    BOOST_TEST((look({row, id.generation() + 1})->key == key_of(7)));
    BOOST_CHECK(look({1'000'000, 0}).error() == errc::stale_row);
}

BOOST_AUTO_TEST_CASE(a_key_is_inserted_once) {
    open_bank bank(3);
    const auto paid = bank.self.write([&](transaction& tx) { return insert(tx, bank.in, 1, 9); });
    BOOST_CHECK(paid.error() == errc::exists);
    const auto twice = bank.self.write([&](transaction& tx) -> result<> {
        PERDURE_TRY(insert(tx, bank.in, 7, 1));
        return insert(tx, bank.in, 7, 2);
    });
    BOOST_CHECK(twice.error() == errc::exists);
    BOOST_CHECK(bank.look_at(7).error() == errc::not_found);
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(keys_of_one_bucket_chain_up_and_are_found) {
    open_bank bank(0, roomy());
    // Keys chosen so that they fall into bucket 0 for a long time, with tags that differ or do not.
    std::vector<std::uint64_t> chosen;
    for (std::uint64_t i = 0; chosen.size() < 40; ++i) {
        if ((hash_of(key_of(i)) & 0xff) == 0) chosen.push_back(i);
    }
    for (const auto i : chosen) open_accounts(bank.self, bank.in, i, i + 1);
    BOOST_TEST(bank.where.slot(0).fresh[bank.in.accounts + 2].next > 0U);
    for (const auto i : chosen) BOOST_REQUIRE(bank.look_at(i).has_value());
    BOOST_TEST(bank.faults() == "");
    for (const auto i : chosen) {
        BOOST_REQUIRE(
            bank.self
                .write([&](transaction& tx) { return erase_key(tx, bank.in.accounts, key_of(i)); })
                .has_value());
    }
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(a_random_life_agrees_with_a_plain_map) {
    const unsigned seed = 11;
    std::mt19937 random(seed);
    open_bank bank(0, roomy());
    std::map<std::uint64_t, std::uint32_t> model;
    for (std::uint32_t turn = 0; turn < 6000; ++turn) {
        const std::uint64_t number = random() % 700;
        const auto act = random() % 3;
        const bool known = model.contains(number);
        if (act == 0) {
            const auto paid =
                bank.self.write([&](transaction& tx) { return insert(tx, bank.in, number, turn); });
            BOOST_REQUIRE(paid.has_value() == !known);
            if (!known) model[number] = turn;
        } else if (act == 1) {
            const auto paid = bank.self.write(
                [&](transaction& tx) { return erase_key(tx, bank.in.accounts, key_of(number)); });
            BOOST_REQUIRE(paid.has_value() == known);
            model.erase(number);
        } else {
            const auto seen = bank.look_at(number);
            BOOST_REQUIRE(seen.has_value() == known);
            if (known) BOOST_REQUIRE(seen->mark == model[number]);
        }
    }
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(a_transaction_sees_the_key_it_has_inserted) {
    open_bank bank(3);
    const auto paid = bank.self.write([&](transaction& tx) -> result<> {
        PERDURE_TRY(insert(tx, bank.in, 50, 5));
        auto* row = PERDURE_TRY(edit_key<account_row>(tx, bank.in.accounts, key_of(50)));
        row->mark += 1;
        const auto seen = PERDURE_TRY(get_key<account_row>(tx, bank.in.accounts, key_of(50)));
        return seen.mark == 6 ? result<>() : result<>(errc::overflow);
    });
    BOOST_REQUIRE_MESSAGE(paid.has_value(), name(paid.error()));
    BOOST_TEST(bank.look_at(50)->mark == 6U);
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(a_transaction_does_not_see_the_key_it_has_erased) {
    open_bank bank(3);
    errc by_get{};
    errc by_edit{};
    const auto paid = bank.self.write([&](transaction& tx) -> result<> {
        PERDURE_TRY(erase_key(tx, bank.in.accounts, key_of(1)));
        const auto seen = get_key<account_row>(tx, bank.in.accounts, key_of(1));
        if (!seen) by_get = seen.error();
        const auto copy = edit_key<account_row>(tx, bank.in.accounts, key_of(1));
        if (!copy) by_edit = copy.error();
        return {};
    });
    BOOST_REQUIRE_MESSAGE(paid.has_value(), name(paid.error()));
    BOOST_CHECK(by_get == errc::not_found);
    BOOST_CHECK(by_edit == errc::not_found);
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(a_transaction_erases_the_key_it_has_inserted) {
    open_bank bank(3);
    const auto paid = bank.self.write([&](transaction& tx) -> result<> {
        PERDURE_TRY(insert(tx, bank.in, 50, 5));
        PERDURE_TRY(erase_key(tx, bank.in.accounts, key_of(50)));
        PERDURE_TRY(erase_key(tx, bank.in.accounts, key_of(2)));
        return insert(tx, bank.in, 2, 8);
    });
    BOOST_REQUIRE_MESSAGE(paid.has_value(), name(paid.error()));
    BOOST_CHECK(bank.look_at(50).error() == errc::not_found);
    BOOST_TEST(bank.look_at(2)->mark == 8U);
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(an_absence_is_noted_and_goes_stale) {
    open_bank bank(3);
    auto self = participant::join(bank.where).value();
    transaction tx(self);
    BOOST_CHECK(find_row(tx, bank.in.accounts, key_of(60)).error() == errc::not_found);
    tx.edit<account_row>(bank.in.accounts, bank.row_of(0).value()).value()->mark = 1;
    open_accounts(bank.self, bank.in, 60, 61);
    BOOST_CHECK(tx.commit().error() == errc::conflict);
    BOOST_CHECK(tx.why() == rerun::stale);
    BOOST_TEST(bank.look_at(0)->mark == 0U);
}

BOOST_AUTO_TEST_CASE(several_keys_come_in_the_order_asked_for) {
    open_bank bank(40);
    const auto paid = bank.self.write([&](transaction& tx) -> result<> {
        std::array<row_key, edit_keys_max> keys;
        std::array<std::byte*, edit_keys_max> copies;
        for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = key_of((i * 7) % 40);
        PERDURE_TRY(edit_keys(tx, bank.in.accounts, keys, copies));
        for (std::size_t i = 0; i < keys.size(); ++i) {
            if (!(reinterpret_cast<account_row*>(copies[i])->key == keys[i])) return errc::overflow;
        }
        return {};
    });
    BOOST_TEST(paid.has_value());
    const auto missing = bank.self.write([&](transaction& tx) -> result<> {
        const std::array<row_key, 2> keys{key_of(0), key_of(99)};
        std::array<std::byte*, 2> copies{};
        return edit_keys(tx, bank.in.accounts, keys, copies);
    });
    BOOST_CHECK(missing.error() == errc::not_found);
    const std::vector<row_key> many(edit_keys_max + 1);
    std::vector<std::byte*> copies(edit_keys_max + 1);
    const auto too_many = bank.self.write(
        [&](transaction& tx) { return edit_keys(tx, bank.in.accounts, many, copies); });
    BOOST_CHECK(too_many.error() == errc::transaction_too_large);
}

BOOST_AUTO_TEST_CASE(a_garbled_index_is_an_answer) {
    open_bank bank(30);
    auto& buckets = bank.where.descriptor(bank.in.accounts + 1);
    const auto good = buckets.row_high;
    buckets.row_high = 0;
    BOOST_CHECK(bank.look_at(1).error() == errc::garbled);
    buckets.row_high = good;
    auto& first = *bank.where.at<bucket>(locate(bank.where, bank.in.accounts + 1, 0));
    const auto whole = first;
    for (auto& entry : first.entries) entry |= 0xffffffffff;
    first.overflow = 0xfffffff0;
    for (std::uint64_t i = 0; i < 30; ++i) {
        const auto seen = bank.look_at(i);
        if (seen) BOOST_TEST((seen->key == key_of(i)));
    }
    first = whole;
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(excepted_rows_are_neither_copied_nor_locked) {
    open_bank bank(8);
    const auto mark = [&](std::uint64_t account, std::uint32_t value) {
        return bank.self.write([&](transaction& tx) -> result<> {
            PERDURE_TRY(edit_key<account_row>(tx, bank.in.accounts, key_of(account)))->mark = value;
            return {};
        });
    };
    BOOST_TEST_REQUIRE(mark(2, 6).has_value());
    const row_exception marked{offsetof(account_row, mark), 4};
    const std::array keys{key_of(1), key_of(2), key_of(3)};
    const auto where = locate(bank.where, bank.in.accounts, bank.row_of(2).value());
    BOOST_TEST_REQUIRE(
        bank.self
            .write([&](transaction& tx) -> result<> {
                std::array<std::byte*, 3> copies{};
                PERDURE_TRY(edit_keys(tx, bank.in.accounts, keys, copies, marked));
                if (copies[0] == nullptr || copies[2] == nullptr) return errc::garbled;
                if (copies[1] != nullptr) return errc::garbled;
                if (tx.edited(where) != nullptr) return errc::garbled;
                // Other bits make no exception.
                PERDURE_TRY(edit_keys(tx, bank.in.accounts, keys, copies, {marked.offset, 1}));
                return copies[1] == nullptr ? result<>(errc::garbled) : result<>();
            })
            .has_value());
}

}  // namespace

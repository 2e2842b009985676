// SPDX-License-Identifier: Apache-2.0
//
// Claims of io/audit.hpp: equal content has an equal state_hash whatever the order of work; every
// kind of wrong is found where it was put by hand; a journal that ends too early is named.
#include <boost/test/unit_test.hpp>
#include <perdure/io/audit.hpp>
#include <perdure/tests/io/kept_bank.hpp>
#include <perdure/tests/shm/papers.hpp>
#include <perdure/tests/shm/ranks.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;

io::audit look_at(kept_bank& with) { return io::examine(io::take_image(with.where)); }

account_row& row_of(kept_bank& with, std::uint64_t account) {
    const auto row = with.self.read(
        [&](shm::view& seen) { return shm::find_row(seen, with.in.accounts, key_of(account)); });
    return *with.where.at<account_row>(shm::locate(with.where, with.in.accounts, row.value()));
}

/// An account whose balance never was below zero.
void give(kept_bank& with, std::uint64_t from, std::uint64_t to, std::int64_t value) {
    BOOST_TEST_REQUIRE(transfer(with.self, with.in, from, to, value).has_value());
}

BOOST_AUTO_TEST_CASE(the_state_hash_does_not_depend_on_the_order_of_work) {
    kept_bank first(0);
    kept_bank second(0);
    const auto amount_of = [](std::uint64_t i) { return static_cast<std::int64_t>(i) + 1; };
    for (std::uint64_t i = 0; i < 40; ++i) open_accounts(first.self, first.in, i, i + 1);
    for (std::uint64_t i = 40; i-- > 0;) open_accounts(second.self, second.in, i, i + 1);
    BOOST_TEST(look_at(first).state_hash == look_at(second).state_hash);
    BOOST_TEST(look_at(first).image_hash != look_at(second).image_hash);
    for (std::uint64_t i = 0; i < 40; ++i) give(first, i, (i + 7) % 40, amount_of(i));
    BOOST_TEST(look_at(first).state_hash != look_at(second).state_hash);
    for (std::uint64_t i = 0; i < 120; i += 3) {
        give(second, i % 40, (i + 7) % 40, amount_of(i % 40));
    }
    BOOST_TEST(look_at(first).state_hash == look_at(second).state_hash);
    give(first, 1, 2, 1);
    const auto ahead = look_at(first).state_hash;
    BOOST_TEST(ahead != look_at(second).state_hash);
    give(first, 2, 1, 1);
    BOOST_TEST(look_at(first).state_hash == look_at(second).state_hash);
    BOOST_TEST(ahead.size() == 64U);
}

BOOST_AUTO_TEST_CASE(the_state_hash_of_a_pooled_table_is_over_its_sums) {
    kept_bank with;
    const auto pooled = [&] {
        auto taken = io::take_image(with.where);
        for (auto& table : taken.tables) {
            if (table.number != with.in.accounts) continue;
            table.shape.flags |= shm::pooled;
            // Which account it is, is how the amounts are spread.
            std::erase_if(table.shape.fields, [](const auto& each) { return each.name == "note"; });
        }
        return io::examine(taken).state_hash;
    };
    const auto before = pooled();
    give(with, 1, 2, 10);
    BOOST_TEST(pooled() == before);
    row_of(with, 2).balance += 1;
    BOOST_TEST(pooled() != before);
    row_of(with, 2).balance -= 1;
    row_of(with, 5).mark = 3;  // Now two sets, and what is in which counts.
    const auto divided = pooled();
    BOOST_TEST(divided != before);
    give(with, 1, 2, 10);
    BOOST_TEST(pooled() == divided);
    give(with, 1, 5, 10);
    BOOST_TEST(pooled() != divided);
}

BOOST_AUTO_TEST_CASE(the_same_work_makes_the_same_image) {
    kept_bank first;
    kept_bank second;
    first.pay(50);
    second.pay(50);
    BOOST_TEST(look_at(first).image_hash == look_at(second).image_hash);
    BOOST_TEST(look_at(first).state_hash == look_at(second).state_hash);
    first.pay(16);  // Around once: the LSNs differ, and the rows with them.
    BOOST_TEST(look_at(first).image_hash != look_at(second).image_hash);
}

BOOST_AUTO_TEST_CASE(a_row_that_came_and_went_leaves_the_state_as_it_was) {
    kept_bank with;
    const auto before = look_at(with);
    open_accounts(with.self, with.in, 100, 101);
    BOOST_TEST(look_at(with).state_hash != before.state_hash);
    BOOST_TEST_REQUIRE(with.self
                           .write([&](shm::transaction& tx) {
                               return shm::erase_key(tx, with.in.accounts, key_of(100));
                           })
                           .has_value());
    BOOST_TEST(look_at(with).state_hash == before.state_hash);
    BOOST_TEST(look_at(with).image_hash != before.image_hash);
}

BOOST_AUTO_TEST_CASE(value_from_nowhere_is_found) {
    kept_bank with;
    give(with, 1, 2, 10);
    row_of(with, 2).balance += 4;
    const auto seen = look_at(with);
    BOOST_TEST(!seen.conserved);
    BOOST_TEST_REQUIRE(!seen.problems.empty());
    BOOST_TEST(seen.problems.back().find("differ by 4") != std::string::npos, seen.problems.back());
    row_of(with, 2).balance -= 4;
    BOOST_TEST(look_at(with).conserved);
}

BOOST_AUTO_TEST_CASE(sums_beyond_int64_are_no_balance) {
    kept_bank with;
    for (const std::uint64_t each : {1U, 2U, 3U, 4U}) {
        row_of(with, each).balance = INT64_MAX;  // 4 x (2^63 - 1) is -4 modulo 2^64.
    }
    row_of(with, 5).balance = 4;
    BOOST_TEST(!look_at(with).conserved);
}

BOOST_AUTO_TEST_CASE(a_negative_balance_is_found) {
    kept_bank with;
    BOOST_TEST(look_at(with).problems.empty());
    give(with, 1, 2, 10);
    const auto seen = look_at(with);
    BOOST_TEST(seen.conserved);
    BOOST_TEST_REQUIRE(seen.problems.size() == 1U);
    BOOST_TEST(seen.problems[0].find("balance of row") != std::string::npos, seen.problems[0]);
    BOOST_TEST(seen.problems[0].find("negative") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_row_its_index_does_not_lead_to_is_found) {
    kept_bank with;
    row_of(with, 3).key.high ^= 1;
    const auto seen = look_at(with);
    BOOST_TEST_REQUIRE(seen.problems.size() == 1U);
    BOOST_TEST(seen.problems[0].find("index") != std::string::npos, seen.problems[0]);
}

BOOST_AUTO_TEST_CASE(an_ordered_index_that_lies_is_found) {
    kept_bank with;
    const auto all = ranks::make(with.self);
    for (const std::int64_t score : {30, 10, 20}) {
        BOOST_TEST_REQUIRE(with.self
                               .write([&](shm::transaction& tx) -> result<> {
                                   PERDURE_TRY(add_rank(tx, all, 1, score));
                                   return {};
                               })
                               .has_value());
    }
    BOOST_TEST(look_at(with).problems.empty());
    auto& row = *with.where.at<rank_row>(shm::locate(with.where, all.table, 1));
    row.score = 11;
    const auto moved = look_at(with);
    BOOST_TEST_REQUIRE(moved.problems.size() == 2U);  // By score and by group.
    BOOST_TEST(moved.problems[0].find("another key for row 1") != std::string::npos);
    row.score = 10;
    const auto nodes = all.by_score.shape.nodes;
    auto& root = *with.where.at<shm::tree_node>(shm::locate(with.where, nodes, 0));
    root.count = 2;
    const auto lost = look_at(with);
    BOOST_TEST_REQUIRE(lost.problems.size() == 1U);
    BOOST_TEST(lost.problems[0].find("leads to 2 rows of 3") != std::string::npos);
}

shm::row_key paper(std::uint64_t number) { return {number, 9}; }

BOOST_AUTO_TEST_CASE(the_state_hash_takes_a_blob_by_its_content_not_by_its_chunks) {
    kept_bank first;
    kept_bank second;
    const auto here = papers::make(first.self);
    const auto there = papers::make(second.self);
    for (const std::uint64_t i : {1U, 2U, 3U}) {
        BOOST_TEST(here.save(first.self, paper(i), text_of(i * 900, i)).has_value());
    }
    // The same by another way: other rows, other chunks, a long value in between.
    BOOST_TEST(there.save(second.self, paper(2), text_of(20'000, 9)).has_value());
    for (const std::uint64_t i : {3U, 2U, 1U}) {
        BOOST_TEST(there.save(second.self, paper(i), text_of(i * 900, i)).has_value());
    }
    BOOST_TEST(look_at(first).problems.empty());
    BOOST_TEST(look_at(second).problems.empty());
    BOOST_TEST(look_at(first).state_hash == look_at(second).state_hash);
    there.sweep_all(second.self);
    BOOST_TEST(look_at(first).state_hash == look_at(second).state_hash);
    BOOST_TEST(look_at(first).image_hash != look_at(second).image_hash);
    auto text = text_of(1800, 2);
    text[1500] ^= 1;
    BOOST_TEST(there.save(second.self, paper(2), text).has_value());
    BOOST_TEST(look_at(first).state_hash != look_at(second).state_hash);
}

BOOST_AUTO_TEST_CASE(lost_and_shared_chunks_are_found) {
    kept_bank with;
    const auto shelf = papers::make(with.self);
    for (const std::uint64_t i : {1U, 2U}) {
        BOOST_TEST(shelf.save(with.self, paper(i), text_of(2500, i)).has_value());
    }
    const auto row_at = [&](std::uint64_t i) -> paper_row& {
        const auto row = with.self.read(
            [&](shm::view& seen) { return shm::find_row(seen, shelf.table, paper(i)); });
        return *with.where.at<paper_row>(shm::locate(with.where, shelf.table, row.value()));
    };
    BOOST_TEST(look_at(with).problems.empty());
    const auto told = [&](std::string_view what) {
        for (const auto& each : look_at(with).problems) {
            if (each.find(what) != std::string::npos) return true;
        }
        return false;
    };
    const auto before = row_at(1).text;
    row_at(1).text.bytes = 900;
    BOOST_TEST(told("longer than its value"));
    BOOST_TEST(told("belongs to no value"));
    row_at(1).text.bytes = 9000;
    BOOST_TEST(told("ends too early"));
    row_at(1).text = row_at(2).text;
    BOOST_TEST(told("shares chunk"));
    row_at(1).text = before;
    BOOST_TEST(look_at(with).problems.empty());
}

BOOST_FIXTURE_TEST_CASE(a_journal_that_ends_too_early_or_rots_is_named, kept_bank) {
    BOOST_TEST_REQUIRE(keeper.take(where).has_value());
    for (int round = 0; round < 3; ++round) {
        pay(10);
        while (drain() != 0) {
        }
    }
    BOOST_TEST(io::check_journal(files, "world", mark()).empty());
    const auto early = io::check_journal(files, "world", mark() + 1);
    BOOST_TEST_REQUIRE(early.size() == 1U);
    BOOST_TEST(early[0].find("ends at LSN " + std::to_string(mark())) != std::string::npos);
    const auto path = io::segment_path("world", 1);
    disk.content(path)[4096 + 200] ^= std::byte{1};
    const auto rotten = io::check_journal(files, "world", mark());
    BOOST_TEST_REQUIRE(rotten.size() == 1U);
    BOOST_TEST(rotten[0].find(path) != std::string::npos, rotten[0]);
    disk.remove(path);
    BOOST_TEST(io::check_journal(files, "world", mark()).size() == 1U);
}

}  // namespace

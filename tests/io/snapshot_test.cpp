// SPDX-License-Identifier: Apache-2.0
//
// Claims of io/snapshot.hpp, T1 and T2: what a snapshot shows is what the tables were behind the
// record it names, whatever others commit between two of its copies. With crash points built in,
// transactions of every kind are committed there; each planted bug of its protocol is noticed.
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <iostream>
#include <perdure/io/snapshot.hpp>
#include <perdure/shm/crash_point.hpp>
#include <perdure/tests/fault/checkpoint_scene.hpp>
#include <perdure/tests/io/kept_bank.hpp>
#include <perdure/tests/print_errc.hpp>
#include <thread>

namespace {

using namespace perdure;
using namespace perdure::tests;

/// The rows of a snapshot as shm/audit.hpp names them.
row_image rows_of(const io::image& content) {
    row_image out;
    for (const auto& table : content.tables) {
        const std::size_t bytes = table.shape.row_bytes;
        for (std::uint64_t row = 0; row * bytes < table.rows.size(); ++row) {
            const auto* at = table.rows.data() + row * bytes;
            shm::row_header header;
            std::memcpy(&header, at, sizeof header);
            if (header.lsn == 0) continue;
            std::vector<std::uint64_t> words((header.live == 1 ? bytes : sizeof header) / 8);
            std::memcpy(words.data(), at, words.size() * 8);
            while (!words.empty() && words.back() == 0) words.pop_back();
            out.emplace(row_place(table.number, row), std::move(words));
        }
    }
    return out;
}

/// The same of what is known of that record, without the schemas.
row_image rows_behind(const checkpoint_scene& one, std::uint64_t lsn) {
    row_image out = one.images.at(lsn - one.first_lsn);
    std::erase_if(out, [](const auto& each) { return each.first.first == shm::schemas_table; });
    return out;
}

checkpoint_scene* written_to = nullptr;
std::uint64_t committed = 0;

#if defined(PERDURE_RIG)
/// Others commit before a row is copied, and drain; now and then many.
void commit_beside(std::string_view point, std::uint64_t /*hit*/) {
    if (written_to == nullptr || !point.starts_with("snapshot.")) return;
    auto& one = *std::exchange(written_to, nullptr);  // A commit meets points of its own.
    const auto dice = one.random()() % 40;
    const bool is_end = point == "snapshot.copied" || point == "snapshot.begin";
    const std::uint64_t times = is_end ? 6 : dice < 4 ? 1 + dice : dice == 4 ? 20 : 0;
    const auto before = one.images.size();
    one.act(times);
    if (times != 0 && one.random()() % 6 == 0) one.drain();
    committed += one.images.size() - before;
    written_to = &one;
}
#endif

/// A snapshot, beside which others commit where that can be arranged.
result<io::snapshot> take(checkpoint_scene& one, const io::snapshot_order& order = {}) {
#if defined(PERDURE_RIG)
    shm::watch(commit_beside);
#endif
    written_to = &one;
    auto taken = io::snapshot::take(one.where(), one.disk, "world", order);
    written_to = nullptr;
#if defined(PERDURE_RIG)
    shm::watch(nullptr);
#endif
    return taken;
}

BOOST_AUTO_TEST_CASE(a_snapshot_is_the_state_behind_the_record_it_names) {
    std::uint64_t replayed = 0;
    std::size_t taken = 0;
    committed = 0;
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        checkpoint_scene one(scene_options{seed, {}});
        for (int turn = 0; turn < 6; ++turn, ++taken) {
            one.act(one.random()() % 30);
            if (turn % 2 == 0) one.drain();
            const auto seen = take(one);
            BOOST_TEST_REQUIRE(seen.has_value(), "seed " << seed << ": " << name(seen.error()));
            const auto apart = difference(rows_behind(one, seen->lsn()), rows_of(seen->content()));
            BOOST_TEST_REQUIRE(apart == "", "seed " << seed << ", turn " << turn << ": " << apart);
            const auto seen_by_audit = io::examine(seen->content());
            BOOST_TEST(seen_by_audit.conserved);
            replayed += seen->replayed();
        }
    }
    std::cout << taken << " snapshots, " << committed << " transactions beside them, " << replayed
              << " records replayed\n";
    BOOST_TEST(replayed == committed);
#if defined(PERDURE_RIG)
    BOOST_TEST(committed > 20 * taken);
#endif
}

BOOST_AUTO_TEST_CASE(threads_that_write_at_full_speed_are_never_seen_in_part) {
    constexpr std::uint64_t accounts = 3000;
    kept_bank bank;
    BOOST_TEST_REQUIRE(bank.keeper.take(bank.where).has_value());
    for (std::uint64_t from = 16; from < accounts; from += 16) {
        open_accounts(bank.self, bank.in, from, from + 16);
        while (bank.drain() != 0) {
        }
    }
    std::atomic<bool> stop{false};
    const auto write = [&](std::uint64_t seed) {
        auto by = shm::session::join(bank.where, nullptr).value();
        std::mt19937_64 random(seed);
        while (!stop.load()) {
            const auto from = random() % accounts;
            const auto to = (from + 1 + random() % (accounts - 1)) % accounts;
            static_cast<void>(transfer(by, bank.in, from, to, 1));
        }
    };
    std::thread first(write, 1);
    std::thread second(write, 2);
    std::thread drainer([&] {
        while (!stop.load()) {
            if (bank.drain() == 0) std::this_thread::yield();
        }
    });
    std::uint64_t replayed = 0;
    int taken = 0;
    std::vector<std::string> problems;
    for (; taken < 3000 && replayed < 500; ++taken) {
        const auto seen = io::snapshot::take(bank.where, bank.disk, "world");
        if (!seen) problems.emplace_back(name(seen.error()));
        if (seen && !io::examine(seen->content()).conserved) problems.emplace_back("not conserved");
        if (!problems.empty()) break;
        replayed += seen->replayed();
    }
    stop.store(true);
    for (auto* each : {&first, &second, &drainer}) each->join();
    BOOST_TEST(problems.empty(), (problems.empty() ? "" : problems.front()));
    BOOST_TEST(replayed >= 500U);
    std::cout << taken << " snapshots beside threads, " << replayed << " records replayed\n";
}

BOOST_AUTO_TEST_CASE(it_is_examined_like_a_region_that_stands_still) {
    checkpoint_scene one(scene_options{3, {}});
    one.act(50);
    const auto seen = io::snapshot::take(one.where(), one.disk, "world").value();
    const auto still = io::examine(io::take_image(one.where()));
    const auto examined = io::examine(seen.content());
    BOOST_TEST(examined.image_hash == still.image_hash);
    BOOST_TEST(examined.state_hash == still.state_hash);
    BOOST_TEST((examined.problems == still.problems));  // The bank lends: some are negative.
    BOOST_TEST(seen.replayed() == 0U);
}

BOOST_AUTO_TEST_CASE(chosen_tables_come_with_their_long_values_and_no_others_do) {
    checkpoint_scene one(scene_options{5, {}});
    one.act(60);
    const auto seen = take(one, {.tables = {"papers"}}).value();
    BOOST_TEST_REQUIRE(seen.content().tables.size() == 2U);
    const auto* table = seen.table("papers");
    BOOST_TEST_REQUIRE(table != nullptr);
    BOOST_TEST(seen.table("papers.heap") != nullptr);
    BOOST_TEST(seen.table("accounts") == nullptr);
    auto expected = rows_behind(one, seen.lsn());
    const auto heap = table->heap;
    std::erase_if(expected, [&](const auto& each) {
        return each.first.first != table->number && each.first.first != heap;
    });
    BOOST_TEST(difference(expected, rows_of(seen.content())) == "");
    std::size_t rows = 0;
    io::snapshot::each_row<paper_row>(*table, [&](const paper_row&) { ++rows; });
    BOOST_TEST(rows > 0U);
    const auto none = take(one, {.tables = {"papers", "nothing"}});
    BOOST_TEST((none.error() == errc::unknown_table));
}

BOOST_AUTO_TEST_CASE(a_row_that_somebody_keeps_is_waited_for_and_named_by_a_refusal) {
    checkpoint_scene one(scene_options{7, {}});
    one.drain();
    auto other = shm::session::join(one.where(), nullptr).value();
    std::optional<result<io::snapshot>> seen;
    const auto paid = other.write([&](shm::transaction& tx) -> result<> {
        PERDURE_TRY(shm::edit_key<account_row>(tx, shm::find_table(one.where(), "accounts").value(),
                                               key_of(3)));
        if (!seen) {
            seen.emplace(
                io::snapshot::take(one.where(), one.disk, "world",
                                   {.tables = {"accounts"},
                                    .until = shm::deadline::in(std::chrono::milliseconds(5))}));
        }
        return {};
    });
    BOOST_TEST(paid.has_value());
    BOOST_TEST_REQUIRE(seen.has_value());
    BOOST_TEST((seen->error() == errc::stalled));
    BOOST_TEST(io::snapshot::take(one.where(), one.disk, "world").has_value());
}

}  // namespace

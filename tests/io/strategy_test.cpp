// SPDX-License-Identifier: Apache-2.0
//
// What each strategy of io/checkpoint_policy.hpp keeps, and which points of the past can be had, as
// docs/operations.md promises it: over a life of five generations on a simulated disk, every LSN
// that was ever committed is asked for, and compared with what the tables were behind it.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <iostream>
#include <perdure/io/past.hpp>
#include <perdure/tests/fault/checkpoint_scene.hpp>
#include <perdure/tests/print_errc.hpp>
#include <perdure/tests/torture.hpp>
#include <set>

namespace {

using namespace perdure;
using namespace perdure::tests;
using strategy = io::keep_strategy;

constexpr std::size_t generations = 5;
constexpr std::size_t increments = 2;

/// A life, and its checkpoints: also those that are gone.
struct life {
    checkpoint_scene one;
    std::vector<std::vector<io::checkpoint_entry>> saves;  ///< By generation, the full one first.

    explicit life(const io::checkpoint_policy& policy) : one(scene_options{11, policy}) {
        for (std::size_t generation = 0; generation < generations; ++generation) {
            for (std::size_t each = 0; each <= increments; ++each) {
                work();
                one.checkpoint(each == 0);
                const auto entry = one.promised().checkpoints().back();
                BOOST_REQUIRE(entry.is_full() == (each == 0));
                if (each == 0) saves.emplace_back();
                saves.back().push_back(entry);
            }
        }
        work();
    }

    void work() {
        for (int burst = 0; burst < 3; ++burst) {
            one.act(5 + one.random()() % 5);
            one.drain();
        }
    }

    [[nodiscard]] std::uint64_t last_lsn() const { return one.first_lsn + one.images.size() - 1; }

    /// Is the state behind that record there? A wrong one fails the test.
    bool has(std::uint64_t lsn) {
        const recovery_of got(one.disk, lsn);
        if (!got.is_done || got.report.last_lsn != lsn) return false;
        const auto& then = one.images.at(lsn - one.first_lsn);
        const auto apart = difference(then, image_of(*got.made.region));
        BOOST_TEST_REQUIRE(apart == "", "LSN " << lsn << ": " << apart);
        return true;
    }

    /// LSNs of the checkpoints that are there, in the MANIFEST and as files.
    [[nodiscard]] std::set<std::uint64_t> kept() {
        const auto all = one.promised();
        std::set<std::uint64_t> promised;
        for (const auto& each : all.checkpoints()) promised.insert(each.lsn);
        std::set<std::uint64_t> there;
        for (const auto& generation : saves) {
            for (const auto& each : generation) {
                const auto path = io::checkpoint_path("world", each.lsn);
                io::file_system files(one.disk);
                if (files.open(path, io::open_mode::read)) there.insert(each.lsn);
            }
        }
        BOOST_TEST(promised == there, boost::test_tools::per_element());
        return promised;
    }

    /// Those of generations [full_from, ...) in full, and the increments of [increments_from, ...).
    [[nodiscard]] std::set<std::uint64_t> lsns(std::size_t full_from,
                                               std::size_t increments_from) const {
        std::set<std::uint64_t> out;
        for (std::size_t i = 0; i < saves.size(); ++i) {
            for (const auto& each : saves[i]) {
                if (i >= (each.is_full() ? full_from : increments_from)) out.insert(each.lsn);
            }
        }
        return out;
    }
};

/// What a strategy promises, in numbers of generations.
struct promise {
    strategy by;
    io::checkpoint_policy policy;
    std::size_t full_from;        ///< The first generation whose full checkpoint is kept,
    std::size_t increments_from;  ///< whose increments are,
    std::size_t journal_from;     ///< and behind whose full one the journal is.
    bool all_journal;
};

std::ostream& operator<<(std::ostream& out, const promise& what) {
    return out << "strategy " << static_cast<int>(what.by) << ", full from " << what.full_from;
}

promise by_count(strategy by, std::uint64_t count, std::array<std::size_t, 3> from,
                 bool all_journal = false) {
    io::checkpoint_policy policy;
    policy.strategy = by;
    policy.keep_count = count;
    return {by, policy, from[0], from[1], from[2], all_journal};
}

promise by_age(strategy by, std::array<std::size_t, 3> from, bool all_journal = false) {
    io::checkpoint_policy policy;
    policy.strategy = by;
    policy.keep_ns = 1;  // All are older.
    return {by, policy, from[0], from[1], from[2], all_journal};
}

promise by_bytes(strategy by, std::array<std::size_t, 3> from, bool all_journal = false) {
    io::checkpoint_policy policy;
    policy.strategy = by;
    policy.keep_bytes = 1;
    return {by, policy, from[0], from[1], from[2], all_journal};
}

// docs/operations.md, line by line. Of five generations the two newest are 3 and 4.
const std::vector<promise> promises{
    by_count(strategy::hybrid, 3, {2, 3, 2}),
    by_count(strategy::hybrid, 200, {0, 3, 0}),
    by_age(strategy::hybrid, {3, 3, 3}),
    by_bytes(strategy::hybrid, {3, 3, 3}),
    by_count(strategy::snapshot_only, 4, {1, 1, 3}),
    by_count(strategy::snapshot_only, 200, {0, 0, 3}),
    by_age(strategy::snapshot_only, {3, 3, 3}),
    by_count(strategy::event_sourced, 200, {3, 3, 0}, true),
    by_age(strategy::event_sourced, {3, 3, 0}, true),
    by_bytes(strategy::event_sourced, {3, 3, 0}, true),
    by_count(strategy::versioned, 2, {0, 0, 0}),
    by_age(strategy::versioned, {0, 0, 0}),
    by_bytes(strategy::versioned, {3, 3, 3}),
};

BOOST_DATA_TEST_CASE(each_strategy_keeps_what_it_promises_and_no_more,
                     boost::unit_test::data::make(promises), what) {
    life of(what.policy);
    BOOST_TEST(of.kept() == of.lsns(what.full_from, what.increments_from),
               boost::test_tools::per_element());
    const auto promised = of.one.promised();
    const auto& segments = promised.segments();
    if (what.all_journal) {
        BOOST_TEST(segments.front().first_lsn == 1U);
    } else {
        // Back to where it is needed, and not a segment further.
        const auto needed = of.saves[what.journal_from].front().lsn + 1;
        BOOST_TEST(segments.front().first_lsn <= needed);
        BOOST_TEST((segments.front().last_lsn >= needed || !segments.front().sealed));
    }
}

BOOST_DATA_TEST_CASE(each_strategy_leads_to_every_point_it_promises,
                     boost::unit_test::data::make(promises), what) {
    life of(what.policy);
    const auto saves = of.lsns(what.full_from, what.increments_from);
    const auto from = what.all_journal ? 1 : of.saves[what.journal_from].front().lsn;
    std::size_t refused = 0;
    for (std::uint64_t lsn = 1; lsn <= of.last_lsn(); lsn += is_sanitized ? 29 : 1) {
        const bool is_promised = lsn >= from || saves.contains(lsn);
        const bool is_there = of.has(lsn);
        BOOST_TEST_REQUIRE((is_there || !is_promised),
                           "LSN " << lsn << " is promised from " << from);
        refused += is_there ? 0 : 1;
    }
    const auto first = of.one.promised().segments().front().first_lsn;
    // What is not kept is not made up: points before the journal, but for checkpoints.
    BOOST_TEST((refused != 0) == (first > 1));
    std::cout << what << ": " << of.last_lsn() << " points, " << refused << " of them gone\n";
}

BOOST_AUTO_TEST_CASE(a_save_that_was_copied_in_slices_keeps_the_journal_it_needs) {
    scene_options how{13, {}};
    how.policy.strategy = strategy::snapshot_only;
    how.policy.copy_bytes_max = 1;
    how.region.shadow_bytes = shm::page_bytes;  // Captures are given up, the third is of slices.
    checkpoint_scene one(how);
    std::size_t sliced = 0;
    for (int round = 0; round < 6; ++round) {
        for (int burst = 0; burst < 4; ++burst) one.act(9), one.drain();
        one.checkpoint(true);
        one.drain();
        const auto promised = one.promised();
        sliced = 0;
        for (const auto& each : promised.checkpoints()) {
            sliced += each.last_lsn > each.lsn ? 1 : 0;
            const recovery_of got(one.disk, each.last_lsn);
            BOOST_TEST_REQUIRE(got.is_done, got.words());
            BOOST_TEST_REQUIRE(got.report.last_lsn == each.last_lsn);
            const auto& then = one.images.at(each.last_lsn - one.first_lsn);
            BOOST_TEST_REQUIRE(difference(then, image_of(*got.made.region)) == "");
        }
    }
    BOOST_TEST(sliced >= 3U);
    // Nor does a full disk take it.
    const auto promised = one.promised();
    const auto goes = io::what_to_shed(how.policy, promised, ~0ULL);
    BOOST_TEST_REQUIRE(!goes.checkpoints.empty());
    std::size_t asked = 0;
    for (const auto& each : promised.checkpoints()) {
        const bool stays = std::ranges::find(goes.checkpoints, each.id,
                                             &io::checkpoint_entry::id) == goes.checkpoints.end();
        if (!stays || each.last_lsn == each.lsn) continue;
        for (const auto& segment : goes.segments) BOOST_TEST(segment.last_lsn <= each.lsn);
        ++asked;
    }
    BOOST_TEST(asked >= 3U);
}

/// The record that `text` names as a checkpoint, 0: none.
std::uint64_t named(simulated_disk& disk, const std::string& text) {
    io::past history(disk, "world");
    try {
        return history.lsn_of({io::past_point::kind::checkpoint, 0, text});
    } catch (const failure& why) {
        BOOST_TEST(why.code() == make_error_code(errc::not_found));
        return 0;
    }
}

BOOST_AUTO_TEST_CASE(every_save_of_versioned_is_addressable_by_its_version) {
    io::checkpoint_policy policy;
    policy.strategy = strategy::versioned;
    policy.keep_count = 2;
    policy.keep_ns = 1;
    life of(policy);
    std::uint64_t version = 0;
    for (const auto& generation : of.saves) {
        for (const auto& each : generation) {
            ++version;
            BOOST_TEST(each.version == version);
            BOOST_TEST(named(of.one.disk, "v" + std::to_string(version)) == each.lsn);
            BOOST_TEST(named(of.one.disk, std::to_string(each.lsn)) == each.lsn);
            BOOST_TEST(of.has(each.lsn));
        }
    }
    BOOST_TEST(version == generations * (1 + increments));
    BOOST_TEST(named(of.one.disk, "v" + std::to_string(version + 1)) == 0U);
    BOOST_TEST(named(of.one.disk, "v0") == 0U);
}

/// A MANIFEST with a full checkpoint and increments, of so many bytes.
io::manifest chain_of(simulated_disk& disk, std::uint64_t full,
                      std::span<const std::uint64_t> smaller) {
    io::file_system files(disk);
    std::optional<io::finding> found;
    BOOST_REQUIRE(io::manifest::create(files, "world", small_options().world));
    auto made = io::manifest::open(files, "world", io::open_mode::read_write, found).value();
    io::checkpoint_entry entry{{1, 1}, {}, 1, 1, 1, full, {}, 0};
    BOOST_REQUIRE(made.publish_checkpoint(entry));
    for (const auto bytes : smaller) {
        entry = {{entry.id[0] + 1, 1}, entry.id, entry.lsn + 1, entry.lsn + 1, 1, bytes, {}, 0};
        BOOST_REQUIRE(made.publish_checkpoint(entry));
    }
    return made;
}

io::checkpoint_due due_behind(std::uint64_t full, const std::vector<std::uint64_t>& smaller) {
    simulated_disk disk;
    io::checkpoint_situation now;
    now.now_ns = 2;
    now.last_lsn = 1000;
    now.pages = 1000;
    now.dirty_pages = 10;
    now.asked = true;
    return io::decide({}, chain_of(disk, full, smaller), now).due;
}

BOOST_AUTO_TEST_CASE(increments_end_their_chain_when_they_hold_as_much_as_its_full_one) {
    constexpr std::uint64_t mib = 1 << 20;
    using due = io::checkpoint_due;
    BOOST_TEST((due_behind(100 * mib, {}) == due::incremental));
    BOOST_TEST((due_behind(100 * mib, {60 * mib, 39 * mib}) == due::incremental));
    BOOST_TEST((due_behind(100 * mib, {60 * mib, 40 * mib}) == due::full));
    BOOST_TEST((due_behind(1 * mib, {5 * mib, 10 * mib}) == due::incremental));  // Soon read.
    BOOST_TEST((due_behind(1 * mib, {5 * mib, 11 * mib}) == due::full));
    const std::vector<std::uint64_t> many(io::chain_length_max - 1, 1);
    BOOST_TEST((due_behind(100 * mib, many) == due::full));
    BOOST_TEST((due_behind(100 * mib, {many.begin() + 1, many.end()}) == due::incremental));
}

BOOST_AUTO_TEST_CASE(versions_are_not_given_again_when_older_ones_go) {
    io::checkpoint_policy policy;
    policy.keep_ns = 1;
    life of(policy);
    const auto kept = of.one.promised().checkpoints();
    BOOST_TEST(kept.size() == 2 * (1 + increments));
    BOOST_TEST(kept.back().version == generations * (1 + increments));
    BOOST_TEST(named(of.one.disk, "v1") == 0U);  // Gone by age.
    for (const auto& each : kept) {
        BOOST_TEST(named(of.one.disk, "v" + std::to_string(each.version)) == each.lsn);
    }
}

}  // namespace

// SPDX-License-Identifier: Apache-2.0
//
// Claims of past::salvage(): of damaged files comes the newest whole state that they still prove,
// and how many records that is short of what was durable; without damage nothing is lost; where
// nothing is left, nothing is made up.
#include <boost/test/unit_test.hpp>
#include <perdure/io/checkpoint_file.hpp>
#include <perdure/io/past.hpp>
#include <perdure/tests/fault/checkpoint_scene.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;

struct salvaged {
    io::opening_report report;
    std::unique_ptr<shm::region> region;

    explicit salvaged(simulated_disk& disk) {
        io::opening_options how;
        how.region = small_options();
        region = io::past(disk, "world").salvage(how, report);
    }
    /// The tables behind its last record, as the scene knows them, and nothing else.
    void expect_state_of(const checkpoint_scene& one) const {
        BOOST_TEST_REQUIRE(region != nullptr);
        BOOST_TEST(difference(image_of(*region), one.images.at(report.last_lsn)) == "");
        BOOST_TEST(audit(*region).empty());
    }
};

/// Three checkpoints, a journal of several segments from the first on, and some of it behind.
struct kept_scene {
    checkpoint_scene one{[] {
        scene_options how;
        how.policy.strategy = io::keep_strategy::event_sourced;  // Nothing of the journal goes.
        return how;
    }()};
    kept_scene() {
        for (const bool is_full : {true, false, true}) {
            one.act(60);
            one.drain();
            one.checkpoint(is_full);
        }
        one.act(60);
        one.drain();
    }
    [[nodiscard]] std::uint64_t last() { return shm::load(one.where().header().durable.lsn); }

    std::vector<std::string> segments() {
        std::vector<std::string> paths;
        const auto promised = one.promised();
        for (const auto& each : promised.segments()) {
            paths.push_back(io::segment_path("world", each.first_lsn));
        }
        return paths;
    }
    std::vector<std::string> checkpoints() {
        std::vector<std::string> paths;
        const auto promised = one.promised();
        for (const auto& each : promised.checkpoints()) {
            paths.push_back(io::checkpoint_path("world", each.lsn));
        }
        return paths;
    }
    static void damage(simulated_disk& disk, const std::string& path, std::size_t at) {
        auto& bytes = disk.content(path);
        bytes.at(std::min(at, bytes.size() - 1)) ^= std::byte{0x40};
    }
};

BOOST_FIXTURE_TEST_CASE(without_damage_nothing_is_lost, kept_scene) {
    simulated_disk disk(one.disk);
    const salvaged got(disk);
    BOOST_TEST(got.report.last_lsn == last());
    BOOST_TEST(got.report.lost == 0U);
    got.expect_state_of(one);
}

BOOST_FIXTURE_TEST_CASE(damage_costs_what_lies_behind_it_and_no_more, kept_scene) {
    BOOST_TEST_REQUIRE(segments().size() >= 3U);
    std::uint64_t newest = 0;
    const auto promised = one.promised();
    for (const auto& each : promised.checkpoints()) newest = std::max(newest, each.last_lsn);
    int with_loss = 0;
    for (const auto& path : segments()) {
        for (const std::size_t at : {100UL, 4096UL + 40, 4096UL + 300, 12288UL}) {
            simulated_disk disk(one.disk);
            damage(disk, path, at);
            const salvaged got(disk);
            BOOST_TEST(got.report.last_lsn >= newest, path << " at " << at);
            BOOST_TEST(got.report.last_lsn <= last());
            got.expect_state_of(one);
            with_loss += got.report.last_lsn < last() ? 1 : 0;
        }
    }
    BOOST_TEST(with_loss > 0);
}

BOOST_FIXTURE_TEST_CASE(with_journal_and_checkpoints_damaged_the_best_of_the_rest_is_taken,
                        kept_scene) {
    // The newest checkpoint, and the journal between it and the one before it: that and no more.
    simulated_disk disk(one.disk);
    const auto promised = one.promised();
    const auto& all = promised.checkpoints();
    damage(disk, checkpoints().back(), 400);
    std::string between;
    for (const auto& each : promised.segments()) {
        const bool begins_before = each.first_lsn <= all[all.size() - 2].last_lsn + 20;
        if (begins_before) between = io::segment_path("world", each.first_lsn);
    }
    damage(disk, between, 4096 + 40);
    const salvaged got(disk);
    BOOST_TEST(got.report.last_lsn < last());
    BOOST_TEST(got.report.last_lsn >= all[all.size() - 2].last_lsn);
    BOOST_TEST_REQUIRE(got.report.last_lsn < all.back().last_lsn);
    BOOST_TEST(got.report.lost >= all.back().last_lsn - got.report.last_lsn);
    BOOST_TEST(!got.report.torn_tail.empty());
    got.expect_state_of(one);
    // What is not told to give up refuses all of it.
    const recovery_of careful(disk);
    BOOST_TEST(!careful.is_done, careful.words());
}

BOOST_FIXTURE_TEST_CASE(where_nothing_is_left_nothing_is_made_up, kept_scene) {
    simulated_disk disk(one.disk);
    for (const auto& path : checkpoints()) damage(disk, path, 400);
    damage(disk, segments().front(), 4096 + 40);
    const salvaged got(disk);
    // The journal's beginning is damaged: its prefix is nothing, and that is a state, too.
    BOOST_TEST((got.region == nullptr || got.report.last_lsn == 0));
}

}  // namespace

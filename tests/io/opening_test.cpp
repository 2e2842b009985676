// SPDX-License-Identifier: Apache-2.0
//
// Claims of io/opening.hpp that tests/core/world_test.cpp does not reach: O1 and O3 with several
// openers at once, what a dead rebuild leaves, links that are another world's, what is there
// already; O4 beside checkpoints that are sound, damaged or not there.
#include <algorithm>
#include <array>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <perdure/io/manifest.hpp>
#include <perdure/io/opening.hpp>
#include <perdure/tests/core/scene.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;
namespace fs = std::filesystem;

struct settled_scene : scene {
    std::string hash;

    settled_scene() {
        auto in = open();
        auto by = in.join();
        found(in, by, 8, 1000);
        const auto paid = pay(in, by, 0, 1, 5).value();
        BOOST_TEST_REQUIRE(in.wait(by, paid, durability::durable).has_value());
        hash = in.verify(by).image_hash;
    }
    /// Asked here, because a manifest must not outlive what it reads by.
    auto ask_manifest(const auto& question) const {
        io::kernel_calls calls;
        io::file_system files(calls);
        std::optional<io::finding> nothing;
        return question(
            io::manifest::open(files, directory(), io::open_mode::read, nothing).value());
    }
    std::uint64_t incarnation() const {
        return ask_manifest([](const io::manifest& promised) { return promised.incarnation(); });
    }
    io::checkpoint_entry newest_checkpoint() const {
        return ask_manifest(
            [](const io::manifest& promised) { return promised.checkpoints().back(); });
    }
};

BOOST_FIXTURE_TEST_CASE(of_many_openers_one_rebuilds_and_all_see_one_region, settled_scene) {
    delete_region();
    const auto before = incarnation();
    shared_one<std::array<std::atomic<int>, 2>> count;
    auto& rebuilt = (*count)[0];
    auto& ready = (*count)[1];
    const auto work = [&] {
        ready.fetch_add(1);
        while (ready.load() < 4) ::usleep(100);
        auto in = open();
        auto by = in.join();
        if (in.opened().recovered) rebuilt.fetch_add(1);
        const auto paid = pay(in, by, 2, 3, 1);
        if (!paid) return 1;
        ready.fetch_add(1);
        while (ready.load() < 8) ::usleep(100);
        return balance_of(in, by, player(3)).value() == 1004 ? 0 : 2;
    };
    child first(work);
    child second(work);
    child third(work);
    child fourth(work);
    for (auto* each : {&first, &second, &third, &fourth}) BOOST_TEST(each->wait() == 0);
    BOOST_TEST(rebuilt.load() == 1);
    BOOST_TEST(incarnation() == before + 1);
}

BOOST_FIXTURE_TEST_CASE(what_a_dead_rebuild_left_is_replaced, settled_scene) {
    const auto path = region();
    fs::rename(path, path + ".new");
    std::ofstream(path + ".new", std::ios::binary) << "half a region";
    auto in = open();
    auto by = in.join();
    BOOST_TEST(in.opened().recovered);
    BOOST_TEST(in.verify(by).image_hash == hash);
    BOOST_TEST(!fs::exists(path + ".new"));
}

BOOST_FIXTURE_TEST_CASE(a_link_to_another_name_is_not_this_worlds_region, settled_scene) {
    const auto path = region();
    fs::copy_file(path, path + "0");
    fs::remove(directory() + "/region");
    fs::create_symlink(path + "0", directory() + "/region");
    auto in = open();
    auto by = in.join();
    BOOST_TEST(in.opened().recovered);
    BOOST_TEST(in.region().path() != path + "0");
    BOOST_TEST(in.verify(by).image_hash == hash);
    BOOST_TEST(region() == path);
}

BOOST_FIXTURE_TEST_CASE(each_rebuild_is_an_incarnation_of_its_own, settled_scene) {
    const auto first = incarnation();
    for (std::uint64_t turn = 1; turn <= 3; ++turn) {
        delete_region();
        auto in = open();
        BOOST_TEST(incarnation() == first + turn);
        BOOST_TEST(in.status().incarnation == first + turn);
        BOOST_TEST(in.region().geometry().incarnation == first + turn);
    }
}

BOOST_FIXTURE_TEST_CASE(a_journal_that_lacks_what_the_manifest_promises_is_refused, settled_scene) {
    const auto path = region();
    fs::remove(path);
    const auto journal = directory() + "/journal";
    std::vector<fs::path> segments;
    for (const auto& each : fs::directory_iterator(journal)) {
        if (each.path().extension() == ".pj") segments.push_back(each.path());
    }
    BOOST_TEST_REQUIRE(!segments.empty());
    std::sort(segments.begin(), segments.end());
    fs::rename(segments.front(), journal + "/aside");
    const auto refused = [&](errc reason) {
        BOOST_CHECK_EXCEPTION(open(), failure, [&](const failure& why) {
            BOOST_TEST(why.reason() == reason);
            BOOST_TEST(std::string(why.what()).find(segments.front().string()) != std::string::npos,
                       why.what());
            return true;
        });
    };
    const auto before = incarnation();
    refused(errc::missing);
    std::ofstream(segments.front(), std::ios::binary) << std::string(256 << 10, 'z');
    refused(errc::damaged);
    BOOST_TEST(incarnation() == before);
    BOOST_TEST(!fs::exists(path));
    BOOST_TEST(!fs::exists(path + ".new"));
    fs::rename(journal + "/aside", segments.front());
    auto in = open();
    auto by = in.join();
    BOOST_TEST(in.verify(by).image_hash == hash);
}

BOOST_AUTO_TEST_CASE(two_directories_never_share_a_regions_name) {
    scene first;
    scene second;
    const io::uuid world{1, 2};
    BOOST_TEST(io::region_name(first.directory(), world) !=
               io::region_name(second.directory(), world));
    BOOST_TEST(io::region_name(first.directory(), world) !=
               io::region_name(first.directory(), io::uuid{1, 3}));
    BOOST_TEST(io::region_name(first.directory(), world) ==
               io::region_name(first.directory() + "/.", world));
}

/// Two checkpoints, and a payment behind each.
struct saved_scene : settled_scene {
    std::vector<std::uint64_t> lsns;

    saved_scene() {
        auto in = open();
        auto by = in.join();
        for (int turn = 0; turn < 2; ++turn) {
            BOOST_TEST_REQUIRE(in.checkpoint(true));
            lsns.push_back(in.status().checkpoint.lsn);
            const auto paid = pay(in, by, 0, 1, 5).value();
            BOOST_TEST_REQUIRE(in.wait(by, paid, durability::durable).has_value());
        }
        hash = in.verify(by).image_hash;
    }
    void damage(std::uint64_t lsn) const {
        std::fstream file(io::checkpoint_path(directory(), lsn),
                          std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(200);
        file << "damage";
    }
};

BOOST_FIXTURE_TEST_CASE(a_world_comes_back_from_its_newest_checkpoint, saved_scene) {
    delete_region();
    auto in = open();
    auto by = in.join();
    BOOST_TEST(in.opened().checkpoint_lsn == lsns[1]);
    BOOST_TEST(in.opened().transactions == 1U);
    BOOST_TEST(in.verify(by).image_hash == hash);
}

BOOST_FIXTURE_TEST_CASE(a_rebuilt_region_tells_the_newest_checkpoint_promised, saved_scene) {
    const auto is_told = [&](std::uint64_t lsn) {
        delete_region();
        auto in = open();
        const auto mark = in.status().checkpoint;
        const auto newest = newest_checkpoint();
        BOOST_TEST(newest.lsn == lsn);
        BOOST_TEST(mark.lsn == lsn);
        BOOST_TEST(mark.wall_ns == newest.cut_ns);
        BOOST_TEST(mark.wall_ns != 0U);
    };
    is_told(lsns[1]);
    damage(lsns[1]);  // It is set aside, and is promised no more.
    is_told(lsns[0]);
}

BOOST_FIXTURE_TEST_CASE(a_damaged_checkpoint_is_named_and_set_aside, saved_scene) {
    damage(lsns[1]);
    delete_region();
    {
        auto in = open();
        auto by = in.join();
        BOOST_TEST(in.opened().checkpoint_lsn == lsns[0]);
        BOOST_TEST_REQUIRE(in.opened().tried.size() == 2U);
        const auto path = io::checkpoint_path(directory(), lsns[1]);
        BOOST_TEST(in.opened().tried[0].verdict.starts_with(path));
        BOOST_TEST(in.opened().tried[1].verdict == "accepted");
        BOOST_TEST(in.verify(by).image_hash == hash);
        BOOST_TEST(!fs::exists(path));
        BOOST_TEST(fs::exists(path + ".rejected"));
        BOOST_TEST(in.checkpoint(false));  // The one that counts now is older than the last commit.
    }
    delete_region();
    auto in = open();
    auto by = in.join();
    BOOST_TEST(in.opened().tried.size() == 1U);
    BOOST_TEST(in.verify(by).image_hash == hash);
}

BOOST_FIXTURE_TEST_CASE(with_all_checkpoints_damaged_the_journal_serves, saved_scene) {
    for (const auto lsn : lsns) damage(lsn);
    delete_region();
    auto in = open();
    auto by = in.join();
    BOOST_TEST(in.opened().checkpoint_lsn == 0U);
    BOOST_TEST(in.status().checkpoint.lsn == 0U);
    BOOST_TEST(in.opened().tried.size() == 3U);
    BOOST_TEST(in.verify(by).image_hash == hash);
}

BOOST_FIXTURE_TEST_CASE(a_validator_can_refuse_what_a_checkpoint_leads_to, saved_scene) {
    delete_region();
    auto how = options();
    int asked = 0;
    how.validators.emplace_back(
        [&](shm::region&) { return ++asked == 1 ? "the game says no" : ""; });
    auto in = world::open(directory(), how);
    BOOST_TEST(in.opened().checkpoint_lsn == lsns[0]);
    BOOST_TEST(in.opened().tried[0].verdict.ends_with("the game says no"));
    how.validators.back() = [](shm::region&) { return "never"; };
    delete_region();
    BOOST_CHECK_THROW(world::open(directory(), how), failure);
}

}  // namespace

// SPDX-License-Identifier: Apache-2.0
//
// Power fails at any moment of a life with checkpoints and retention; from the trace of the file
// seam, disks are built as they may then be. Claims: the newest promised checkpoint serves, the
// tables are those behind some record that is not before the last acknowledged one, every other
// plan and every kept point of the past lead to what was; and the world goes on from there, through
// a second power loss. A checkpoint that was copied in slices beside writers serves as any other.
//
// `-- --torture` runs the sign-off count, `-- --life SEED` one life, and all of it.
#include <oneapi/tbb/global_control.h>
#include <boost/test/unit_test.hpp>
#include <iostream>
#include <perdure/shm/crash_point.hpp>
#include <perdure/tests/fault/checkpoint_scene.hpp>
#include <perdure/tests/torture.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;

struct tally {
    std::size_t lives = 0;
    std::size_t images = 0;
    std::size_t from_checkpoint = 0;  ///< Not from the journal alone.
    std::size_t from_increment = 0;
    std::size_t from_slices = 0;
    std::size_t unacknowledged = 0;  ///< Recovered beyond what was acknowledged.
    std::size_t resumed = 0;
    std::size_t second = 0;  ///< Images of a second power loss.
    std::size_t plans = 0;
    std::size_t points = 0;  ///< Of the past.
    std::size_t retired = 0;
    std::size_t segments_gone = 0;
    std::string at;  ///< The case at hand, and how to run it again.

    /// Also where a test ends early: after how many cases.
    ~tally() {
        std::cout << "checkpoint images: " << lives << " lives, " << images << " images ("
                  << from_checkpoint << " from a checkpoint, " << from_increment
                  << " from an increment, " << from_slices << " from slices, " << unacknowledged
                  << " with more than was acknowledged), " << resumed << " went on, of them "
                  << second << " images of a second loss; " << plans << " other plans, " << points
                  << " points of the past; " << retired << " checkpoints and " << segments_gone
                  << " segments retired\n";
    }
};

void must(bool holds, const tally& counts, const std::string& what) {
    BOOST_REQUIRE_MESSAGE(holds, "image " << counts.images << ", " << counts.at << ": " << what);
}

std::string again(const std::string& test, std::uint64_t seed) {
    return std::string(boost::unit_test::framework::master_test_suite().argv[0]) +
           " '--run_test=*/" + test + "' -- --life " + std::to_string(seed);
}

/// The seed behind --life, 0: all.
std::uint64_t life_asked_for() {
    const auto& suite = boost::unit_test::framework::master_test_suite();
    for (int i = 1; i + 1 < suite.argc; ++i) {
        if (std::string_view(suite.argv[i]) == "--life") return std::stoull(suite.argv[i + 1]);
    }
    return 0;
}

scene_options options_of(std::uint64_t seed) {
    scene_options how;
    how.seed = seed;
    how.policy.strategy = static_cast<io::keep_strategy>(1 + seed % 4);
    // Of snapshot_only more than the journal reaches back for.
    how.policy.keep_count = how.policy.strategy == io::keep_strategy::snapshot_only ? 4 : 2;
    how.policy.copy_bytes_max = seed % 3 == 0 ? 1ULL << 30 : 1;
    // Too few shadow pages: captures are given up, and the third is copied in slices.
    if (seed % 3 == 1) how.region.shadow_bytes = shm::page_bytes;
    return how;
}

std::unique_ptr<checkpoint_scene> live(std::uint64_t seed, tally& counts) {
    auto one = std::make_unique<checkpoint_scene>(options_of(seed));
    for (int round = 0; round < 7; ++round) {
        for (auto bursts = 1 + one->random()() % 3; bursts != 0; --bursts) {
            one->act(one->random()() % 12);
            if (one->random()() % 4 != 0) one->drain();
        }
        one->checkpoint(one->random()() % 2 == 0);
        one->act(one->random()() % 4);
    }
    for (const auto& each : one->news) counts.retired += each.retired.size();
    const auto promised = one->promised();
    counts.segments_gone += promised.segments().front().first_lsn > 1 ? 1 : 0;
    ++counts.lives;
    return one;
}

/// The tables behind a record that was written there; nullptr: it was not.
const row_image* image_at(const checkpoint_scene& one, std::uint64_t lsn) {
    const bool is_known = lsn >= one.first_lsn && lsn - one.first_lsn < one.images.size();
    return is_known ? &one.images[lsn - one.first_lsn] : nullptr;
}

std::uint64_t last_lsn_of(const checkpoint_scene& one) {
    return one.first_lsn + one.images.size() - 1;
}

/// What was recovered is what the tables were behind the last record of it.
void compare(checkpoint_scene& one, const recovery_of& got, const tally& counts) {
    must(got.is_done, counts, got.words());
    const auto* expected = image_at(one, got.report.last_lsn);
    const auto lsn = " at LSN " + std::to_string(got.report.last_lsn);
    must(expected != nullptr, counts, "recovered to where nobody was," + lsn);
    const auto apart = difference(*expected, image_of(*got.made.region));
    must(apart.empty(), counts, apart + lsn + "; " + got.words());
    const auto faults = audit(*got.made.region);
    must(faults.empty(), counts, faults.empty() ? "" : faults.front() + lsn);
}

/// Every plan that the journal still allows, each kept checkpoint's own moment, and one between.
void check_others(checkpoint_scene& one, simulated_disk& image, std::uint64_t last_lsn,
                  tally& counts) {
    io::file_system files(image);
    std::optional<io::finding> found;
    const auto promised = io::manifest::open(files, "world", io::open_mode::read, found).value();
    const auto first = promised.segments().front().first_lsn;
    std::vector<std::uint64_t> points;
    for (const auto& plan : io::plans_for(promised, ~0ULL)) {
        const std::uint64_t from = plan.newest == nullptr ? 0 : plan.newest->last_lsn;
        const std::uint64_t cut = plan.newest == nullptr ? 0 : plan.newest->lsn;
        const bool is_reached = first <= cut + 1;
        // Slices are of no one moment without the journal behind their cut.
        if (is_reached || from == cut) points.push_back(from);
        if (!is_reached) continue;
        recovery_of by(image, last_lsn, &plan);
        compare(one, by, counts);
        must(by.report.last_lsn == last_lsn, counts, "another plan leads elsewhere");
        points.push_back(from + one.random()() % (last_lsn - from + 1));
        ++counts.plans;
    }
    for (const auto lsn : points) {
        if (lsn == 0 || image_at(one, lsn) == nullptr) continue;
        recovery_of past(image, lsn);
        const bool is_reached = past.is_done && past.report.last_lsn == lsn;
        must(is_reached, counts, "the past of LSN " + std::to_string(lsn) + ": " + past.words());
        compare(one, past, counts);
        ++counts.points;
    }
}

void go_on(simulated_disk& image, recovery_of&& from, std::uint64_t seed, tally& counts);

void check_image(checkpoint_scene& one, std::pair<std::size_t, loss> when, std::uint64_t seed,
                 tally& counts, bool is_second) {
    const auto [changes, how] = when;
    std::mt19937_64 random(seed * 1'000'003 + changes * 7 + static_cast<std::uint64_t>(how));
    auto image = one.disk.after_power_loss(changes, how, random);
    ++counts.images;
    recovery_of got(image);
    must(got.is_done && got.report.tried.size() == 1, counts, got.words());
    const auto lsn = got.report.last_lsn;
    std::uint64_t acknowledged = 0;
    for (const auto& each : one.acks)
        acknowledged = each.first <= changes ? each.second : acknowledged;
    must(lsn >= acknowledged, counts,
         "LSN " + std::to_string(acknowledged) + " was acknowledged, recovered is up to " +
             std::to_string(lsn));
    compare(one, got, counts);
    counts.unacknowledged += lsn > acknowledged ? 1 : 0;
    if (got.report.checkpoint_lsn != 0) {
        ++counts.from_checkpoint;
        io::file_system files(image);
        std::optional<io::finding> found;
        const auto all = io::manifest::open(files, "world", io::open_mode::read, found).value();
        const auto& newest = all.checkpoints().back();
        counts.from_increment += newest.is_full() ? 0 : 1;
        counts.from_slices += newest.last_lsn > newest.lsn ? 1 : 0;
    }
    if (random() % 16 == 0) check_others(one, image, lsn, counts);
    if (is_second) {
        ++counts.second;
    } else if (random() % 8 == 0) {
        go_on(image, std::move(got), seed, counts);
    }
}

/// A keeper takes the lease on what was recovered, the world goes on, and power fails once more.
void go_on(simulated_disk& image, recovery_of&& from, std::uint64_t seed, tally& counts) {
    checkpoint_scene next(image, std::move(from), options_of(seed + counts.images));
    next.act(next.random()() % 8);
    if (next.random()() % 2 == 0) next.drain();
    next.act(1);
    next.checkpoint(next.random()() % 3 == 0);
    next.act(next.random()() % 8);
    next.drain();
    next.act(next.random()() % 3);
    ++counts.resumed;
    check_image(next, {next.disk.changes(), loss::nothing}, seed, counts, true);
    for (int i = 0; i < 2; ++i) {
        const auto changes = next.random()() % (next.disk.changes() + 1);
        const auto how = all_losses[next.random()() % std::size(all_losses)];
        check_image(next, {changes, how}, seed, counts, true);
    }
}

checkpoint_scene* written_to = nullptr;

/// The bank goes on, and others drain.
void commit_between() {
    auto& one = *std::exchange(written_to, nullptr);  // A commit may meet the same point.
    one.act(one.random()() % 4);
    if (one.random()() % 4 == 0) one.drain();
    written_to = &one;
}

#if defined(PERDURE_RIG)
/// Just before a slice is copied.
void commit_at_gate(std::string_view point, std::uint64_t /*hit*/) {
    if (point == "gate.close" && written_to != nullptr) commit_between();
}
#endif

/// A checkpoint of slices, published; the bank writes between them.
io::checkpoint_entry take_slices(checkpoint_scene& one, const tally& counts) {
    auto promised = one.promised();
    auto self = shm::participant::join(one.where()).value();
    io::file_system files(one.disk);
    io::checkpoint_taker taker(files, one.where(), self);
    io::checkpoint_order order;
    order.directory = "world";
    order.world = promised.world();
    order.incarnation = promised.incarnation();
    order.epoch = shm::load(one.where().header().keeper.epoch);
    if (one.random()() % 3 != 0 && !promised.checkpoints().empty()) {
        order.parent = promised.checkpoints().back();
    }
    order.sliced = true;
    order.copy_bytes_max = 1;  // A run of pages, its section, the next run.
    order.fence = [&]() -> result<> { return commit_between(), result<>(); };
    order.await_durable = [&](std::uint64_t) -> result<> { return one.drain(), result<>(); };
    written_to = &one;
#if defined(PERDURE_RIG)
    shm::watch(commit_at_gate);
#endif
    const auto made = taker.take(order);
#if defined(PERDURE_RIG)
    shm::watch(nullptr);
#endif
    must(made.has_value(), counts, made ? "" : std::string(name(made.error())));
    std::optional<io::finding> found;
    auto publishing = io::manifest::open(files, "world", io::open_mode::read_write, found).value();
    must(publishing.publish_checkpoint(made->entry).has_value(), counts, "the MANIFEST");
    taker.forget();
    // The keeper has a MANIFEST of its own: as another one it opens it again.
    shm::word(one.where().header().keeper.epoch).fetch_add(1);
    must(one.keeper().take(one.where()).has_value(), counts, "the lease");
    return made->entry;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(fault_checkpoint_images)

BOOST_AUTO_TEST_CASE(every_legal_image_is_a_world_that_goes_on) {
    const auto asked = life_asked_for();
    const std::size_t wanted = asked != 0 ? 1 : turns(50'000, 3'000);
    const tbb::global_control one_thread(tbb::global_control::max_allowed_parallelism, 1);
    tally counts;
    for (std::uint64_t seed = asked != 0 ? asked : 1; counts.images < wanted; ++seed) {
        counts.at =
            "life " + std::to_string(seed) + " itself; again: " + again("every_legal_image*", seed);
        const auto one = live(seed, counts);
        // In CI a life is looked at in few places, so that there are several lives.
        const std::size_t step = is_torture() ? 1 : 17;
        for (std::size_t changes = one->born_at + seed % step; changes <= one->disk.changes();
             changes += step) {
            for (const loss how : all_losses) {
                counts.at = "life " + std::to_string(seed) + ", " + std::to_string(changes) +
                            " changes, loss " + std::to_string(static_cast<int>(how)) +
                            "; again: " + again("every_legal_image*", seed);
                check_image(*one, {changes, how}, seed, counts, false);
            }
        }
    }
    if (asked != 0 || is_sanitized) return;  // Too few lives for what follows.
    BOOST_TEST(counts.from_increment * 20 > counts.images);
    BOOST_TEST(counts.from_slices * 50 > counts.images);
    BOOST_TEST(counts.resumed > wanted / 20);
    BOOST_TEST(counts.retired > counts.lives);
    BOOST_TEST(counts.segments_gone * 3 > counts.lives);
}

BOOST_AUTO_TEST_CASE(slices_beside_writers_lead_to_the_end_of_the_journal) {
    const auto asked = life_asked_for();
    const std::uint64_t seeds = asked != 0 ? asked : turns(1'000, 60);
    tally counts;
    for (std::uint64_t seed = asked != 0 ? asked : 1; seed <= seeds; ++seed) {
        counts.at = "slices of life " + std::to_string(seed) +
                    "; again: " + again("slices_beside_writers*", seed);
        auto how = options_of(seed);
        how.policy.strategy = io::keep_strategy::versioned;
        checkpoint_scene one(how);
        ++counts.lives;
        for (int round = 0; round < 5; ++round) {
            one.act(one.random()() % 20);
            const auto entry = take_slices(one, counts);
            one.act(one.random()() % 8);
            one.drain();
            ++counts.images;
            counts.from_slices += entry.last_lsn > entry.lsn ? 1 : 0;
            counts.from_increment += entry.is_full() ? 0 : 1;
            const recovery_of got(one.disk);
            must(got.report.tried.size() == 1 && got.report.last_lsn == last_lsn_of(one), counts,
                 got.words());
            compare(one, got, counts);
            counts.from_checkpoint += got.report.checkpoint_lsn == entry.lsn ? 1 : 0;
        }
        check_others(one, one.disk, last_lsn_of(one), counts);
    }
    BOOST_TEST(counts.from_slices * 2 > counts.images);
    BOOST_TEST(counts.from_increment * 4 > counts.images);
    BOOST_TEST(counts.from_checkpoint == counts.images);
}

BOOST_AUTO_TEST_CASE(the_moment_of_a_kept_checkpoint_needs_no_journal) {
    // docs/operations.md: before the older of the two newest full ones "only the LSNs of
    // checkpoints" can be looked at.
    scene_options how;
    how.policy.strategy = io::keep_strategy::snapshot_only;
    checkpoint_scene one(how);
    for (int round = 0; round < 4; ++round) {
        for (int burst = 0; burst < 6; ++burst) one.act(9), one.drain();
        one.checkpoint(true);
    }
    const auto promised = one.promised();
    BOOST_REQUIRE(promised.checkpoints().size() == 4U);
    BOOST_REQUIRE(promised.segments().front().first_lsn > promised.checkpoints().front().lsn + 1);
    for (const auto& each : promised.checkpoints()) {
        const recovery_of got(one.disk, each.last_lsn);
        BOOST_TEST_REQUIRE(got.is_done, got.words());
        BOOST_TEST(difference(*image_at(one, each.last_lsn), image_of(*got.made.region)) == "");
    }
}

BOOST_AUTO_TEST_SUITE_END()

// SPDX-License-Identifier: Apache-2.0
//
// Claims of io/keeper.hpp and io/opening.hpp under death: a keeper is killed at every named crash
// point of io, at the first hit, the second and so on, while another process commits. Then either
// the next keeper takes over or the region is lost as well: what was acknowledged as durable is
// there, what is there is a prefix, value is conserved and the world goes on.
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <fstream>
#include <map>
#include <perdure/io/restore.hpp>
#include <perdure/shm/crash_point.hpp>
#include <perdure/tests/core/scene.hpp>
#include <perdure/tests/crash/named_points.hpp>
#include <perdure/tests/torture.hpp>
#include <random>
#include <thread>

namespace {

using namespace perdure;
using namespace perdure::tests;
namespace fs = std::filesystem;

constexpr std::uint64_t players = 8;
constexpr std::uint64_t deeds_max = 120;
constexpr shm::deadline moment = shm::deadline::in(std::chrono::milliseconds(20));

enum class circumstance {
    working,     ///< A keeper keeps up with a committing process.
    torn_tail,   ///< It finds half a block behind the journal's end.
    bad_disk,    ///< Its first sync fails.
    recovering,  ///< It rebuilds the region.
    copying,     ///< A process takes a snapshot, and keeps nothing.
    restoring,   ///< It makes a new world of this one and puts it in its place.
};

struct death {
    std::string point;
    std::uint64_t hit;
    circumstance when;
    bool region_lost;  ///< The machine goes down with it.
};

/// Linux, whose syncs fail once that is asked for.
struct failing_sync final : io::kernel_calls {
    bool fails = false;
    int sync(int descriptor) noexcept override {
        return fails ? -EIO : io::kernel_calls::sync(descriptor);
    }
};

struct deed {
    std::uint64_t key;
    receipt paid;
    bool acknowledged;
};

/// One world, one death in it, and the judgement.
class play {
  public:
    play(const death& end, shm::crash_tally& tally, unsigned seed)
        : end_(end), tally_(tally), random_(seed) {
        options_ = where_.options();
        // All tables are made without a drain: the first block is the dying keeper's.
        options_.ring_bytes = 128ULL << 10;
        if (end.when != circumstance::torn_tail) options_.segment_bytes = 16ULL << 10;
        // As many checkpoints as there are looks, all full, and no more kept than must be.
        options_.checkpoints.every_ns = 1;
        options_.checkpoints.full_every_ns = 1;
        options_.checkpoints.keep_count = 2;
        if (is_packing()) {
            options_.checkpoints.pack_bytes = 64ULL << 20;
            options_.checkpoints.every_ns = 0;  // What is retired is not packed.
        }
        make_history();
        switch (end.when) {
            case circumstance::recovering:
                where_.delete_region();
                die_doing([this] { open(); });
                break;
            case circumstance::restoring: die_doing([this] { restore_and_swap(); }); break;
            case circumstance::copying: die_doing([this] { open().snapshot(); }); break;
            default: die_keeping();
        }
    }

    [[nodiscard]] bool died() const noexcept { return died_; }
    [[nodiscard]] const std::string& fault() const noexcept { return fault_; }
    /// Until somebody could commit again.
    [[nodiscard]] std::chrono::nanoseconds idle() const noexcept { return idle_; }

  private:
    void note(const std::string& fault) {
        if (fault_.empty()) fault_ = fault;
    }
    world open() const { return world::open(where_.directory(), options_); }
    [[nodiscard]] bool is_packing() const { return end_.point.starts_with("packing."); }

    /// One transfer under a key; some with so much noise that nothing compresses it.
    void commit_one(world& in, session& by) {
        const std::uint64_t key = deeds_.size() + 1;
        std::array<std::uint64_t, 400> noise{};
        if (key % 4 == 0) {
            for (auto& each : noise) each = random_();
        }
        const auto paid = by.write(
            [&](tx& now) -> result<> {
                PERDURE_TRY(in.books().once(now, {key, 1}));
                if (key % 4 == 0) now.event(900, 1, std::as_bytes(std::span(noise)));
                return in.books().transfer(now, player(key % players), player((key + 3) % players),
                                           gold, 1);
            },
            moment);
        if (paid) {
            deeds_.push_back({key, *paid, false});
        } else if (paid.error() != errc::stalled) {
            note("a commit: " + std::string(name(paid.error())));
        }
    }

    void make_history() {
        auto in = open();
        auto by = in.join();
        found(in, by, players, 1000);
        // The first segment is made for less than what stands in the ring when the keeper comes.
        for (int i = 0; i < 40; ++i) commit_one(in, by);
        // Segments of small blocks.
        for (int i = 0; i < 24 && is_packing(); ++i) {
            commit_one(in, by);
            if (!in.wait(by, deeds_.back().paid, durability::durable)) note("the history");
            deeds_.back().acknowledged = true;
        }
        // Two generations stand: the keeper's first checkpoint makes the oldest superfluous.
        for (int i = 0; i < 2 && end_.point.starts_with("retention."); ++i) {
            in.checkpoint(true);
            for (int each = 0; each < 8; ++each) commit_one(in, by);
        }
        if (end_.when == circumstance::working || end_.when == circumstance::bad_disk) return;
        for (int i = 0; i < 4; ++i) {
            for (int each = 0; each < 4; ++each) commit_one(in, by);
            if (!in.wait(by, deeds_.back().paid, durability::durable)) note("the history");
            if (i == 1 && end_.when == circumstance::recovering) in.checkpoint(true);
        }
        for (auto& each : deeds_) each.acknowledged = true;
        if (end_.when == circumstance::torn_tail) tear();
    }

    /// The front of a block, where the next one would begin.
    void tear() const {
        std::string last;
        for (const auto& each : fs::directory_iterator(where_.directory() + "/journal")) {
            if (each.path().extension() == ".pj") last = std::max(last, each.path().string());
        }
        std::fstream file(last, std::ios::in | std::ios::out | std::ios::binary);
        std::string bytes(fs::file_size(last), '\0');
        file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
        const auto used = bytes.find_last_not_of('\0') / 4096 * 4096;
        file.seekp(static_cast<std::streamoff>(used + 4096));
        file.write(bytes.data() + used, 100);
    }

    void begin_to_die() const {
        shm::count_into(&tally_);
        shm::arm({.point = end_.point, .hit = end_.hit});
    }

    void die_keeping() {
        shared_one<std::atomic<bool>> stop;
        child keeper([&] {
            begin_to_die();
            failing_sync calls;
            auto options = options_;
            options.calls = &calls;
            auto in = world::open(where_.directory(), options);
            bool asked = false;
            in.keep([&] {
                calls.fails = asked && end_.when == circumstance::bad_disk;
                asked = true;
                return stop->load();
            });
            return 0;
        });
        auto in = open();
        // Nobody here may drain: it is the keeper's turn until it is dead.
        auto by = session::join(in.region(), nullptr).value();
        while (deeds_.size() < deeds_max && !keeper.has_ended()) {
            commit_one(in, by);
            if (deeds_.size() % 3 == 0) acknowledge(by);
        }
        // A few at a time, beside everything else.
        for (int i = 0; i < 5000 && is_packing() && !keeper.has_ended(); ++i) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        stop->store(true);
        died_ = ended_by(keeper.wait());
        acknowledge(by);
        if (end_.region_lost) return lose_region(in, by);
        take_over(in, by);
    }

    bool ended_by(int status) {
        if (status == 128 + SIGKILL) return true;
        if (status != 0) note("the keeper ended by itself, status " + std::to_string(status));
        return false;
    }

    /// Asks which deeds have survived by now, the last first.
    void acknowledge(session& by) {
        if (deeds_.empty() || !by.wait_durable(deeds_.back().paid, moment)) return;
        for (auto each = deeds_.rbegin(); each != deeds_.rend() && !each->acknowledged; ++each) {
            each->acknowledged = true;
        }
    }

    void take_over(world& in, session& by) {
        expect_sound(in, by, "after the death");
        const auto before = in.status().durable_lsn;
        for (const auto& each : deeds_) {
            if (each.acknowledged && each.paid.lsn > before) note("the mark went back");
        }
        go_on(in, end_.hit % 2 == 0);
        expect_sound(in, by, "after the next keeper");
        if (in.status().durable_lsn <= before) note("the mark stands still");
        for (auto& each : deeds_) each.acknowledged = true;
        lose_region(in, by);
    }

    /// The next commit, made durable by who waits or by a keeper.
    void go_on(world& in, bool by_keeper) {
        const auto from = std::chrono::steady_clock::now();
        auto helped = in.join();
        if (by_keeper) {
            // With a full ring nobody commits until it has been drained.
            const auto tail = in.status().last_lsn;
            in.keep([&] { return in.status().durable_lsn >= tail; });
        }
        const auto before = deeds_.size();
        for (int turn = 0; turn < 100 && deeds_.size() == before; ++turn) commit_one(in, helped);
        idle_ = std::max(idle_, std::chrono::nanoseconds(std::chrono::steady_clock::now() - from));
        if (deeds_.size() == before) return note("the next commit");
        if (by_keeper) {
            in.keep([&] { return in.status().durable_lsn >= deeds_.back().paid.lsn; });
        }
        const auto settled = in.wait(helped, deeds_.back().paid, durability::durable);
        const auto now = in.status();
        if (!settled) {
            note("the next wait: " + std::string(name(settled.error())) + ", durable " +
                 std::to_string(now.durable_lsn) + " of " + std::to_string(now.last_lsn) +
                 ", fault " + std::to_string(now.fault));
        }
    }

    void lose_region(world& in, session& by) {
        const auto path = in.region().path();
        {
            const auto gone_world = std::move(in);
            const auto gone_session = std::move(by);  // Leaves first.
        }
        fs::remove(path);
        judge_recovered();
    }

    /// Somebody who is no keeper, alone.
    void die_doing(const std::function<void()>& act) {
        child other([&] {
            begin_to_die();
            act();
            return 0;
        });
        died_ = ended_by(other.wait());
        if (died_ && end_.when != circumstance::recovering) where_.delete_region();
        judge_recovered();
    }

    void restore_and_swap() const {
        io::kernel_calls calls;
        io::restore_order what;
        what.from = where_.directory();
        what.to = where_.directory() + ".restored";
        what.how.region_directory = where_.memory();
        what.how.region.capacity_bytes = options_.capacity_bytes;
        io::restore_world(calls, what);
        io::swap_worlds(calls, what.from, what.to);
    }

    void judge_recovered() {
        auto in = open();
        auto by = in.join();
        if (died_ && !in.opened().recovered) note("nothing was recovered");
        // A world that died before its first sync begins anew.
        if (!balance_of(in, by, player(0))) found(in, by, players, 1000);
        expect_sound(in, by, "recovered");
        bool gap = false;
        std::size_t there = 0;
        for (const auto& each : deeds_) {
            const auto row = by.read([&](view& seen) {
                return shm::get_key<key_row>(seen, in.books().numbers().keys, {each.key, 1});
            });
            const auto words = "deed " + std::to_string(each.key);
            if (!row && each.acknowledged) note(words + " was durable and is lost");
            if (row && gap) note(words + " is there, one before it is not");
            if (row && row->header.lsn != each.paid.lsn) note(words + " has another LSN");
            gap = gap || !row;
            there += row ? 1U : 0U;
        }
        deeds_.resize(std::min(there, deeds_.size()));
        go_on(in, false);
        expect_sound(in, by, "recovered, and gone on");
    }

    void expect_sound(world& in, session& by, const std::string& when) {
        const auto seen = in.verify(by);
        if (!seen.conserved) note(when + ": value is not conserved");
        if (!seen.sound) note(when + ": " + seen.problems.front());
    }

    death end_;
    shm::crash_tally& tally_;
    scene where_;
    world_options options_;
    std::mt19937_64 random_;
    std::vector<deed> deeds_;
    bool died_ = false;
    std::string fault_;
    std::chrono::nanoseconds idle_{0};
};

std::vector<circumstance> circumstances_of(const std::string& point) {
    if (point.starts_with("rebuild.") || point.starts_with("recovery.")) {
        return {circumstance::recovering};
    }
    if (point.starts_with("restore.")) return {circumstance::restoring};
    if (point.starts_with("snapshot.")) return {circumstance::copying};
    if (point == "journal.tail_erased") return {circumstance::torn_tail};
    if (point == "keeper.freeze") return {circumstance::bad_disk};
    if (point.starts_with("manifest.")) return {circumstance::working, circumstance::recovering};
    return {circumstance::working};
}

struct kill_counts {
    std::uint64_t deaths = 0;
    std::chrono::nanoseconds idle_max{0};
};

/// Every hit of the point up to the limit, each with and without the region's loss.
kill_counts kill_at(const std::string& point, std::uint64_t hits_max, unsigned seed,
                    shm::crash_tally& tally) {
    kill_counts here;
    for (const auto when : circumstances_of(point)) {
        // A disk that failed under a keeper that lives on is another test's story.
        const std::uint64_t most = when == circumstance::bad_disk ? 1 : hits_max;
        bool goes_on = true;
        for (std::uint64_t hit = 1; hit <= most && goes_on; ++hit) {
            for (const bool region_lost : {false, true}) {
                const play one({point, hit, when, region_lost}, tally, seed);
                here.deaths += one.died() ? 1U : 0U;
                here.idle_max = std::max(here.idle_max, one.idle());
                goes_on = goes_on && one.died();
                BOOST_TEST(one.fault().empty(), point << ", hit " << hit
                                                      << (region_lost ? ", region lost" : "")
                                                      << ", seed " << seed << ": " << one.fault());
            }
        }
    }
    return here;
}

BOOST_AUTO_TEST_CASE(a_keeper_may_be_killed_anywhere) {
    const bool torture = is_torture();
    const std::uint64_t hits_max = torture ? 30 : 3;
    const std::uint64_t deaths_wanted = torture ? 5000 : 1;
    shared_one<shm::crash_tally> tally;
    const auto points = points_named_in("io");
    BOOST_TEST_REQUIRE(points.size() >= 20U);
    std::map<std::string, std::uint64_t> deaths;
    kill_counts all;
    for (unsigned round = 0; all.deaths < deaths_wanted; ++round) {
        for (const auto& point : points) {
            const auto here = kill_at(point, hits_max, 5 + round, *tally);
            deaths[point] += here.deaths;
            all.deaths += here.deaths;
            all.idle_max = std::max(all.idle_max, here.idle_max);
            if (round == 0) BOOST_TEST_REQUIRE(here.deaths != 0U, point << " was never hit");
        }
        std::printf("round %u: %lu deaths\n", round, all.deaths);
        std::fflush(stdout);
    }
    for (const auto& point : points) {
        std::printf("%-24s %4lu deaths, %6lu hits\n", point.c_str(), deaths[point],
                    tally->hits_of(point));
    }
    std::printf("%lu deaths at %zu points; the next commit was made after %.1f ms at most\n",
                all.deaths, points.size(), static_cast<double>(all.idle_max.count()) / 1e6);
}

}  // namespace

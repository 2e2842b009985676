// SPDX-License-Identifier: Apache-2.0
//
// Claims I2, I3, I4 and I7 of a whole world over time: processes trade in it while one keeps it,
// with checkpoints, packing, scrubbing and retention without a rest, and another stands by. Any of
// them is killed at random; now and then all are, with the region or without. What was acknowledged
// as durable is there, nothing is that nobody began, and `verify --deep` finds nothing.
#include <array>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <memory>
#include <perdure/io/manifest.hpp>
#include <perdure/tests/core/scene.hpp>
#include <perdure/tests/torture.hpp>
#include <random>
#include <vector>

namespace {

using namespace perdure;
using namespace perdure::tests;

constexpr std::uint64_t players = 400;
constexpr std::size_t traders = 3;
constexpr std::size_t keepers = 2;
constexpr std::size_t lives_max = 1 << 16;
constexpr account_id purse(std::uint64_t life) noexcept { return player(1'000'000 + life); }

/// What a trader has done in a life of its own: it pays one coin after another into its own purse.
struct life_story {
    std::atomic<std::uint64_t> begun;    ///< Payments.
    std::atomic<std::uint64_t> durable;  ///< Of them, acknowledged.
};
using stories = std::array<life_story, lives_max>;

world_options options_of(const scene& where) {
    auto made = where.options();
    made.slot_count = 32;
    made.ring_bytes = 2ULL << 20;
    made.undo_bytes = 512ULL << 10;
    made.segment_bytes = 64ULL << 10;
    auto& policy = made.checkpoints;
    policy.every_ns = 5'000'000;
    policy.full_every_ns = 100'000'000;
    policy.keep_count = 3;
    policy.pack_bytes = 16ULL << 20;
    policy.scrub_bytes = 16ULL << 20;
    return made;
}

int trade(const scene& where, std::uint64_t life, life_story& mine) {
    auto in = world::open(where.directory(), options_of(where));
    auto by = in.join();
    std::mt19937_64 random(life);
    const auto& books = in.books();
    const auto patient = shm::deadline::in(std::chrono::seconds(60));
    const auto opened = by.write(
        [&](tx& now) { return books.open_account(now, purse(life), account_kind::player); },
        patient);
    if (!opened) return static_cast<int>(opened.error());
    for (std::uint64_t number = 1;; ++number) {
        mine.begun = number;
        const auto paid = by.write(
            [&](tx& now) -> result<> {
                const auto from = random() % players;
                PERDURE_TRY(books.transfer(now, player(from), player((from + 7) % players), gold,
                                           static_cast<amount>(random() % 3 + 1)));
                return books.transfer(now, treasury, purse(life), gold, 1);
            },
            patient);
        if (!paid) return static_cast<int>(paid.error());
        if (number % 4 == 0) {
            const auto settled = in.wait(by, *paid, durability::durable, patient);
            if (!settled) return static_cast<int>(settled.error());
            mine.durable = number;
        }
        ::usleep(static_cast<unsigned>(random() % 200));
    }
}

/// While nobody else is there. Says what is wrong; the answer is how many problems there are.
int judge(const scene& where, const stories& all, std::uint64_t lives) {
    auto in = world::open(where.directory(), options_of(where));
    auto by = in.join();
    int problems = 0;
    const auto note = [&](const std::string& words) {
        std::printf("  %s\n", words.c_str());
        ++problems;
    };
    const auto seen = in.verify(by, {.deep = true});
    if (!seen.conserved) note("value is not conserved");
    for (const auto& each : seen.problems) note(each);
    for (std::uint64_t life = 0; life < lives; ++life) {
        const auto held = balance_of(in, by, purse(life));
        const auto coins = held ? static_cast<std::uint64_t>(*held) : 0;
        const auto words = "life " + std::to_string(life) + ": " + std::to_string(coins) + " paid";
        const std::uint64_t durable = all[life].durable;
        const std::uint64_t begun = all[life].begun;
        if (coins < durable) note(words + ", " + std::to_string(durable) + " were durable");
        if (coins > begun) note(words + ", " + std::to_string(begun) + " were begun");
    }
    std::fflush(stdout);
    return problems;
}

class soak {
  public:
    struct tally {
        std::uint64_t kills = 0;
        std::uint64_t keepers_killed = 0;
        std::uint64_t all_killed = 0;
        std::uint64_t regions_lost = 0;
        std::uint64_t stops = 0;
    };

    explicit soak(unsigned seed) : random_(seed) {
        auto in = world::open(where_.directory(), options_of(where_));
        auto by = in.join();
        found(in, by, players, 1'000'000);
        const auto& books = in.books();
        by.write([&](tx& now) {
              return books.mint(now, treasury, treasury, gold, 1'000'000'000);
          }).value();
    }

    /// Faults found.
    int run(std::uint64_t kills) {
        int faults = 0;
        std::fflush(stdout);  // Before it is inherited.
        begin();
        while (counts.kills < kills && faults == 0) {
            ::usleep(static_cast<unsigned>(random_() % 20'000));
            const auto what = random_() % 64;
            if (what == 0) {
                faults += all_at_once(random_() % 3 != 0);
            } else if (what < 8) {
                stop_one();
            } else {
                faults += kill_one();
            }
        }
        return faults + all_at_once(true);
    }

    /// That were finished, of all there ever were.
    std::uint64_t checkpoints() const {
        io::kernel_calls calls;
        io::file_system files(calls);
        std::optional<io::finding> found;
        const auto promised =
            io::manifest::open(files, where_.directory(), io::open_mode::read, found);
        const auto& kept = promised.value().checkpoints();
        return kept.empty() ? 0 : kept.back().version;
    }
    std::uint64_t lives() const noexcept { return lives_; }
    std::uint64_t payments() const {
        std::uint64_t sum = 0;
        for (std::uint64_t i = 0; i < lives_; ++i) sum += (*all_)[i].durable;
        return sum;
    }
    tally counts;

  private:
    std::unique_ptr<child> keeper() {
        return std::make_unique<child>([this] {
            auto in = world::open(where_.directory(), options_of(where_));
            in.keep([] { return false; });
            return 0;
        });
    }
    std::unique_ptr<child> trader() {
        const auto life = lives_++;
        return std::make_unique<child>([this, life] { return trade(where_, life, (*all_)[life]); });
    }
    void begin() {
        for (std::size_t i = 0; i < keepers + traders; ++i) {
            present_.push_back(i < keepers ? keeper() : trader());
        }
    }

    /// Whoever ended by itself is a fault, too.
    int end(child& one) {
        const bool by_itself = one.has_ended();
        const int status = by_itself ? one.wait() : one.kill();
        ++counts.kills;
        if (!by_itself && status == 128 + SIGKILL) return 0;
        std::printf("  a process ended with status %d\n", status);
        return 1;
    }

    int kill_one() {
        // A checkpoint takes a while, and most shall come to their end.
        const bool keeps = random_() % 6 == 0;
        const auto place = keeps ? random_() % keepers : keepers + random_() % traders;
        const int faults = end(*present_[place]);
        counts.keepers_killed += keeps ? 1U : 0U;
        present_[place] = keeps ? keeper() : trader();
        return faults;
    }

    void stop_one() {
        const auto pid = present_[random_() % present_.size()]->pid();
        ::kill(pid, SIGSTOP);
        ::usleep(static_cast<unsigned>(random_() % 30'000));
        ::kill(pid, SIGCONT);
        ++counts.stops;
    }

    int all_at_once(bool region_lost) {
        int faults = 0;
        for (auto& each : present_) faults += end(*each);
        present_.clear();
        ++counts.all_killed;
        if (region_lost) {
            where_.delete_region();
            ++counts.regions_lost;
        }
        child alone([this] { return judge(where_, *all_, lives_) == 0 ? 0 : 1; });
        faults += alone.wait() == 0 ? 0 : 1;
        begin();
        return faults;
    }

    std::mt19937_64 random_;
    scene where_;
    shared_one<stories> all_;
    std::uint64_t lives_ = 0;
    std::vector<std::unique_ptr<child>> present_;
};

BOOST_AUTO_TEST_CASE(a_world_with_checkpoints_outlives_all_who_work_in_it) {
    const unsigned seed = is_torture() ? std::random_device{}() : 1;
    soak on(seed);
    const int faults = on.run(is_torture() ? 10'000 : 150);
    const auto& c = on.counts;
    std::printf(
        "seed %u: %lu kills (%lu of keepers), %lu stops, %lu times all at once, %lu regions lost, "
        "%lu checkpoints, %lu durable payments of %lu lives, %d faults\n",
        seed, c.kills, c.keepers_killed, c.stops, c.all_killed, c.regions_lost, on.checkpoints(),
        on.payments(), on.lives(), faults);
    BOOST_TEST(faults == 0);
    BOOST_TEST(c.regions_lost >= 1U);
    BOOST_TEST(on.checkpoints() >= 1U);
    BOOST_TEST(on.payments() > c.kills);
}

}  // namespace

// SPDX-License-Identifier: Apache-2.0
//
// Claims of plugins/host/minder.hpp, supervisor.hpp and loading.hpp, in a world that is kept: every
// window is run once whatever dies; who dies too often is quarantined and the world goes on; an
// operator's changes are followed.
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <mutex>
#include <perdure/plugins/host/loading.hpp>
#include <perdure/plugins/host/supervisor.hpp>
#include <perdure/tests/core/scene.hpp>
#include <random>

namespace {

using namespace perdure;
using namespace perdure::tests;
using plugins::plugin_state;

const account_id bank = account_id::of("bank");
constexpr auto* payer_id = "org.example.payer";
constexpr auto* rogue_id = "org.example.rogue";

std::string build_file(const std::string& name) {
    const char* const build = std::getenv("PERDURE_BUILD");
    BOOST_TEST_REQUIRE(build != nullptr);
    return std::string(build) + "/" + name;
}
std::string sample(const std::string& name) {
    return build_file("tests/plugins/samples/" + name + ".so");
}

/// A world that this process keeps, with its plugins.
struct kept : scene {
    world in = open_ticking();
    session by = in.join();
    std::mutex lines_turn;
    std::vector<std::string> lines;
    std::atomic<bool> stops = false;
    std::optional<plugins::supervisor> all;
    std::thread keeper;

    kept() {
        found(in, by, 8, 1000);
        static_cast<void>(by.write([&](tx& now) -> result<> {
                                PERDURE_TRY(
                                    in.books().open_account(now, "bank", account_kind::treasury));
                                return in.books().mint(now, treasury, bank, gold, 1'000'000);
                            }).value());
        begin();
    }
    ~kept() { end(); }

    [[nodiscard]] world open_ticking() const {
        auto made = options();
        made.undo_bytes = 128ULL << 10;
        made.slot_count = 16;
        made.clock.tick_ns = 10'000'000;
        return world::open(directory(), made);
    }
    void begin() {
        stops = false;
        keeper = std::thread([this] { in.keep([this] { return stops.load(); }); });
        BOOST_TEST_REQUIRE(eventually([&] { return in.status().keeper_pid != 0; }));
        plugins::host_terms terms;
        terms.kept = &in;
        terms.program = build_file("bin/perdure_plugin_host");
        terms.user = ::getuid() == 0 ? 65534U : 0U;
        terms.say = [this](std::string_view id, std::uint32_t, std::string_view text) {
            const std::lock_guard lock(lines_turn);
            lines.push_back(std::string(id) + ": " + std::string(text));
        };
        all.emplace(std::move(terms));
    }
    void end() {
        all.reset();
        stops = true;
        if (keeper.joinable()) keeper.join();
    }
    bool has_line(std::string_view part) {
        const std::lock_guard lock(lines_turn);
        return std::ranges::any_of(
            lines, [&](const std::string& line) { return line.find(part) != std::string::npos; });
    }
    std::optional<plugins::plugin_row> row(std::string_view id) {
        for (const auto& each : plugins::list_plugins(in)) {
            if (plugins::text_in(each.id) == id) return each;
        }
        return std::nullopt;
    }
    bool is(std::string_view id, plugin_state state) {
        const auto at = row(id);
        return at && at->state == static_cast<std::uint32_t>(state);
    }
    std::uint64_t windows(std::string_view id) {
        const auto at = row(id);
        return at ? at->window : 0;
    }
    /// Eight units a window, and what the window at hand has paid of it.
    void expect_paid_exactly() {
        const auto balances = by.read([&](view& seen) -> result<std::array<amount, 3>> {
            auto& books = in.books();
            return std::array{PERDURE_TRY(books.balance(seen, bank, gold)),
                              PERDURE_TRY(books.balance(seen, player(0), gold)),
                              PERDURE_TRY(books.balance(seen, player(7), gold))};
        });
        const auto at = row(payer_id);
        BOOST_TEST_REQUIRE(at.has_value());
        const auto done = static_cast<amount>(at->window);
        const amount open = at->done >= 1 ? 1 : 0;
        const amount whole = at->done >= 2 ? 1 : 0;
        BOOST_TEST((*balances)[0] == 1'000'000 - 8 * done - 4 * open - 4 * whole);
        BOOST_TEST((*balances)[1] == 1000 + done + open);
        BOOST_TEST((*balances)[2] == 1000 + done + whole);
    }
    void expect_working() {
        BOOST_TEST(pay(in, by, 0, 1, 1).has_value());
        BOOST_TEST(pay(in, by, 1, 0, 1).has_value());
        const auto now = in.verify(by);
        BOOST_TEST(now.sound);
        BOOST_TEST(now.conserved);
    }
    void load(const std::string& name, const std::string& config = "{}") {
        plugins::load_plugin(in, by, {.path = sample(name), .config = config, .who = 7});
    }
};

pid_t process_of_host() {
    // The one child that is a plugin's host.
    for (const auto& each : std::filesystem::directory_iterator("/proc")) {
        std::ifstream file(each.path() / "stat");
        std::string pid;
        std::string command;
        std::string state;
        pid_t parent = 0;
        if (!(file >> pid >> command >> state >> parent)) continue;
        if (state == "Z") continue;
        if (parent == ::getpid() && command == "(perdure_plugin_)") return std::stoi(pid);
    }
    return 0;
}

BOOST_FIXTURE_TEST_CASE(a_loaded_plugin_runs_until_it_is_unloaded, kept) {
    load("payer");
    BOOST_TEST(eventually([&] { return windows(payer_id) >= 5; }));
    plugins::set_enabled(in, by, payer_id, false, 7);
    BOOST_TEST(eventually([&] { return process_of_host() == 0; }));
    expect_paid_exactly();
    const auto then = windows(payer_id);
    plugins::set_enabled(in, by, payer_id, true, 7);
    // Windows that ended meanwhile are made up, each once.
    BOOST_TEST(eventually([&] { return windows(payer_id) >= then + 10; }));
    plugins::unload_plugin(in, by, payer_id, 7);
    BOOST_TEST(eventually([&] { return process_of_host() == 0; }));
    BOOST_TEST(!row(payer_id).has_value());
    BOOST_TEST(eventually([&] { return has_line("ns each"); }));
    BOOST_CHECK_THROW(plugins::unload_plugin(in, by, payer_id, 7), failure);
    expect_working();
}

BOOST_FIXTURE_TEST_CASE(a_plugin_that_is_killed_goes_on_and_pays_each_window_once, kept) {
    load("payer");
    std::mt19937_64 chance(3);
    pid_t last = 0;
    for (std::uint64_t kills = 1; kills <= 3; ++kills) {
        pid_t pid = 0;
        BOOST_TEST_REQUIRE(eventually([&] { return (pid = process_of_host()) != 0; }));
        BOOST_TEST(pid != last);
        last = pid;
        ::usleep(static_cast<useconds_t>(chance() % 150'000));
        BOOST_TEST(::kill(pid, SIGKILL) == 0);
        BOOST_TEST(eventually([&] { return row(payer_id)->crashes == kills; }));
    }
    const auto then = windows(payer_id);
    BOOST_TEST(eventually([&] { return windows(payer_id) > then + 3; }));
    plugins::set_enabled(in, by, payer_id, false, 7);
    BOOST_TEST(eventually([&] { return process_of_host() == 0; }));
    expect_paid_exactly();
    expect_working();
}

BOOST_FIXTURE_TEST_CASE(who_dies_five_times_is_quarantined_and_the_world_goes_on, kept) {
    load("payer");
    load("rogue", R"({"in":"tick","do":"crash"})");
    BOOST_TEST(eventually([&] { return row(rogue_id)->crashes >= 2; }));
    expect_working();
    BOOST_TEST(eventually([&] { return is(rogue_id, plugin_state::quarantined); }));
    BOOST_TEST(has_line("signal 11"));
    BOOST_TEST(row(rogue_id)->crashes == 5U);
    BOOST_TEST(row(rogue_id)->cause == static_cast<std::uint32_t>(errc::plugin_failed));
    const auto then = windows(payer_id);
    BOOST_TEST(eventually([&] { return windows(payer_id) > then; }));
    // The operator mends its configuration: what it missed is made up.
    plugins::unload_plugin(in, by, rogue_id, 7);
    load("rogue");
    BOOST_TEST(eventually([&] { return windows(rogue_id) >= 2; }));
    expect_working();
}

BOOST_FIXTURE_TEST_CASE(a_window_that_fails_stays_open_until_it_succeeds, kept) {
    load("rogue", R"({"in":"tick","do":"fail"})");
    BOOST_TEST(eventually([&] { return has_line("plugin_failed"); }));
    BOOST_TEST(windows(rogue_id) == 0U);
    BOOST_TEST(is(rogue_id, plugin_state::active));
    BOOST_TEST(row(rogue_id)->crashes == 0U);
    expect_working();
}

BOOST_FIXTURE_TEST_CASE(the_next_keeper_goes_on_where_the_last_one_was, kept) {
    load("payer");
    for (int turn = 0; turn < 3; ++turn) {
        const auto then = windows(payer_id);
        BOOST_TEST(eventually([&] { return windows(payer_id) > then + 1; }));
        end();
        BOOST_TEST(process_of_host() == 0);
        expect_paid_exactly();
        begin();
    }
    const auto generation = row(payer_id)->generation;
    BOOST_TEST(generation >= 3U);
    end();
    expect_paid_exactly();
    expect_working();
}

BOOST_FIXTURE_TEST_CASE(what_does_not_fit_the_world_is_refused_by_name, kept) {
    const auto why = [&](const std::string& name, const std::string& config = "{}") {
        try {
            load(name, config);
        } catch (const failure& refused) {
            BOOST_TEST(!refused.todo().empty());
            return std::string(perdure::name(refused.reason())) + ": " + refused.thing();
        }
        return std::string("loaded");
    };
    const auto expect = [&](const std::string& said, const std::string& part) {
        BOOST_TEST(said.find(part) != std::string::npos, said);
    };
    expect(why("sample_tick"), "no table purses");
    expect(why("not_a_plugin"), "bad_plugin");
    expect(why("rogue", R"({"of":1})"), "bad_setting");
    expect(why("rogue", "nonsense"), "bad_setting");
    BOOST_TEST(plugins::list_plugins(in).empty());
    load("payer");
    expect(why("payer"), "exists");
    BOOST_TEST(plugins::list_plugins(in).size() == 1U);
    expect_working();
}

BOOST_FIXTURE_TEST_CASE(every_step_of_a_life_is_an_event, kept) {
    load("payer");
    BOOST_TEST(eventually([&] { return windows(payer_id) >= 1; }));
    plugins::set_enabled(in, by, payer_id, false, 42);
    plugins::unload_plugin(in, by, payer_id, 42);
    std::vector<std::uint32_t> steps;
    std::uint64_t last_by = 0;
    auto from = in.follow(1, durability::applied);
    for (;;) {
        const auto batch = from.next().value();
        if (batch.is_empty()) break;
        shm::record_walk walk(batch.records);
        shm::record_view record;
        while (walk.next(record).value()) {
            for (const auto event : record.events()) {
                if (event.type != static_cast<std::uint16_t>(event_type::plugin_stepped)) continue;
                const auto said = event.as<plugins::plugin_stepped_v1>().value();
                BOOST_TEST(plugins::text_in(said.id) == payer_id);
                BOOST_TEST(plugins::text_in(said.file).size() == 64U);
                steps.push_back(said.step);
                last_by = said.by;
            }
        }
    }
    using step = plugins::plugin_step;
    const std::vector<std::uint32_t> expected{
        static_cast<std::uint32_t>(step::loaded), static_cast<std::uint32_t>(step::activated),
        static_cast<std::uint32_t>(step::disabled), static_cast<std::uint32_t>(step::unloaded)};
    BOOST_TEST(steps == expected, boost::test_tools::per_element());
    BOOST_TEST(last_by == 42U);
}

}  // namespace

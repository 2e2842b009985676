// SPDX-License-Identifier: Apache-2.0
//
// A world that the test's own process keeps, with a bank, eight players and its plugins.
#pragma once

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <perdure/plugins/host/loading.hpp>
#include <perdure/plugins/host/supervisor.hpp>
#include <perdure/tests/core/scene.hpp>

namespace perdure::tests {

using plugins::plugin_state;

inline const account_id bank = account_id::of("bank");
inline constexpr auto* payer_id = "org.example.payer";
inline constexpr auto* rogue_id = "org.example.rogue";

inline std::string build_file(const std::string& name) {
    const char* const build = std::getenv("PERDURE_BUILD");
    BOOST_TEST_REQUIRE(build != nullptr);
    return std::string(build) + "/" + name;
}
inline std::string sample(const std::string& name) {
    return build_file("tests/plugins/samples/" + name + ".so");
}

/// A world that this process keeps, with its plugins.
struct kept_stage : scene {
    world in = open_ticking();
    session by = in.join();
    std::mutex lines_turn;
    std::vector<std::string> lines;
    std::atomic<bool> stops = false;
    std::optional<plugins::supervisor> all;
    std::thread keeper;

    kept_stage() {
        found(in, by, 8, 1000);
        static_cast<void>(by.write([&](tx& now) -> result<> {
                                PERDURE_TRY(
                                    in.books().open_account(now, "bank", account_kind::treasury));
                                return in.books().mint(now, treasury, bank, gold, 1'000'000);
                            }).value());
        begin();
    }
    ~kept_stage() { end(); }

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

/// The one child that is a plugin's host, 0 without one.
inline pid_t process_of_host() {
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

}  // namespace perdure::tests

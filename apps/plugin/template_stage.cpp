// SPDX-License-Identifier: Apache-2.0
//
// The tests that new projects have where the whole package is installed.
#include <perdure/apps/plugin/template.hpp>

namespace perdure::apps {

const std::string_view stage_test_head =
    R"(// Plays the plugin that its first argument names in worlds of its own, which vanish with the
// test; manifest, rights and commands are judged by what judges them in a keeper.
#include <cstdio>

#include <perdure/plugins/kit/trial.hpp>

using namespace perdure::plugins;

)";

const std::string_view stage_test_foot = R"(
int main(int argc, char** argv) {
    if (argc != 2) return 2;
    try {
        test({.file = argv[1]});
    } catch (const std::exception& why) {
        std::printf("failed: %s\n", why.what());
        return 1;
    }
    std::puts("passed, in worlds of perdure's test kit");
}
)";

const std::string_view yield_stage_test =
    R"(static void play(stage& world) {
    world.asset("gold", 2).account("treasury", {{"gold", 1'000'000}});
    for (int i = 0; i < 40; ++i) {
        world.account("player" + std::to_string(i), {{"gold", (i + 1) * 1000}});
    }
    world.load();
    world.advance_windows(2);
    world.run();
}

static void test(stage_terms terms) {
    terms.config = "{\"rate\":100}";
    stage world(terms);
    play(world);
    world.expect(world.balance("player0", "gold") == 1020, "1 % of 1000 was paid twice");
    world.expect(world.balance("player39", "gold") == 40'804, "a second window pays on the first");
    world.expect(world.place().windows == 2, "two windows are done");
    world.expect_sound();

    // Time that passes is made up window by window; what cannot be paid is not paid in part.
    world.advance_windows(100);
    const auto poor = world.try_run();
    world.expect(poor.status == PERDURE_INSUFFICIENT_FUNDS, "the treasury runs dry");
    world.expect(world.refusals().size() == 1, "one batch was refused");
    world.expect_sound();

    std::printf("killed at %d moments\n", static_cast<int>(for_each_crash(terms, play)));
    expect_same_twice(terms, play);
    for (const char* right : {"transfer", "debit treasury", "read balances"}) {
        expect_denied(terms, right, play);
    }
}
)";

const std::string_view sink_stage_test =
    R"(struct totals {
    std::uint64_t transfers;
    std::int64_t units;
};

static void play(stage& world) {
    world.asset("gold", 2).account("alice", {{"gold", 1000}}).account("bob");
    world.load();
    world.transfer("alice", "bob", {"gold", 100}).transfer("alice", "bob", {"gold", 200});
    world.run();
    world.transfer("bob", "alice", {"gold", 50});
    world.run();
}

static void test(const stage_terms& terms) {
    stage world(terms);
    play(world);
    const auto sum = world.state_as<totals>("totals");
    world.expect(sum.has_value(), "it keeps totals");
    world.expect(sum->transfers == 3, "it has counted three transfers");
    world.expect(sum->units == 350, "it has added up what they move");
    world.expect(world.refusals().empty(), "nothing was refused");
    world.expect_sound();

    std::printf("killed at %d moments\n", static_cast<int>(for_each_crash(terms, play)));
    expect_same_twice(terms, play);
}
)";

const std::string_view detector_stage_test =
    R"(static void play(stage& world) {
    world.asset("gold", 2).account("alice", {{"gold", 1000}}).account("bob", {{"gold", 1000}});
    world.load();
    world.transfer("alice", "bob", {"gold", 200}).transfer("bob", "alice", {"gold", 201});
    world.run();
}

static void test(stage_terms terms) {
    terms.config = "{\"limit\":200}";
    stage world(terms);
    play(world);
    world.expect(!world.is_frozen("alice"), "the limit itself is not too much");
    world.expect(world.is_frozen("bob"), "more than the limit is");
    world.expect(world.state_as<std::uint64_t>("alarms") == 1, "it counts its alarms");
    world.expect(world.has_said("moves 201, more than 200"), "it says why");
    world.expect_sound();

    std::printf("killed at %d moments\n", static_cast<int>(for_each_crash(terms, play)));
    expect_same_twice(terms, play);
    expect_denied(terms, "freeze", play);
}
)";

}  // namespace perdure::apps

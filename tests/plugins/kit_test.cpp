// SPDX-License-Identifier: Apache-2.0
//
// Claims of plugins/kit/stage.hpp and trial.hpp: an author's test drives a plugin through what a
// keeper has, and each trial passes a plugin that is right and names what is wrong with one that is
// not: pays again after a crash, depends on its memory or on the machine's clock, wants more than
// it may or rights it does not need, never ends, does not migrate.
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <perdure/plugins/kit/trial.hpp>
#include <perdure/tests/print_errc.hpp>

namespace {

using namespace perdure;
using namespace perdure::plugins;
using namespace std::chrono_literals;

std::string build_file(const std::string& name) {
    const char* const build = std::getenv("PERDURE_BUILD");
    BOOST_TEST_REQUIRE(build != nullptr);
    return std::string(build) + "/" + name;
}
std::string sample(const std::string& name) {
    return build_file("tests/plugins/samples/" + name + ".so");
}
stage_terms terms_of(const std::string& name, const std::string& config = "{}") {
    return {.file = sample(name),
            .config = config,
            .host_program = build_file("bin/perdure_plugin_host")};
}

/// What payers and rogues expect: a bank, and players with the numbers 1 to 8.
void open_bank(stage& on) {
    on.asset("gold", 2).account("bank", {{"gold", 1'000'000}}, account_kind::treasury);
    for (int i = 1; i <= 8; ++i) on.account("@" + std::to_string(i));
}
void pay_windows(stage& on, std::uint64_t count) {
    open_bank(on);
    on.load();
    on.advance_windows(count);
    on.run();
}
void pay_three(stage& on) { pay_windows(on, 3); }

/// What a trial says of it; "" when it passes.
template <class Trial>
std::string said_by(Trial&& trial) {
    try {
        trial();
    } catch (const stage_failure& why) {
        return why.what();
    }
    return {};
}
bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

BOOST_AUTO_TEST_CASE(a_plugin_pays_by_its_windows_inside_the_test) {
    stage on(terms_of("payer"));
    pay_three(on);
    BOOST_TEST(on.balance("bank", "gold") == 1'000'000 - 3 * 8);
    BOOST_TEST(on.balance("@8", "gold") == 3);
    BOOST_TEST(on.supply("gold") == 1'000'000);
    BOOST_TEST(on.state_as<std::uint64_t>("windows").value() == 3U);
    BOOST_TEST(!on.state("another").has_value());
    BOOST_TEST(on.place().windows == 3U);
    BOOST_TEST(on.commits() == 6U);
    BOOST_TEST(on.accepted() == 6U);
    BOOST_TEST(on.wanted().front() == "window 0, commit 0: transfer 1 of gold from bank to @1");
    const auto events = on.events();
    const auto is_paid = [](const told_fact& each) { return each.name == "transferred"; };
    BOOST_TEST(std::ranges::count_if(events, is_paid) == 24);
    const auto paid = std::ranges::find_if(events, is_paid);
    BOOST_TEST(paid->numbers.at("amount") == 1);
    BOOST_TEST(on.run().windows == 0U);  // Nothing is due until time goes on.
    on.advance(99ms);
    BOOST_TEST(on.run().windows == 1U);  // Rounded up to hundredths.
    on.expect_sound();
}

BOOST_AUTO_TEST_CASE(the_same_in_a_process) {
    auto terms = terms_of("payer");
    stage inside(terms);
    pay_three(inside);
    terms.in_process = true;
    stage outside(terms);
    pay_three(outside);
    BOOST_TEST(inside.books() == outside.books());
    BOOST_TEST(inside.wanted() == outside.wanted(), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_stage_leaves_nothing_behind) {
    std::string directory;
    std::string region;
    {
        stage on;
        directory = on.in().directory();
        region = on.in().region().path();
        BOOST_TEST(std::filesystem::exists(region));
    }
    BOOST_TEST(!std::filesystem::exists(directory));
    BOOST_TEST(!std::filesystem::exists(region));
}

BOOST_AUTO_TEST_CASE(accounts_assets_and_faucets_are_a_line_each) {
    stage on;
    on.asset("gold").asset("gems").account("alice", {{"gold", 5}, {"gems", 7}}).account("bob");
    on.faucet("quests", {"gold", 10}, "alice").draw("quests", "bob", 6);
    on.transfer("alice", "bob", {"gold", 2});
    BOOST_TEST(on.balance("alice", "gold") == 3);
    BOOST_TEST(on.balance("bob", "gold") == 8);
    BOOST_TEST(on.balance("alice", "gems") == 7);
    BOOST_TEST(on.supply("gold") == 11);
    BOOST_TEST(has(said_by([&] { on.draw("quests", "bob", 5); }), "faucet quests"));
    BOOST_TEST(has(said_by([&] { on.transfer("bob", "alice", {"gold", 9}); }), "insufficient"));
    BOOST_TEST(has(said_by([&] { on.account("alice"); }), "account alice: exists"));
    BOOST_TEST(has(said_by([&] { on.expect(1 > 2, "one is more than two"); }), "one is more"));
    BOOST_TEST(has(said_by([&] { on.run(); }), "load() first"));
    on.expect_sound();
}

BOOST_AUTO_TEST_CASE(a_sink_is_told_what_the_world_does) {
    stage on(terms_of("sample_sink"));
    on.asset("gold").account("alice", {{"gold", 50}}).account("bob");
    on.load();
    on.transfer("alice", "bob", {"gold", 5}).transfer("alice", "bob", {"gold", 6});
    BOOST_TEST(on.run().events == 2U);
    BOOST_TEST(on.run().events == 0U);
    on.transfer("bob", "alice", {"gold", 1});
    BOOST_TEST(on.run().events == 1U);
}

BOOST_AUTO_TEST_CASE(a_run_that_is_not_well_says_why) {
    stage refused(terms_of("payer_mints"));
    const auto why = said_by([&] { pay_three(refused); });
    BOOST_TEST(has(why, "on_tick answers 174 (grant_exceeded)"), why);
    BOOST_TEST(has(why, "window 0, position 0, grant_exceeded at command 0"), why);
    BOOST_TEST_REQUIRE(refused.refusals().size() == 1U);
    BOOST_TEST((refused.refusals()[0].why == errc::grant_exceeded));
    BOOST_TEST(refused.supply("gold") == 1'000'000);
    stage granted(terms_of("payer_mints_within"));
    pay_three(granted);
    BOOST_TEST(granted.supply("gold") == 1'000'000 + 24);

    stage unfit(terms_of("not_a_plugin"));
    BOOST_TEST(has(said_by([&] { unfit.load(); }), "not_a_plugin"));
    stage dies([] {
        auto terms = terms_of("rogue", R"({"in":"tick","do":"crash"})");
        terms.in_process = true;
        return terms;
    }());
    const auto death = said_by([&] { pay_three(dies); });
    BOOST_TEST(has(death, "on_tick: it died of signal 11"), death);
    stage without_bank(terms_of("payer"));
    BOOST_TEST(has(said_by([&] { without_bank.load(); }), "no account bank"));
    without_bank.furnish();
    without_bank.load();
}

/// Events that a sink follows, with others before, between and behind them.
void move_gold(stage& on) {
    on.asset("gold").account("alice", {{"gold", 50}}).account("bob");
    on.load();
    on.account("carol").transfer("alice", "bob", {"gold", 5}).transfer("alice", "bob", {"gold", 6});
    on.run();
    on.transfer("bob", "alice", {"gold", 1}).account("dave");
    on.run();
}

BOOST_AUTO_TEST_CASE(each_crash_ends_in_the_same_books) {
    BOOST_TEST(for_each_crash(terms_of("payer"), pay_three) == 12U);
    BOOST_TEST(for_each_crash(terms_of("sample_sink"), move_gold) == 4U);
}

BOOST_AUTO_TEST_CASE(a_sink_that_forgets_everything_comes_to_rest) {
    expect_same_twice(terms_of("sample_sink"), move_gold);
}

BOOST_AUTO_TEST_CASE(a_plugin_that_pays_again_after_a_crash_is_found) {
    const auto forgets = said_by([] { for_each_crash(terms_of("payer_forgets"), pay_three); });
    BOOST_TEST(has(forgets, "killed after its commit 1, the books end otherwise"), forgets);
    const auto counts = said_by([] { for_each_crash(terms_of("payer_counts"), pay_three); });
    BOOST_TEST(has(counts, "the books end otherwise"), counts);
    const auto idle = said_by([] {
        for_each_crash(terms_of("payer"), [](stage& on) {
            open_bank(on);
            on.load();
            on.run();
        });
    });
    BOOST_TEST(has(idle, "no commit"), idle);
}

BOOST_AUTO_TEST_CASE(two_runs_that_differ_are_found) {
    expect_same_twice(terms_of("payer"), pay_three);
    const auto asks = said_by([] { expect_same_twice(terms_of("payer_asks"), pay_three); });
    BOOST_TEST(has(asks, "two runs differ: \"window 0, commit 0: transfer"), asks);
    const auto counts = said_by([] { expect_same_twice(terms_of("payer_counts"), pay_three); });
    BOOST_TEST(has(counts, "\"window 1, commit 0: transfer 9 of gold"), counts);
    BOOST_TEST(has(counts, "became \"window 1, commit 0: transfer 1 of gold"), counts);
}

BOOST_AUTO_TEST_CASE(a_right_that_is_taken_away_is_missed) {
    const auto terms = terms_of("payer");
    expect_denied(terms, "transfer", pay_three);
    expect_denied(terms, "debit bank", pay_three);
    const auto needless = said_by([&] { expect_denied(terms, "read balances", pay_three); });
    BOOST_TEST(has(needless, "refused nothing"), needless);
    const auto unknown = said_by([&] { expect_denied(terms, "mint gold", pay_three); });
    BOOST_TEST(has(unknown, "no such right; it may post transfer"), unknown);
    // Its first commit of a window needs another right than its second.
    const auto partly =
        said_by([] { expect_denied(terms_of("payer_mints_later"), "mint gold", pay_three); });
    BOOST_TEST(has(partly, "1 of its commits were made"), partly);
    expect_denied(terms_of("payer_mints_within"), "mint gold", pay_three);
}

BOOST_AUTO_TEST_CASE(a_call_beyond_its_limit_is_ended) {
    const auto loops = terms_of("rogue", R"({"in":"tick","do":"loop"})");
    expect_ended_at(loops, 200ms, pay_three);
    const auto quick = said_by([] { expect_ended_at(terms_of("payer"), 5s, pay_three); });
    BOOST_TEST(has(quick, "no call took longer"), quick);
    auto terms = loops;
    terms.hard_limit = 200ms;
    stage on(terms);
    const auto why = said_by([&] { pay_three(on); });
    BOOST_TEST(has(why, "on_tick: it was killed at its hard deadline"), why);
    const auto dies = said_by(
        [] { expect_ended_at(terms_of("rogue", R"({"in":"tick","do":"crash"})"), 5s, pay_three); });
    BOOST_TEST(has(dies, "signal 11"), dies);
}

BOOST_AUTO_TEST_CASE(a_migration_is_one_commit_wherever_it_is_cut) {
    const auto upgraded = [](const std::string& to) {
        return [to](stage& on) {
            pay_windows(on, 2);
            on.upgrade(sample(to));
            on.advance_windows(2);
            on.run();
            on.expect(on.place().state_version == 2, "its state is of version 2");
            on.expect(on.state("windows")->size() == 16, "it has two words");
        };
    };
    BOOST_TEST(for_each_crash(terms_of("payer"), upgraded("payer_state_2")) == 2U * (4 + 1 + 4));
    const auto idle = said_by([&] { for_each_crash(terms_of("payer"), upgraded("payer_idle")); });
    BOOST_TEST(has(idle, "migrate has not committed"), idle);
    stage on(terms_of("payer"));
    upgraded("payer_state_2")(on);
    BOOST_TEST(on.place().version == "3.0.0");
    BOOST_TEST(on.balance("@1", "gold") == 4);
    BOOST_TEST(has(said_by([&] { on.upgrade(sample("rogue")); }), "is plugin org.example.rogue"));
}

BOOST_AUTO_TEST_CASE(time_that_passed_is_made_up_as_the_manifest_says) {
    stage each(terms_of("payer"));
    pay_windows(each, 5);
    BOOST_TEST(each.balance("@1", "gold") == 5);
    stage merged(terms_of("payer_merged"));
    pay_windows(merged, 5);
    BOOST_TEST(merged.balance("@1", "gold") == 1);
    BOOST_TEST(merged.place().windows == 1U);
    stage skipped(terms_of("payer_skipped"));
    pay_windows(skipped, 5);
    BOOST_TEST(skipped.balance("@1", "gold") == 1);
    BOOST_TEST(skipped.place().windows == 5U);
    for (auto* on : {&each, &merged, &skipped}) {
        BOOST_TEST(on->place().from_ns == 5 * on->what().every_ns);
    }
}

}  // namespace

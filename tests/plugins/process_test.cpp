// SPDX-License-Identifier: Apache-2.0
//
// Claims of plugins/host/instance.hpp and sandbox.hpp: a plugin in a process of its own reads the
// region, cannot store into it, and gets its effects from the keeper alone; whatever it does, it
// ends alone and the world goes on.
#include <boost/test/unit_test.hpp>
#include <perdure/plugins/host/channel_format.hpp>
#include <perdure/tests/plugins/stage.hpp>
#include <regex>
#include <sstream>

namespace {

using namespace perdure;
using namespace perdure::tests;
using plugins::call_end;
using plugins::message_kind;

constexpr std::uint64_t second = 1'000'000'000;

std::string bin(const std::string& name) {
    const char* const build = std::getenv("PERDURE_BUILD");
    BOOST_TEST_REQUIRE(build != nullptr);
    return std::string(build) + "/" + name;
}

std::string sample(const std::string& name) { return bin("tests/plugins/samples/" + name + ".so"); }

std::string contents(const std::string& path) {
    std::ifstream file(path);
    std::stringstream out;
    out << file.rdbuf();
    return out.str();
}

struct hosted : stage {
    std::unique_ptr<plugins::instance> one;

    void start(const std::string& name, std::uint64_t memory = 64ULL << 20,
               std::uint64_t hard_ns = 5 * second) {
        one = plugins::start_process(in.region(),
                                     {.file = sample(name),
                                      .plugin = plugin,
                                      .read = wants.read,
                                      .memory_bytes = memory,
                                      .hard_ns = hard_ns,
                                      .program = bin("bin/perdure_plugin_host"),
                                      .user = ::getuid() == 0 ? 65534U : 0U},
                                     *this);
        const std::uint64_t generation = call.generation;
        const auto told =
            one->call(message_kind::activate, std::as_bytes(std::span(&generation, 1)), hard_ns);
        BOOST_TEST_REQUIRE((told.how == call_end::answered));
    }
    plugins::call_outcome tick(std::uint64_t hard_ns = 5 * second) {
        const auto at = row();
        call.window = at.window;
        call.from_ns = at.from_ns;
        call.to_ns = at.from_ns + 1000;
        const perdure_tick what{sizeof what, 0,         at.window,       call.from_ns, call.to_ns,
                                at.done,     at.window, call.generation, hard_ns};
        return one->call(message_kind::tick, std::as_bytes(std::span(&what, 1)), hard_ns);
    }
    /// What happens when a rogue does that in a tick.
    plugins::call_outcome rogue(const std::string& what, const std::string& when = "tick",
                                std::uint64_t hard_ns = 5 * second) {
        if (one == nullptr) start("rogue");
        const std::string json =
            std::string(8, '\0') + R"({"in":")" + when + R"(","do":")" + what + "\"}";
        const auto told = one->call(message_kind::configure,
                                    std::as_bytes(std::span(json.data(), json.size())), hard_ns);
        if (when == "configure") return told;
        BOOST_TEST_REQUIRE((told.how == call_end::answered));
        return tick(hard_ns);
    }
    /// The world is as it was, and works.
    void expect_untouched() {
        BOOST_TEST(supply() == 8 * 1000 + 1'000'000);
        BOOST_TEST(gold_of(bank) == 1'000'000);
        BOOST_TEST(pay(in, by, 0, 1, 1).has_value());
        const auto now = in.verify(by);
        BOOST_TEST(now.sound);
        for (const auto& each : lines) {
            BOOST_TEST(each.find("GOT AWAY") == std::string::npos, each);
        }
    }
};

BOOST_FIXTURE_TEST_CASE(a_plugin_pays_in_its_process_and_its_state_goes_along, hosted) {
    start("payer");
    for (int window = 1; window <= 3; ++window) {
        const auto done = tick();
        BOOST_TEST((done.how == call_end::answered));
        BOOST_TEST(done.status == PERDURE_OK);
        BOOST_TEST(desk.finish(by, call).has_value());
        BOOST_TEST(gold_of(player(7)) == 1000 + window);
        const auto at = row();
        BOOST_TEST(at.window == static_cast<std::uint64_t>(window));
        BOOST_TEST(at.done == 0U);
    }
    BOOST_TEST(gold_of(bank) == 1'000'000 - 3 * 8);
    BOOST_TEST(static_cast<int>(state("windows")[0]) == 3);
    BOOST_TEST(in.verify(by).sound);
}

BOOST_FIXTURE_TEST_CASE(the_region_is_mapped_for_reading_alone, hosted) {
    start("payer");
    const auto maps = contents("/proc/" + std::to_string(one->process()) + "/maps");
    std::istringstream each(maps);
    int of_region = 0;
    for (std::string line; std::getline(each, line);) {
        if (line.find(region()) == std::string::npos) continue;
        ++of_region;
        BOOST_TEST(line.find(" r--s ") != std::string::npos, line);
    }
    BOOST_TEST(of_region >= 1);
    const auto facts = contents("/proc/" + std::to_string(one->process()) + "/status");
    BOOST_TEST(facts.find("NoNewPrivs:\t1") != std::string::npos);
    BOOST_TEST(facts.find("Seccomp:\t2") != std::string::npos);
    if (::getuid() == 0) BOOST_TEST(facts.find("Uid:\t65534\t65534\t65534") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(a_window_that_was_cut_short_goes_on_where_it_was, hosted) {
    start("payer");
    // The first commit is made, and the process dies before the second.
    struct dying : plugins::outlet {
        hosted& of;
        explicit dying(hosted& whose) : of(whose) {}
        plugins::commit_answer commit(std::span<const std::byte> batch) override {
            const auto answer = of.commit(batch);
            ::kill(of.one->process(), SIGKILL);
            return answer;
        }
        void log(std::uint32_t, std::string_view) override {}
        void count(std::string_view, std::int64_t) override {}
    } deadly(*this);
    one = plugins::start_process(in.region(),
                                 {.file = sample("payer"),
                                  .plugin = plugin,
                                  .read = wants.read,
                                  .memory_bytes = 64ULL << 20,
                                  .hard_ns = second,
                                  .program = bin("bin/perdure_plugin_host")},
                                 deadly);
    const std::uint64_t generation = 1;
    one->call(message_kind::activate, std::as_bytes(std::span(&generation, 1)), second);
    const auto cut = tick();
    BOOST_TEST((cut.how == call_end::died));
    BOOST_TEST(row().done == 1U);
    BOOST_TEST(gold_of(player(0)) == 1001);
    BOOST_TEST(gold_of(player(4)) == 1000);
    activate(2);
    start("payer");
    BOOST_TEST(tick().status == PERDURE_OK);
    BOOST_TEST(gold_of(player(0)) == 1001);
    BOOST_TEST(gold_of(player(4)) == 1001);
    BOOST_TEST(row().done == 2U);
}

BOOST_FIXTURE_TEST_CASE(a_crash_in_any_call_ends_the_plugin_alone, hosted) {
    for (const std::string how : {"crash", "abort", "leave"}) {
        for (const std::string when : {"configure", "tick"}) {
            one.reset();
            const auto ended = rogue(how, when);
            BOOST_TEST((ended.how == call_end::died), how << " in " << when);
            BOOST_TEST((one->call(message_kind::self_test, {}, second).how == call_end::died));
        }
    }
    const std::vector<std::pair<message_kind, std::string>> others{
        {message_kind::migrate, "migrate"}, {message_kind::activate, "activate"},
        {message_kind::quiesce, "quiesce"}, {message_kind::self_test, "self_test"},
        {message_kind::events, "events"},   {message_kind::end, "destroy"}};
    for (const auto& [kind, when] : others) {
        one.reset();
        start("rogue");
        const std::string json = std::string(8, '\0') + R"({"in":")" + when + R"(","do":"crash"})";
        one->call(message_kind::configure, std::as_bytes(std::span(json.data(), json.size())),
                  second);
        const std::array<std::byte, sizeof(plugins::events_message)> payload{};
        const auto ended = one->call(kind, payload, second);
        BOOST_TEST((ended.how == call_end::died), when);
        BOOST_TEST(WTERMSIG(static_cast<int>(ended.number)) == SIGSEGV);
    }
    expect_untouched();
}

BOOST_FIXTURE_TEST_CASE(what_is_denied_is_denied_and_told, hosted) {
    for (const std::string what : {"file_read", "file_write", "network", "exec", "thread", "ptrace",
                                   "kill_keeper", "executable", "unlisted_table"}) {
        const auto done = rogue(what);
        BOOST_TEST((done.how == call_end::answered), what);
        BOOST_TEST(done.status == PERDURE_OK, what);
        const bool is_told = what != "unlisted_table" && what != "thread";
        if (is_told) BOOST_TEST(one->denied().count > 0U, what);
    }
    expect_untouched();
}

BOOST_FIXTURE_TEST_CASE(a_call_that_does_not_end_is_ended, hosted) {
    for (const std::string what : {"loop", "flood"}) {
        one.reset();
        const auto ended = rogue(what, "tick", second / 5);
        BOOST_TEST((ended.how == call_end::hung), what);
        BOOST_TEST(one->process() == 0);
    }
    BOOST_TEST(lines.size() < 1000U);
    expect_untouched();
}

BOOST_FIXTURE_TEST_CASE(bombs_meet_the_limits, hosted) {
    BOOST_TEST(rogue("memory_bomb").status == PERDURE_OK);
    BOOST_TEST(rogue("fork_bomb").status == PERDURE_OK);
    expect_untouched();
}

BOOST_FIXTURE_TEST_CASE(a_stray_write_costs_the_plugin_alone, hosted) {
    const auto address_of = [&](const std::string& what) {
        const auto maps = contents("/proc/" + std::to_string(one->process()) + "/maps");
        std::istringstream each(maps);
        for (std::string line; std::getline(each, line);) {
            if (line.find(what) != std::string::npos) return line.substr(0, line.find('-'));
        }
        return std::string();
    };
    const auto verdict = in.verify(by).state_hash;
    start("rogue");
    auto at = address_of(region());
    BOOST_TEST_REQUIRE(!at.empty());
    const auto ended = rogue("write_region\",\"at\":\"" + at);
    BOOST_TEST((ended.how == call_end::died));
    BOOST_TEST(in.verify(by).state_hash == verdict);

    one.reset();
    start("rogue");
    at = address_of("memfd:perdure plugin");
    BOOST_TEST_REQUIRE(!at.empty());
    const auto garbled = rogue("garble_ring\",\"at\":\"" + at, "tick", second);
    BOOST_TEST((garbled.how != call_end::answered));
    BOOST_TEST(one->process() == 0);
    expect_untouched();
}

BOOST_FIXTURE_TEST_CASE(what_was_not_granted_changes_nothing, hosted) {
    BOOST_TEST(rogue("mint").status == PERDURE_GRANT_EXCEEDED);
    BOOST_TEST(rogue("rob").status == PERDURE_NOT_GRANTED);
    BOOST_TEST(rogue("freeze").status == PERDURE_NOT_GRANTED);
    BOOST_TEST(rogue("mint skip").status == PERDURE_OUT_OF_STEP);
    expect_untouched();
}

BOOST_FIXTURE_TEST_CASE(what_cannot_be_started_says_why, hosted) {
    const auto why = [&](const std::string& name) -> std::string {
        try {
            start(name, 64ULL << 20, second / 2);
        } catch (const failure& refused) {
            BOOST_TEST(!refused.todo().empty());
            return std::string(perdure::name(refused.reason())) + ": " + refused.thing();
        }
        return "it was started";
    };
    const auto expect = [&](const std::string& name, const std::string& reason) {
        const auto said = why(name);
        BOOST_TEST(said.find(reason) != std::string::npos, said);
    };
    expect("rogue_abi", "abi_major is 2, this host has 1");
    expect("rogue_born_loop", "did not end in time");
    expect("rogue_born_crash", "died while it was started");
    expect("rogue_create", "died while it was started");
    expect("no_such_plugin", "No such file");
    expect("not_a_plugin", "perdure_plugin_entry_1");
    std::ofstream(directory() + "/text.so") << "this is a text\n";
    try {
        plugins::start_process(in.region(),
                               {.file = directory() + "/text.so",
                                .plugin = plugin,
                                .read = {},
                                .memory_bytes = 1 << 20,
                                .hard_ns = second,
                                .program = bin("bin/perdure_plugin_host")},
                               *this);
        BOOST_ERROR("a text was started");
    } catch (const failure& refused) {
        BOOST_TEST((refused.reason() == errc::bad_plugin));
    }
    expect_untouched();
}

BOOST_FIXTURE_TEST_CASE(a_constructor_is_as_confined_as_everything_else, hosted) {
    start("rogue_born_nosy");
    BOOST_TEST(one->denied().count > 0U);
    expect_untouched();
}

}  // namespace

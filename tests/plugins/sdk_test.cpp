// SPDX-License-Identifier: Apache-2.0
//
// Claims: a class becomes an api whose functions are those it has, the others NULL; batches post
// what they say, commit it with the state, and go without a trace otherwise; what is thrown becomes
// its status and a line in the log; services that were not granted are refused; an older or newer
// host's structs are read as far as both know them.
#include <boost/test/unit_test.hpp>

#include <dlfcn.h>

#include <cstdlib>

#include <perdure/plugins/sdk/plugin.hpp>
#include <perdure/tests/plugins/fake_host.hpp>

namespace {

using perdure::tests::fake_host;

class silent : public perdure::plugin<silent> {};

class loud : public perdure::plugin<loud> {
  public:
    explicit loud(const perdure::host& on) : born_(on.clock().now()) {}
    void activate(std::uint64_t generation) { generation_ = generation; }
    void migrate(std::uint32_t from, std::uint32_t to) {
        if (from > to) throw 5;
        throw perdure::refused(perdure::status::out_of_step, "migrate");
    }
    perdure::status quiesce(std::uint64_t) { return perdure::status::busy; }
    void on_events(const perdure::event_list& events) {
        for (const perdure_event& each : events) {
            sum_ += perdure::payload_of<std::uint64_t>(each) + each.lsn;
        }
        perdure::batch(host()).state_put("sum", sum_ + born_).commit(events.last_lsn());
    }
    void self_test() {
        if (generation_ != 3) throw std::runtime_error("not active");
    }

  private:
    std::uint64_t born_;
    std::uint64_t generation_ = 0;
    std::uint64_t sum_ = 0;
};

class unborn : public perdure::plugin<unborn> {
  public:
    unborn() { throw std::runtime_error("no"); }
};

template <class Plugin>
struct running {
    explicit running(fake_host& on) : api(perdure::sdk::entry<Plugin>(&on.api)) {
        BOOST_REQUIRE(api != nullptr);
        BOOST_REQUIRE(api->create(&on.api, &self) == PERDURE_OK);
    }
    running(const running&) = delete;
    running& operator=(const running&) = delete;
    ~running() { api->destroy(self); }
    const perdure_plugin_api* api;
    void* self = nullptr;
};

struct library {
    explicit library(const std::string& name) {
        const char* const folder = std::getenv("PERDURE_SAMPLES");
        BOOST_REQUIRE_MESSAGE(folder != nullptr, "run through ctest, which sets PERDURE_SAMPLES");
        opened =
            ::dlopen((std::string(folder) + '/' + name + ".so").c_str(), RTLD_NOW | RTLD_LOCAL);
        BOOST_REQUIRE_MESSAGE(opened != nullptr, ::dlerror());
        entry = reinterpret_cast<decltype(entry)>(::dlsym(opened, "perdure_plugin_entry_1"));
        BOOST_REQUIRE(entry != nullptr);
    }
    library(const library&) = delete;
    library& operator=(const library&) = delete;
    ~library() { ::dlclose(opened); }
    void* opened = nullptr;
    const perdure_plugin_api* (*entry)(const perdure_host_api*) = nullptr;
};

perdure_tick window(std::uint64_t number) {
    perdure_tick tick{};
    tick.size = sizeof tick;
    tick.window = number;
    return tick;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(plugins_sdk)

BOOST_AUTO_TEST_CASE(functions_that_a_class_lacks_are_null) {
    const fake_host host;
    const auto* none = perdure::sdk::entry<silent>(&host.api);
    BOOST_TEST((none->create != nullptr && none->destroy != nullptr));
    BOOST_TEST((none->configure == nullptr && none->migrate == nullptr));
    BOOST_TEST((none->activate == nullptr && none->on_tick == nullptr));
    BOOST_TEST((none->on_events == nullptr && none->quiesce == nullptr));
    BOOST_TEST((none->self_test == nullptr));
    BOOST_TEST(none->size == sizeof(perdure_plugin_api));
    const auto* some = perdure::sdk::entry<loud>(&host.api);
    BOOST_TEST((some->migrate != nullptr && some->on_events != nullptr));
    BOOST_TEST((some->on_tick == nullptr));
    perdure_host_api other = host.api;
    other.abi_major = 2;
    BOOST_TEST((perdure::sdk::entry<silent>(&other) == nullptr));
}

BOOST_AUTO_TEST_CASE(what_is_thrown_becomes_a_status_and_a_line) {
    fake_host host;
    const running<loud> here(host);
    BOOST_TEST(here.api->migrate(here.self, 1, 2) == PERDURE_OUT_OF_STEP);
    BOOST_TEST(here.api->migrate(here.self, 2, 1) == PERDURE_PLUGIN_FAILED);
    BOOST_TEST(here.api->quiesce(here.self, 5) == PERDURE_BUSY);
    BOOST_TEST(here.api->self_test(here.self) == PERDURE_PLUGIN_FAILED);
    BOOST_TEST(here.api->activate(here.self, 3) == PERDURE_OK);
    BOOST_TEST(here.api->self_test(here.self) == PERDURE_OK);
    BOOST_REQUIRE(host.lines.size() == 3U);
    BOOST_TEST(host.lines[0] == "4 migrate: migrate: status 176");
    BOOST_TEST(host.lines[1] == "4 migrate: an exception of unknown type");
    BOOST_TEST(host.lines[2] == "4 self_test: not active");
    void* self = &host;
    BOOST_TEST(perdure::sdk::entry<unborn>(&host.api)->create(&host.api, &self) ==
               PERDURE_PLUGIN_FAILED);
    BOOST_TEST((self == nullptr));
    BOOST_TEST(host.lines.back() == "4 create: no");
}

BOOST_AUTO_TEST_CASE(events_of_a_newer_host_are_stepped_over_by_their_own_length) {
    struct longer {
        perdure_event known;
        std::uint64_t more;
    };
    fake_host host;
    const running<loud> here(host);
    const std::uint64_t five = 5;
    std::array<longer, 2> events{};
    for (auto& each : events) {
        each.known.size = sizeof each;
        each.known.lsn = static_cast<std::uint64_t>(&each - events.data()) + 10;
        each.known.payload = &five;
        each.known.payload_bytes = sizeof five;
        each.more = ~0ULL;
    }
    BOOST_TEST(here.api->on_events(here.self, &events[0].known, 2, 10, 11) == PERDURE_OK);
    std::uint64_t sum = 0;
    BOOST_REQUIRE(host.kept.at("sum").size() == sizeof sum);
    std::memcpy(&sum, host.kept.at("sum").data(), sizeof sum);
    BOOST_TEST(sum == 5U + 10 + 5 + 11 + 4242);
    BOOST_TEST(here.api->on_events(here.self, nullptr, 0, 1, 0) == PERDURE_OK);
}

BOOST_AUTO_TEST_CASE(each_command_is_posted_as_it_was_said) {
    fake_host on;
    const perdure::host host(on.api);
    perdure::batch all(host);
    const perdure_id one{1, 1};
    const perdure_id other{2, 2};
    all.transfer(one, other, {77, 5}, {3, 4}).mint(one, {77, 6}).burn(one, {77, 7});
    all.hold({3, 3}, one, {77, 8}).release({3, 3}).capture({3, 3}, other, 2);
    all.freeze(one).unfreeze(one).event(40'000, 2, std::array<std::uint64_t, 2>{8, 9});
    BOOST_TEST(on.done.empty());
    all.commit(0);
    BOOST_REQUIRE(on.done.size() == 9U);
    for (std::uint32_t i = 0; i < 9; ++i) BOOST_TEST(on.done[i].kind == i + 1);
    const perdure_command& moved = on.done[0];
    BOOST_TEST((moved.source.high == 1 && moved.target.high == 2 && moved.amount == 5));
    BOOST_TEST((moved.reason == 3 && moved.reference == 4 && moved.asset == 77));
    BOOST_TEST((on.done[1].target.low == 1 && on.done[2].source.low == 1));
    BOOST_TEST((on.done[3].object.low == 3 && on.done[3].source.low == 1));
    BOOST_TEST((on.done[4].object.low == 3 && on.done[4].amount == 0 && on.done[4].asset == 0));
    BOOST_TEST((on.done[5].target.low == 2 && on.done[5].amount == 2));
    BOOST_TEST((on.done[6].until == ~0ULL && on.done[7].until == 0));
    BOOST_TEST((on.done[8].event_type == 40'000 && on.done[8].event_version == 2));
    BOOST_TEST(on.payloads[8].size() == 16U);
    BOOST_TEST(on.aborted == 0U);
}

BOOST_AUTO_TEST_CASE(a_batch_without_a_commit_is_aborted) {
    fake_host on;
    const perdure::host host(on.api);
    { perdure::batch(host).state_put("a", std::uint64_t{1}); }
    BOOST_TEST((on.begun == 1 && on.aborted == 1));
    BOOST_TEST(on.kept.empty());
    on.commit_status = PERDURE_INSUFFICIENT_FUNDS;
    on.refused_command = 2;
    BOOST_CHECK_EXCEPTION(perdure::batch(host).commit(0), perdure::refused, [](const auto& why) {
        return why.why() == perdure::status::insufficient_funds &&
               std::string(why.what()) == "command 2: status 66";
    });
    BOOST_TEST((on.begun == 2 && on.aborted == 2));
}

BOOST_AUTO_TEST_CASE(what_is_read_is_what_the_host_answers) {
    fake_host on;
    const perdure::host host(on.api);
    using perdure::tests::purse_row;
    on.purses = {{{1, 0}, 5}, {{2, 0}, 6}, {{3, 0}, 7}, {{4, 0}, 8}, {{5, 0}, 9}};
    BOOST_TEST(host.read().balance({1, 1}, 77).held == 3);
    BOOST_TEST(host.read().account("treasury").high == 9U);
    std::uint32_t scale = 0;
    BOOST_TEST(host.read().asset("gold", scale) == 77U);
    BOOST_TEST(scale == 2U);
    BOOST_CHECK_THROW(static_cast<void>(host.read().asset("silver")), perdure::refused);
    BOOST_TEST(host.read().find<purse_row>("purses", {3, 0})->coins == 7);
    BOOST_TEST(!host.read().find<purse_row>("purses", {6, 0}).has_value());
    std::int64_t sum = 0;
    host.read().for_each<purse_row>("purses", [&](const purse_row& each) { sum += each.coins; });
    BOOST_TEST(sum == 35);
    int seen = 0;
    host.read().for_each<purse_row>("purses", [&](const purse_row&) { return ++seen < 3; });
    BOOST_TEST(seen == 3);
    on.purse_bytes = 32;
    BOOST_CHECK_THROW(host.read().for_each<purse_row>("purses", [](const purse_row&) {}),
                      perdure::refused);
    BOOST_CHECK_THROW(host.read().for_each<purse_row>("others", [](const purse_row&) {}),
                      perdure::refused);
}

BOOST_AUTO_TEST_CASE(state_is_got_as_it_was_put) {
    fake_host on;
    const perdure::host host(on.api);
    BOOST_TEST(!host.state().get<std::uint64_t>("n").has_value());
    BOOST_TEST(!host.state().text("t").has_value());
    perdure::batch(host).state_put("n", std::uint64_t{7}).state_put_text("t", "words").commit(0);
    BOOST_TEST(*host.state().get<std::uint64_t>("n") == 7U);
    BOOST_TEST(*host.state().text("t") == "words");
    BOOST_CHECK_THROW(static_cast<void>(host.state().get<std::uint32_t>("n")), perdure::refused);
    BOOST_CHECK_THROW(static_cast<void>(host.state().get<std::uint64_t>("t")), perdure::refused);
    perdure::batch(host).state_erase("n").commit(1);
    BOOST_TEST(!host.state().get<std::uint64_t>("n").has_value());
}

BOOST_AUTO_TEST_CASE(a_service_that_was_not_granted_is_refused) {
    fake_host on;
    on.services.clear();
    const perdure::host host(on.api);
    const auto is_not_granted = [](const perdure::refused& why) {
        return why.why() == perdure::status::not_granted;
    };
    BOOST_CHECK_EXCEPTION(perdure::batch{host}, perdure::refused, is_not_granted);
    BOOST_CHECK_EXCEPTION(static_cast<void>(host.clock().now()), perdure::refused, is_not_granted);
    BOOST_CHECK_EXCEPTION(static_cast<void>(host.state().text("x")), perdure::refused,
                          is_not_granted);
    BOOST_TEST(!host.read().is_granted());
    host.log().warn("nobody hears this");
    host.metrics().add("nobody counts this");
    BOOST_TEST(on.lines.empty());
}

BOOST_AUTO_TEST_CASE(an_older_hosts_service_ends_before_its_newer_functions) {
    fake_host on;
    const auto* whole = static_cast<const perdure_read_1*>(on.services.at("perdure.read/1"));
    perdure_read_1 older = *whole;
    older.size = offsetof(perdure_read_1, asset);
    on.services["perdure.read/1"] = &older;
    const perdure::host host(on.api);
    BOOST_TEST(host.read().account("treasury").high == 9U);
    BOOST_CHECK_THROW(static_cast<void>(host.read().asset("gold")), perdure::refused);
}

BOOST_AUTO_TEST_CASE(a_plugin_in_cpp_pays_once_a_window) {
    fake_host host;
    host.purses = {{{5, 0}, 3}, {{6, 0}, 12}, {{7, 0}, 9}};
    const library from("sample_tick");
    const perdure_plugin_api* api = from.entry(&host.api);
    void* self = nullptr;
    BOOST_REQUIRE(api->create(&host.api, &self) == PERDURE_OK);
    BOOST_TEST((api->on_events == nullptr));
    BOOST_TEST(api->self_test(self) == PERDURE_NOT_FOUND);
    BOOST_TEST(api->configure(self, "{\"fail\":true}", 13, 1) == PERDURE_PLUGIN_FAILED);
    BOOST_TEST(api->configure(self, "{}", 2, 1) == PERDURE_OK);
    BOOST_TEST(api->self_test(self) == PERDURE_NOT_FOUND);
    BOOST_TEST(api->configure(self, "{}", 2, 0) == PERDURE_OK);
    BOOST_TEST(api->self_test(self) == PERDURE_OK);
    const perdure_tick first = window(1);
    BOOST_TEST(api->on_tick(self, &first) == PERDURE_OK);
    BOOST_TEST(host.done.size() == 3U);
    BOOST_TEST(host.counters["paid"] == 2);
    host.repeats = true;
    BOOST_TEST(api->on_tick(self, &first) == PERDURE_OK);
    BOOST_TEST(host.counters["paid"] == 2);
    host.commit_status = PERDURE_STALE_GENERATION;
    BOOST_TEST(api->on_tick(self, &first) == PERDURE_STALE_GENERATION);
    api->destroy(self);
}

BOOST_AUTO_TEST_CASE(a_plugin_in_c_counts_what_it_saw) {
    fake_host host;
    const library from("sample_sink");
    const perdure_plugin_api* api = from.entry(&host.api);
    void* self = nullptr;
    BOOST_REQUIRE(api->create(&host.api, &self) == PERDURE_OK);
    perdure_event event{};
    event.size = sizeof event;
    for (int i = 0; i < 3; ++i) BOOST_TEST(api->on_events(self, &event, 1, 1, 1) == PERDURE_OK);
    BOOST_TEST(host.kept.at("seen")[0] == 3);
    host.commit_status = PERDURE_STALE_GENERATION;
    BOOST_TEST(api->on_events(self, &event, 1, 1, 1) == PERDURE_STALE_GENERATION);
    BOOST_TEST(host.aborted == 1U);
    api->destroy(self);
}

BOOST_AUTO_TEST_SUITE_END()

// SPDX-License-Identifier: Apache-2.0
//
// Claims of plugins/host/minder.hpp about upgrades: the new version runs beside the old one and
// what differs is told; it takes over between two windows, so that each is paid once; state is
// migrated in one commit; one that fails beside the old version, at its start or on probation is
// returned from.
#include <perdure/tests/plugins/kept_stage.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;

struct upgrading : kept_stage {
    upgrading() {
        load("payer");
        BOOST_TEST_REQUIRE(eventually([&] { return windows(payer_id) >= 2; }));
    }
    void upgrade(const std::string& name, std::uint64_t shadow = 0, bool grants_more = false) {
        plugins::upgrade_plugin(in, by,
                                {.id = payer_id,
                                 .path = sample(name),
                                 .shadow = shadow,
                                 .grants_more = grants_more,
                                 .who = 7});
    }
    bool is_over() { return !plugins::find_upgrade(in, payer_id).has_value(); }
    std::string version() { return std::string(plugins::text_in(row(payer_id)->version)); }
    amount bank_gold() { return balance_of(in, by, bank).value(); }
    amount paid() { return 1'000'000 - bank_gold(); }
    void stop_paying() {
        plugins::set_enabled(in, by, payer_id, false, 7);
        BOOST_TEST_REQUIRE(eventually([&] { return process_of_host() == 0; }));
    }
    std::string state() {
        const auto tables = plugins::registry::find(in.region()).value();
        const auto bytes = by.read([&](view& seen) {
            return tables.state(seen, plugins::registry::account_of(payer_id),
                                std::as_bytes(std::span("windows", 7)));
        });
        return {reinterpret_cast<const char*>(bytes->data()), bytes->size()};
    }
    /// A version that changes nothing fails: each window is paid once all the same.
    void expect_returned(const std::string& from) {
        BOOST_TEST(eventually([&] { return is_over(); }));
        BOOST_TEST(version() == "1.0.0");
        BOOST_TEST(row(payer_id)->cause != 0U, from);
        const auto then = windows(payer_id);
        BOOST_TEST(eventually([&] { return windows(payer_id) > then + 2; }));
        stop_paying();
        expect_paid_exactly();
        expect_working();
    }
};

BOOST_FIXTURE_TEST_CASE(a_new_version_takes_over_between_two_windows, upgrading) {
    upgrade("payer_same");
    BOOST_TEST(eventually([&] { return version() == "2.0.0"; }));
    BOOST_TEST(eventually([&] { return is_over(); }));
    stop_paying();
    expect_paid_exactly();
    expect_working();
}

BOOST_FIXTURE_TEST_CASE(the_shadow_changes_nothing_and_says_what_differs, upgrading) {
    upgrade("payer_double", 3);
    std::optional<plugins::upgrade_progress> last;
    BOOST_TEST(eventually([&] {
        const auto now = plugins::find_upgrade(in, payer_id);
        if (now && now->row.differing >= 2) last = now;
        return last.has_value();
    }));
    BOOST_TEST(last->report.find("transfer") != std::string::npos, last->report);
    BOOST_TEST(last->report.find("8 of 8 in all, the new version 8 of 16") != std::string::npos,
               last->report);
    // So far the old version alone has paid.
    BOOST_TEST(eventually([&] { return version() == "2.0.0"; }));
    const auto then = windows(payer_id);
    BOOST_TEST(eventually([&] { return windows(payer_id) > then + 1; }));
    stop_paying();
    const auto at = *row(payer_id);
    const auto whole = static_cast<amount>(at.window) * 8 + static_cast<amount>(at.done) * 4;
    // Whatever window it took over at: the ones before at the old amount, the others at twice that.
    BOOST_TEST((paid() - whole) % 8 == 0);
    BOOST_TEST(paid() > whole);
    BOOST_TEST(paid() <= 2 * whole - 8 * 5);
    expect_working();
}

BOOST_FIXTURE_TEST_CASE(a_version_that_fails_beside_the_old_one_never_takes_over, upgrading) {
    upgrade("payer_crashes", 3);
    expect_returned("the shadow");
}

BOOST_FIXTURE_TEST_CASE(a_version_that_fails_on_probation_is_returned_from, upgrading) {
    upgrade("payer_crashes");
    expect_returned("probation");
}

BOOST_FIXTURE_TEST_CASE(a_version_that_fails_later_on_probation_is_returned_from, upgrading) {
    upgrade("payer_crashes_later", 2);
    expect_returned("probation");
}

BOOST_FIXTURE_TEST_CASE(state_is_migrated_in_one_commit, upgrading) {
    upgrade("payer_state_2");
    BOOST_TEST(eventually([&] { return version() == "3.0.0" && is_over(); }));
    stop_paying();
    expect_paid_exactly();
    BOOST_TEST(state().size() == 16U);
    BOOST_TEST(static_cast<int>(state()[8]) == 77);
    std::uint64_t counted = 0;
    std::memcpy(&counted, state().data(), sizeof counted);
    const auto at = *row(payer_id);
    BOOST_TEST(counted == at.window + (at.done == 2 ? 1 : 0));
    BOOST_TEST(at.state_version == 2U);
    expect_working();
}

BOOST_FIXTURE_TEST_CASE(a_return_takes_the_state_along, upgrading) {
    upgrade("payer_state_2_crashes");
    BOOST_TEST(eventually([&] { return version() == "3.0.0"; }));
    expect_returned("a migrated state");
    BOOST_TEST(state().size() == 8U);
    BOOST_TEST(row(payer_id)->state_version == 1U);
}

BOOST_FIXTURE_TEST_CASE(a_version_that_wants_more_is_refused_without_a_grant, upgrading) {
    try {
        upgrade("payer_greedy");
        BOOST_ERROR("it was upgraded");
    } catch (const failure& why) {
        BOOST_TEST((why.reason() == errc::not_granted));
        BOOST_TEST(why.thing().find("gold") != std::string::npos, why.thing());
    }
    BOOST_TEST(is_over());
    upgrade("payer_greedy", 0, true);
    BOOST_TEST(eventually([&] { return version() == "4.0.0" && is_over(); }));
    BOOST_CHECK_THROW(plugins::upgrade_plugin(in, by, {.id = payer_id, .path = sample("rogue")}),
                      failure);
    stop_paying();
    expect_paid_exactly();
}

BOOST_FIXTURE_TEST_CASE(an_upgrade_outlives_its_keeper, upgrading) {
    upgrade("payer_same", 4);
    BOOST_TEST(eventually([&] { return plugins::find_upgrade(in, payer_id)->row.compared >= 1; }));
    end();
    BOOST_TEST(!is_over());
    begin();
    BOOST_TEST(eventually([&] { return version() == "2.0.0"; }));
    end();
    begin();
    BOOST_TEST(eventually([&] { return is_over(); }));
    BOOST_TEST(version() == "2.0.0");
    stop_paying();
    expect_paid_exactly();
    expect_working();
}

}  // namespace

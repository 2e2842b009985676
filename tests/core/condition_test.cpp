// SPDX-License-Identifier: Apache-2.0
//
// Claims of core/condition.hpp: each part's health is what its figures say, and there is an alarm
// that says what to do just where somebody has to do something.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <perdure/core/condition.hpp>

namespace {

using namespace perdure;

constexpr std::uint64_t minute_ns = 60'000'000'000;
constexpr std::uint64_t now_ns = 1'000'000 * minute_ns;

/// A world that is kept, with a checkpoint every five minutes, and all is well.
condition well() {
    condition out;
    out.last_lsn = out.durable_lsn = 500;
    out.ring_bytes = 1000;
    out.capacity_bytes = 1000;
    out.region_bytes = 300;
    out.keeper_pid = 17;
    out.participants = 1;
    out.wall_ns = now_ns;
    out.keeper_since_ns = now_ns - 60 * minute_ns;
    out.checkpoint_every_ns = 5 * minute_ns;
    out.checkpoint.lsn = 400;
    out.checkpoint.wall_ns = now_ns - minute_ns;
    return out;
}

component part(const condition& now, std::string_view name) {
    const auto all = components_of(now);
    BOOST_TEST_REQUIRE(all.size() == 5U);
    return *std::ranges::find(all, name, &component::name);
}

bool says(const component& part, std::string_view words) {
    return part.alarm.find(words) != std::string::npos;
}

BOOST_AUTO_TEST_CASE(a_world_that_is_well_has_five_parts_in_full_health) {
    for (const auto& each : components_of(well())) {
        BOOST_TEST(each.health == 100, each.name);
        BOOST_TEST(each.alarm == "", each.name);
        BOOST_TEST(!each.state.empty(), each.name);
        BOOST_TEST(!each.note.empty(), each.name);
    }
}

BOOST_AUTO_TEST_CASE(rot_is_an_alarm_until_the_files_are_whole) {
    auto now = well();
    now.rotten = 2;
    const auto seen = part(now, "files");
    BOOST_TEST(seen.state == "damaged");
    BOOST_TEST(seen.health == 30);
    BOOST_TEST(says(seen, "2 places"), seen.alarm);
    BOOST_TEST(says(seen, "verify --deep"), seen.alarm);
}

BOOST_AUTO_TEST_CASE(a_checkpoint_that_is_due_ages_and_alarms_at_twice_its_interval) {
    auto now = well();
    int last = 100;
    for (const std::uint64_t minutes : {5U, 6U, 8U, 10U, 11U, 14U, 15U, 400U}) {
        now.checkpoint.wall_ns = now_ns - minutes * minute_ns;
        const auto seen = part(now, "checkpoint");
        BOOST_TEST(seen.health <= last, minutes);
        last = seen.health;
        BOOST_TEST(seen.alarm.empty() == (minutes <= 10), minutes << " " << seen.alarm);
        if (minutes > 10) BOOST_TEST(says(seen, "perdure checkpoint"), seen.alarm);
    }
    BOOST_TEST(last == 0);
    now.keeper_pid = 0;
    BOOST_TEST(says(part(now, "checkpoint"), "perdure serve"));
    now.last_lsn = now.checkpoint.lsn;  // Nothing has changed: none is due, however old it is.
    BOOST_TEST(part(now, "checkpoint").health == 100);
    now = well();
    now.checkpoint.wall_ns = now_ns + minute_ns;  // A clock that was set back.
    BOOST_TEST(part(now, "checkpoint").health == 100);
}

BOOST_AUTO_TEST_CASE(without_a_checkpoint_or_an_interval_the_keepers_age_counts_or_nothing) {
    auto now = well();
    now.checkpoint = {};
    BOOST_TEST(says(part(now, "checkpoint"), "none for 60 min"), part(now, "checkpoint").alarm);
    now.keeper_since_ns = now_ns - minute_ns;
    BOOST_TEST(part(now, "checkpoint").health == 100);
    now.keeper_since_ns = 0;  // Nobody keeps it: since when there should be one nobody knows.
    BOOST_TEST(part(now, "checkpoint").health == 100);
    now = well();
    now.checkpoint.wall_ns = now_ns - 1000 * minute_ns;
    now.checkpoint_every_ns = 0;
    BOOST_TEST(part(now, "checkpoint").health == 100);
}

BOOST_AUTO_TEST_CASE(a_checkpoint_that_failed_alarms_and_says_why) {
    auto now = well();
    now.checkpoint.refused = static_cast<std::uint64_t>(errc::disk_full);
    const auto seen = part(now, "checkpoint");
    BOOST_TEST(seen.health == 50);
    BOOST_TEST(seen.state == "failed");
    BOOST_TEST(says(seen, "disk_full"), seen.alarm);
    BOOST_TEST(says(seen, remedy(errc::disk_full)), seen.alarm);
    now.checkpoint.wall_ns = 1;
    BOOST_TEST(part(now, "checkpoint").health == 0);
}

BOOST_AUTO_TEST_CASE(a_full_ring_is_slow_and_lost_durability_is_the_end) {
    auto now = well();
    now.durable_lsn = 480;
    now.lag_bytes = 500;
    BOOST_TEST(part(now, "journal").health == 100);
    now.lag_bytes = 750;
    BOOST_TEST(part(now, "journal").health == 75);
    now.lag_bytes = 1000;
    BOOST_TEST(part(now, "journal").health == 50);
    BOOST_TEST(part(now, "journal").alarm == "");
    now.fault = static_cast<std::uint64_t>(errc::io_error);
    BOOST_TEST(part(now, "journal").health == 0);
    BOOST_TEST(says(part(now, "journal"), "io_error"));
}

BOOST_AUTO_TEST_CASE(a_region_alarms_when_nine_tenths_are_taken) {
    auto now = well();
    for (const std::uint64_t taken : {750U, 800U, 890U, 900U, 1000U}) {
        now.region_bytes = taken;
        const auto seen = part(now, "region");
        BOOST_TEST(seen.alarm.empty() == (taken < 900), taken);
        BOOST_TEST((seen.health == 100) == (taken == 750), taken);
        if (taken >= 900) BOOST_TEST(says(seen, "region.capacity"), seen.alarm);
    }
    BOOST_TEST(part(now, "region").health == 0);
}

BOOST_AUTO_TEST_CASE(nobody_has_to_keep_a_world_that_nobody_uses) {
    auto now = well();
    now.keeper_pid = 0;
    now.participants = 0;
    BOOST_TEST(part(now, "keeper").health == 100);
    now.participants = 2;
    BOOST_TEST(part(now, "keeper").health == 70);
    BOOST_TEST(part(now, "keeper").alarm == "");
    now.participants = 0;
    now.lag_bytes = 1;
    BOOST_TEST(part(now, "keeper").health == 50);
    BOOST_TEST(says(part(now, "keeper"), "perdure serve"));
}

}  // namespace

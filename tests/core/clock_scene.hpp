// SPDX-License-Identifier: Apache-2.0
//
// A clock in a small region of its own, in time that a test sets, and what the journal says of it.
#pragma once

#include <boost/test/unit_test.hpp>
#include <functional>
#include <memory>
#include <perdure/core/ticker.hpp>
#include <perdure/shm/record_view.hpp>
#include <perdure/tests/print_errc.hpp>
#include <perdure/tests/shm/bank.hpp>
#include <utility>
#include <vector>

namespace perdure::tests {

inline constexpr std::uint64_t ms = 1'000'000;
inline constexpr std::uint64_t second = 1'000 * ms;
inline constexpr std::uint64_t hour = 3'600 * second;
inline constexpr std::uint64_t day = 24 * hour;

/// Stands still but for what a test does, and for waits, which take no time to sleep.
class set_time final : public shm::park {
  public:
    std::uint64_t now = hour;
    std::uint64_t wall = 1'000 * day;
    std::function<void()> meanwhile;  ///< Happens once, when somebody next asks for the wall clock.

    void pass(std::uint64_t ns) noexcept { now += ns, wall += ns; }
    [[nodiscard]] std::uint64_t now_ns() noexcept override { return now; }
    [[nodiscard]] std::uint64_t wall_ns() noexcept override {
        if (const auto happens = std::exchange(meanwhile, nullptr)) happens();
        return wall;
    }
    void wait(const std::uint32_t&, std::uint32_t,
              std::chrono::nanoseconds slice) noexcept override {
        pass(static_cast<std::uint64_t>(slice.count()));
    }
};

struct clock_scene {
    set_time time;
    shared_bytes memory{small_bytes};
    shm::region where = shm::region::over(memory.span(), small_options());
    book_keeper books;
    shm::session by = shm::session::join(where, &books).value();
    world_clock clock = world_clock::open(by).value();

    clock_scene() { where.use(time); }

    [[nodiscard]] clock_row row() {
        return by.read([&](shm::view& seen) { return clock.read(seen); }).value();
    }
    [[nodiscard]] std::uint64_t shown() { return shm::load(where.header().world_time.value); }
    [[nodiscard]] std::uint64_t next_lsn() { return shm::next_lsn(where); }

    /// One change of the clock as a transaction of its own; its error, or errc{0}.
    template <class Change>
    errc change(Change&& make) {
        const auto done = by.write([&](shm::transaction& in) -> result<> { return make(in); });
        return done.error();
    }
    errc start(const clock_settings& how) {
        return change([&](shm::transaction& in) { return clock.start(in, how); });
    }
    errc set(const clock_settings& how) {
        return change([&](shm::transaction& in) { return clock.set(in, how); });
    }
    errc stop() {
        return change([&](shm::transaction& in) { return clock.stop(in); });
    }
    errc advance(const time_passed& passed) {
        return change([&](shm::transaction& in) { return clock.advance(in, passed); });
    }

    /// A record's world_time, and the tick's event if there is one in it.
    struct seen_record {
        std::uint64_t world_time;
        std::vector<clock_ticked_v1> ticked;
    };
    /// Of every record so far; empties the ring.
    std::vector<seen_record> records() {
        static_cast<void>(books.help(where));
        std::vector<seen_record> out;
        for (const auto& bytes : books.journal) {
            shm::record_walk walk(bytes);
            shm::record_view record;
            if (!walk.next(record).value()) continue;
            auto& one = out.emplace_back(seen_record{record.transaction().world_time, {}});
            for (const auto event : record.events()) {
                if (event.type != static_cast<std::uint16_t>(event_type::clock_ticked)) continue;
                one.ticked.push_back(event.as<clock_ticked_v1>().value());
            }
        }
        return out;
    }
    std::vector<clock_ticked_v1> windows() {
        std::vector<clock_ticked_v1> out;
        for (const auto& each : records()) {
            out.insert(out.end(), each.ticked.begin(), each.ticked.end());
        }
        return out;
    }
};

/// What is wrong with these windows: they must tile the time from 0 to `world_ns` and number
/// `ticks` ticks from 1 on. "" when nothing is.
inline std::string untiled(const std::vector<clock_ticked_v1>& windows, const clock_row& row) {
    std::uint64_t end_ns = 0;
    std::uint64_t ticks = 0;
    for (const auto& each : windows) {
        const auto where = " at tick " + std::to_string(each.first_tick);
        if (each.ticks == 0) return "a window without a tick" + where;
        if (each.first_tick != ticks + 1) return "a tick is missing or told twice" + where;
        if (each.from_ns != end_ns) return "a gap or an overlap" + where;
        if (each.to_ns - each.from_ns != each.ticks * each.tick_ns) return "a wrong length" + where;
        if (each.reason != 1 && each.reason != 2) return "no reason" + where;
        end_ns = each.to_ns;
        ticks += each.ticks;
    }
    if (end_ns != row.world_ns) return "the row's world_ns is not the sum of the windows";
    if (ticks != row.tick) return "the row's tick is not the number of ticks told";
    return {};
}

/// The same with a keeper that ticks.
struct ticking : clock_scene {
    std::unique_ptr<ticker> keeper = std::make_unique<ticker>(where, clock);

    void live(missed_policy missed, std::uint64_t missed_max_ns = 7 * day,
              std::uint64_t tick_ns = second) {
        BOOST_TEST_REQUIRE(start({tick_ns, missed, missed_max_ns}) == errc{});
        keeper->step();
    }
    void pass(std::uint64_t ns) {
        time.pass(ns);
        keeper->step();
    }
    /// Nobody keeps the world for so long; then somebody else does.
    void absence(std::uint64_t ns) {
        keeper.reset();
        time.pass(ns);
        keeper = std::make_unique<ticker>(where, clock);
        keeper->step();
    }
    clock_ticked_v1 last() {
        const auto all = windows();
        BOOST_TEST_REQUIRE(!all.empty());
        BOOST_TEST(untiled(all, row()) == "");
        return all.back();
    }
};

}  // namespace perdure::tests

// SPDX-License-Identifier: Apache-2.0
//
// Claims of shm/park: a wait ends by a wake, by a change that came before, or by its time.
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <perdure/shm/park.hpp>
#include <perdure/shm/word.hpp>
#include <thread>

namespace {

using namespace perdure::shm;

BOOST_AUTO_TEST_CASE(a_wait_for_a_word_that_has_changed_does_not_sleep) {
    const std::uint32_t place = 1;
    system_park().wait(place, 0, std::chrono::hours(1));
    BOOST_TEST(place == 1U);
}

BOOST_AUTO_TEST_CASE(a_wait_ends_when_its_slice_is_over) {
    const std::uint32_t place = 0;
    const auto before = system_park().now_ns();
    system_park().wait(place, 0, std::chrono::milliseconds(2));
    BOOST_TEST(system_park().now_ns() - before >= 1'000'000U);
}

BOOST_AUTO_TEST_CASE(a_wake_ends_a_long_wait) {
    std::uint32_t place = 0;
    std::thread sleeper([&] {
        while (load(place) == 0) system_park().wait(place, 0, std::chrono::hours(1));
    });
    put(place, 1);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    // The sleeper looks at the word again in the kernel: a wake before it sleeps is not needed.
    system_park().wake(place, 1);
    sleeper.join();
    BOOST_TEST(place == 1U);
}

BOOST_AUTO_TEST_CASE(clocks_go_forward) {
    auto& clock = system_park();
    const auto first = clock.now_ns();
    const auto wall = clock.wall_ns();
    clock.pause();
    BOOST_TEST(clock.now_ns() >= first);
    BOOST_TEST(wall > 1'600'000'000ULL * 1'000'000'000);
}

BOOST_AUTO_TEST_CASE(a_deadline_is_fixed_when_the_wait_begins_and_does_not_wrap) {
    BOOST_TEST(deadline::in(std::chrono::nanoseconds(5)).from(1000).at_ns == 1005U);
    BOOST_TEST(deadline::in(std::chrono::nanoseconds(5)).from(1000).from(2000).at_ns == 1005U);
    BOOST_TEST(deadline::in(std::chrono::nanoseconds(-5)).from(1000).at_ns == 1001U);
    BOOST_TEST(deadline::in(std::chrono::nanoseconds::max()).from(~0ULL - 1).at_ns == ~0ULL);
    BOOST_TEST(deadline::never().from(1000).at_ns == ~0ULL);
}

}  // namespace

// SPDX-License-Identifier: Apache-2.0
//
// Claims of io/lease.hpp: one holder, in one process or in several; given back by hand or by death.
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <perdure/io/lease.hpp>
#include <perdure/tests/core/scene.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;

struct two_leases : scene {
    io::kernel_calls calls;
    io::file_system files{calls};
    io::lease first{files, directory()};
    io::lease second{files, directory()};
};

BOOST_FIXTURE_TEST_CASE(one_of_two_has_it, two_leases) {
    BOOST_TEST(first.take().has_value());
    BOOST_TEST(first.is_held());
    BOOST_TEST(first.take().has_value());  // Asking again is no second holder.
    BOOST_TEST(second.take().error() == errc::lease_held);
    BOOST_TEST(!second.is_held());
    second.give_back();  // What it has not, it cannot give back.
    BOOST_TEST(second.take().error() == errc::lease_held);
    first.give_back();
    BOOST_TEST(second.take().has_value());
    BOOST_TEST(first.take().error() == errc::lease_held);
}

BOOST_FIXTURE_TEST_CASE(it_ends_with_its_object, two_leases) {
    {
        io::lease third(files, directory());
        BOOST_TEST(third.take().has_value());
        BOOST_TEST(first.take().error() == errc::lease_held);
    }
    BOOST_TEST(first.take().has_value());
}

BOOST_FIXTURE_TEST_CASE(it_dies_with_its_process, two_leases) {
    shared_one<std::atomic<int>> state;
    child holder([&]() -> int {
        io::file_system own(calls);
        io::lease its(own, directory());
        state->store(its.take() ? 1 : 2);
        for (;;) ::pause();
    });
    BOOST_TEST_REQUIRE(eventually([&] { return state->load() != 0; }));
    BOOST_TEST(state->load() == 1);
    BOOST_TEST(first.take().error() == errc::lease_held);
    ::kill(holder.pid(), SIGSTOP);
    BOOST_TEST(first.take().error() == errc::lease_held);  // Stopped is not dead.
    holder.kill();
    BOOST_TEST(first.take().has_value());
}

BOOST_FIXTURE_TEST_CASE(where_no_lock_can_be_made_that_is_said, two_leases) {
    io::lease nowhere(files, disk() + "/none");
    const auto taken = nowhere.take();
    BOOST_TEST(!taken.has_value());
    BOOST_TEST(taken.error() != errc::lease_held);
    BOOST_TEST(files.last_error().find("/none/lock") != std::string::npos, files.last_error());
    // A link in the lock's place is not followed.
    std::filesystem::create_symlink(disk() + "/elsewhere", directory() + "/lock");
    BOOST_TEST(!first.take().has_value());
    BOOST_TEST(!std::filesystem::exists(disk() + "/elsewhere"));
}

}  // namespace

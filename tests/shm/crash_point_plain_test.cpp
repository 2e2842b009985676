// SPDX-License-Identifier: Apache-2.0
//
// Claims: without PERDURE_RIG a crash point and a planted bug cost nothing, because nothing is left
// of them: the name is not even looked at, planted() is a constant, and nobody hears the
// environment.
#include <perdure/shm/crash_point.hpp>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

using perdure::shm::bug;
using perdure::shm::planted;

BOOST_AUTO_TEST_SUITE(shm_crash_point_plain)

BOOST_AUTO_TEST_CASE(a_crash_point_is_a_constant_expression_and_so_is_every_bug) {
    static_assert([] {
        PERDURE_CRASH_POINT("crash_point_plain_test/left_out");
        return !planted(bug::gate_ignored) && !planted(bug::none);
    }());
    BOOST_TEST(!planted(bug::ack_at_write));
}

BOOST_AUTO_TEST_CASE(no_name_of_a_point_is_in_the_program) {
    std::ifstream program("/proc/self/exe", std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(program), {}};
    BOOST_REQUIRE(bytes.size() > 10'000U);
    // Put together at run time, so that looking for it does not put it there.
    const std::string tail = "left_out";
    BOOST_TEST(bytes.find("crash_point_plain_test/" + tail) == std::string::npos);
    BOOST_TEST(bytes.find(std::string("PERDURE_") + "PLANT") == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

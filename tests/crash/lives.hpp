// SPDX-License-Identifier: Apache-2.0
//
// Life after life in one world, each in a process that may be killed in its midst: how the rigs of
// random work with deaths go about it.
#pragma once

#include <rapidcheck.h>

#include <boost/test/unit_test.hpp>
#include <cstdio>

namespace perdure::tests {

/// How much shall have happened.
struct lives_wanted {
    int each;  ///< Lives a world.
    std::uint64_t deaths;
    std::uint64_t operations;
};

/// Operations of a life whose work is batches of them.
template <class Life>
std::uint64_t operations_in_batches(const Life& one) {
    std::uint64_t sum = 0;
    for (const auto& batch : one.work) sum += batch.size();
    return sum;
}

/// Checks `claim` on worlds that Place() makes; their lives are drawn by draw(world) and as
/// long as count(life) says. Place has live(life) and faults(), which answer the first fault,
/// and deaths. Fewer deaths or operations than asked for are a failure too.
template <class Place, class Draw, class Count>
void check_lives(const char* claim, const lives_wanted& wanted, Draw&& draw, Count&& count) {
    std::uint64_t operations = 0;
    std::uint64_t deaths = 0;
    const bool held = rc::check(claim, [&] {
        Place here;
        for (int i = 0; i < wanted.each; ++i) {
            const auto one = *draw(here);
            const auto fault = here.live(one);
            RC_ASSERT(fault == "");
            operations += count(one);
        }
        RC_ASSERT(here.faults() == "");
        deaths += here.deaths;
    });
    BOOST_TEST(held);
    std::printf("%lu operations drawn, %lu lives ended early\n", operations, deaths);
    BOOST_TEST(deaths > wanted.deaths);
    BOOST_TEST(operations > wanted.operations);
}

}  // namespace perdure::tests

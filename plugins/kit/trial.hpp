// SPDX-License-Identifier: Apache-2.0
//
// What a plugin must stand, as loops over a scenario: killed at any of its commits, run twice, with
// a right less, beyond its time.
//
// Promise     Each throws stage_failure, saying where and what differed, for a plugin that does not
//             stand it; and for a scenario that does not try it.
// Threads     One.
#pragma once

#include <functional>
#include <perdure/plugins/kit/stage.hpp>

namespace perdure::plugins {

/// What a test does with a fresh stage: opens accounts, loads, advances, runs. It does the same
/// each time, for it is called often.
using scenario = std::function<void(stage&)>;

/// Runs it without a crash, then with the plugin's process killed at its commit 1, 2, ... before
/// and after the commit is made, until a run is not met by it. Every time the books must be those
/// of the run without. Answers how many crashes there were.
std::uint64_t for_each_crash(const stage_terms& terms, const scenario& play);

/// Runs it twice, the second time with a plugin that is started anew before every call: what it
/// wants committed must be the same, byte for byte.
void expect_same_twice(const stage_terms& terms, const scenario& play);

/// Runs it without one right (stage_terms::without): the plugin must be refused, and nothing that
/// it wants may have been committed.
void expect_denied(const stage_terms& terms, const std::string& right, const scenario& play);

/// Runs it with that hard limit: a call must be ended there, and change nothing by itself.
void expect_ended_at(const stage_terms& terms, std::chrono::nanoseconds limit,
                     const scenario& play);

}  // namespace perdure::plugins

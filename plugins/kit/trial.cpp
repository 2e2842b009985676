// SPDX-License-Identifier: Apache-2.0
#include <time.h>

#include <algorithm>
#include <perdure/plugins/kit/trial.hpp>
#include <thread>

namespace perdure::plugins {
namespace {

constexpr std::uint64_t crashes_max = 10'000;

std::string_view moment_name(crash_moment when) noexcept {
    return when == crash_moment::before_commit ? "before" : "after";
}

std::vector<std::string> lines_in(std::string_view text) {
    std::vector<std::string> out;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        out.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

std::string line_at(const std::vector<std::string>& lines, std::size_t at) {
    return at < lines.size() ? "\"" + lines[at] + "\"" : "nothing more";
}

/// The first line that differs, "" when none does.
std::string difference(const std::vector<std::string>& first,
                       const std::vector<std::string>& second) {
    const auto end = std::max(first.size(), second.size());
    for (std::size_t i = 0; i < end; ++i) {
        if (line_at(first, i) == line_at(second, i)) continue;
        return line_at(first, i) + " became " + line_at(second, i);
    }
    return {};
}

void run_to_its_end(stage& on, const scenario& play, const std::string& where) {
    try {
        play(on);
    } catch (const stage_failure& why) {
        throw stage_failure(where + ": " + why.what());
    }
}

/// A coarse clock must have another value in the second run, or nobody would see who asks it.
void await_another_second(std::time_t than) {
    while (::time(nullptr) == than) std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

}  // namespace

std::uint64_t for_each_crash(const stage_terms& terms, const scenario& play) {
    auto how = terms;
    how.in_process = true;
    std::string whole;
    {
        stage untouched(how);
        run_to_its_end(untouched, play, "without a crash");
        untouched.expect_sound();
        if (untouched.commits() == 0) {
            throw stage_failure("the scenario has no commit of the plugin at which it could crash");
        }
        whole = untouched.books();
    }
    for (std::uint64_t commit = 1; commit <= crashes_max; ++commit) {
        for (const auto when : {crash_moment::before_commit, crash_moment::after_commit}) {
            const auto where = "killed " + std::string(moment_name(when)) + " its commit " +
                               std::to_string(commit);
            stage on(how);
            on.crash_at(commit, when);
            run_to_its_end(on, play, where);
            if (!on.has_crashed()) return 2 * (commit - 1);
            on.expect_sound();
            const auto differs = difference(lines_in(whole), lines_in(on.books()));
            if (!differs.empty()) {
                throw stage_failure(where + ", the books end otherwise: " + differs);
            }
        }
    }
    throw stage_failure("more than " + std::to_string(crashes_max) + " commits: shorten it");
}

void expect_same_twice(const stage_terms& terms, const scenario& play) {
    auto how = terms;
    how.in_process = true;
    const auto began = ::time(nullptr);
    stage first(how);
    run_to_its_end(first, play, "the first run");
    if (first.wanted().empty()) {
        throw stage_failure("the plugin wanted nothing: there is nothing to compare");
    }
    await_another_second(std::max(began, ::time(nullptr)));
    stage second(how);
    second.forget_always(true);
    run_to_its_end(second, play, "the second run");
    const auto differs = difference(first.wanted(), second.wanted());
    if (!differs.empty()) throw stage_failure("two runs differ: " + differs);
}

void expect_denied(const stage_terms& terms, const std::string& right, const scenario& play) {
    auto how = terms;
    how.without = right;
    stage on(how);
    std::optional<run_report> ended;
    try {
        play(on);
    } catch (const run_failure& why) {
        ended = why.what_became();
    }
    const bool is_refused = std::ranges::any_of(on.refusals(), [](const refusal& each) {
        return each.why == errc::not_granted || each.why == errc::grant_exceeded;
    });
    const auto without = "without \"" + right + "\" ";
    if (!is_refused && !ended) {
        throw stage_failure(without +
                            "it is refused nothing: it does not need that right, or the "
                            "scenario does not make it use it");
    }
    if (on.accepted() != 0) {
        throw stage_failure(without + std::to_string(on.accepted()) +
                            " of its commits were made: " + on.wanted().front());
    }
    on.expect_sound();
}

void expect_ended_at(const stage_terms& terms, std::chrono::nanoseconds limit,
                     const scenario& play) {
    auto how = terms;
    how.hard_limit = limit;
    stage on(how);
    try {
        play(on);
    } catch (const run_failure& why) {
        if (why.what_became().end != run_end::hung) throw;
        on.expect_sound();
        return;
    }
    throw stage_failure("no call took longer than its limit");
}

}  // namespace perdure::plugins

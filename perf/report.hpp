// SPDX-License-Identifier: Apache-2.0
//
// Result lines: the runs of one measurement folded into one line of JSON.
//
// Promise     The rate is the median of the runs, `spread` is (fastest - slowest) / median, the
//             latencies are those of all runs together.
#pragma once

#include "engine.hpp"
#include "harness.hpp"

#include <string>
#include <utility>
#include <vector>

namespace perdure::perf {

struct line_title {
    std::string work;
    std::string engine;
    durability_level level;
    int processes;
    std::uint32_t batch = 1;
};

class series {
  public:
    explicit series(line_title title) : title_(std::move(title)) {}

    void add(const measurement& run, const journal_state& journal = {});
    /// A further figure of the line; the name ends with its unit.
    void note(std::string name, double value) { notes_.emplace_back(std::move(name), value); }
    /// One line of JSON on standard output; nothing if there was no run.
    void print(const std::string& suite) const;
    [[nodiscard]] const line_title& title() const noexcept { return title_; }

  private:
    line_title title_;
    std::vector<double> rates_;
    histogram latency_;
    std::uint64_t ring_wraps_ = 0;
    std::uint64_t lag_bytes_ = 0;
    std::vector<std::pair<std::string, double>> notes_;
};

/// The value in the middle, or between the two in the middle; 0 of none.
[[nodiscard]] double median(std::vector<double> values);

}  // namespace perdure::perf

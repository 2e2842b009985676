// SPDX-License-Identifier: Apache-2.0
#include "report.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>

namespace perdure::perf {

void series::add(const measurement& run, const journal_state& journal) {
    rates_.push_back(run.operations_per_second);
    latency_.add(run.latency);
    // The fewest wraps of a run: the claim is that each run wrapped the ring often enough.
    ring_wraps_ =
        rates_.size() == 1 ? journal.ring_wraps : std::min(ring_wraps_, journal.ring_wraps);
    lag_bytes_ = std::max(lag_bytes_, journal.lag_bytes);
    std::fprintf(stderr, "  %s %s x%d run %zu: %.0f/s\n", title_.work.c_str(),
                 title_.engine.c_str(), title_.processes, rates_.size(), run.operations_per_second);
}

double median(std::vector<double> values) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

void series::print(const std::string& suite) const {
    if (rates_.empty()) return;
    const double rate = median(rates_);
    const auto [slowest, fastest] = std::minmax_element(rates_.begin(), rates_.end());
    const double spread = rate > 0 ? (*fastest - *slowest) / rate : 0;
    std::printf(
        "{\"suite\":\"%s\",\"work\":\"%s\",\"engine\":\"%s\",\"durability\":\"%s\","
        "\"processes\":%d,\"batch\":%" PRIu32
        ",\"ops_s\":%.1f,"
        "\"p50_ns\":%" PRIu64 ",\"p99_ns\":%" PRIu64 ",\"p999_ns\":%" PRIu64 ",\"max_ns\":%" PRIu64
        ",\"spread\":%.4f,\"ring_wraps\":%" PRIu64 ",\"lag_bytes\":%" PRIu64,
        suite.c_str(), title_.work.c_str(), title_.engine.c_str(),
        std::string(name(title_.level)).c_str(), title_.processes, title_.batch, rate,
        latency_.quantile(0.50), latency_.quantile(0.99), latency_.quantile(0.999), latency_.max(),
        spread, ring_wraps_, lag_bytes_);
    for (const auto& [name_of, value] : notes_) {
        std::printf(",\"%s\":%.3f", name_of.c_str(), value);
    }
    std::printf("}\n");
    std::fflush(stdout);
}

}  // namespace perdure::perf

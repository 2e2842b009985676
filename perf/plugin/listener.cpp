// SPDX-License-Identifier: Apache-2.0
//
// A plugin that follows transfers: looks at each amount, and stores their sum with each call.
#include "words.hpp"

#include <perdure/plugins/sdk/plugin.hpp>

namespace {

/// What a transferred event begins with (docs/formats/events.md).
struct transfer {
    perdure_id source;
    perdure_id target;
    std::int64_t amount;
};

class listener : public perdure::plugin<listener> {
  public:
    void configure(std::string_view json, bool /*is_dry*/) {
        wanted_ = perdure::perf::number_in(json, "events");
    }

    void on_events(const perdure::event_list& events) {
        if (first_ns_ == 0) first_ns_ = perdure::perf::monotonic_ns();
        for (const perdure_event& each : events) {
            sum_ += perdure::payload_of<transfer>(each).amount;
        }
        seen_ += events.size();
        ++calls_;
        perdure::batch keeps(host());
        keeps.state_put("sum", sum_);
        keeps.commit(events.last_lsn());
        if (seen_ < wanted_ || is_done_) return;
        is_done_ = true;
        host().log().note("done " + std::to_string(seen_) + " in " +
                          std::to_string(perdure::perf::monotonic_ns() - first_ns_) + " calls " +
                          std::to_string(calls_));
    }

  private:
    bool is_done_ = false;
    std::uint64_t wanted_ = 0;
    std::uint64_t first_ns_ = 0;
    std::uint64_t seen_ = 0;
    std::uint64_t calls_ = 0;
    std::int64_t sum_ = 0;
};

}  // namespace

PERDURE_EXPORT_PLUGIN(listener)

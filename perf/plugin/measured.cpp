// SPDX-License-Identifier: Apache-2.0
//
// A plugin that measures what its host does for it, and writes the figures into its log:
// commit: pays out of the bank in one window for so long, and times each commit;
// empty: does nothing in on_tick, and times from one call to the next.
//
// Threads     As perdure_plugin.h.
#include "../histogram.hpp"
#include "../workload.hpp"
#include "words.hpp"

#include <perdure/plugins/sdk/plugin.hpp>

namespace {

using perdure::perf::histogram;
using perdure::perf::payment_source;

class measured : public perdure::plugin<measured> {
  public:
    void configure(std::string_view json, bool is_dry) {
        if (is_dry) return;
        commits_ = json.find("\"work\":\"commit\"") != std::string_view::npos;
        commands_ = perdure::perf::number_in(json, "commands");
        run_ns_ = perdure::perf::number_in(json, "milliseconds") * 1'000'000;
        calls_ = perdure::perf::number_in(json, "calls");
        state_.assign(perdure::perf::number_in(json, "state"), 's');
    }

    void on_tick(const perdure_tick& tick) {
        if (is_done_) return;
        if (commits_) {
            pay(tick.done);
        } else {
            count(perdure::perf::monotonic_ns());
        }
    }

  private:
    void pay(std::uint64_t position) {
        payment_source from(perdure::perf::draw::uniform, perdure::perf::plugin_accounts, 1);
        const perdure_id bank = host().read().account("bank");
        const std::uint32_t gold = host().read().asset("gold");
        const std::uint64_t warm = perdure::perf::monotonic_ns() + run_ns_ / 10;
        std::uint64_t begun = 0;
        std::uint64_t now = 0;
        for (; begun == 0 || now - begun < run_ns_; ++position) {
            perdure::batch pays(host());
            for (std::uint64_t i = 0; i < commands_; ++i) {
                const auto to = perdure::perf::key_of(from.next_account());
                pays.transfer(bank, {to.high, 0}, {gold, 1});
            }
            if (!state_.empty()) pays.state_put_text("state", state_);
            const std::uint64_t then = perdure::perf::monotonic_ns();
            pays.commit(position);
            now = perdure::perf::monotonic_ns();
            if (begun != 0) {
                seen_.add(now - then);
            } else if (now > warm) {
                begun = now;
            }
        }
        tell(now - begun);
    }

    void count(std::uint64_t now) {
        if (last_ != 0) seen_.add(now - last_);
        if (last_ == 0) first_ = now;
        last_ = now;
        if (seen_.total() == calls_) tell(now - first_);
    }

    void tell(std::uint64_t span_ns) {
        perdure::perf::tell_times(host().log(), seen_);
        host().log().note("done " + std::to_string(seen_.total()) + " in " +
                          std::to_string(span_ns));
        is_done_ = true;
    }

    bool commits_ = false;
    bool is_done_ = false;
    std::uint64_t commands_ = 0;
    std::uint64_t run_ns_ = 0;
    std::uint64_t calls_ = 0;
    std::string state_;
    std::uint64_t first_ = 0;
    std::uint64_t last_ = 0;
    histogram seen_;
};

}  // namespace

PERDURE_EXPORT_PLUGIN(measured)

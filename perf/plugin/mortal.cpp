// SPDX-License-Identifier: Apache-2.0
//
// A plugin to be killed: pays one unit of gold in every window, and writes into its log when it was
// first called to do so.
#include "../workload.hpp"
#include "words.hpp"

#include <perdure/plugins/sdk/plugin.hpp>

namespace {

class mortal : public perdure::plugin<mortal> {
  public:
    void activate(std::uint64_t generation) {
        host().log().note("activated " + std::to_string(perdure::perf::monotonic_ns()) +
                          " generation " + std::to_string(generation));
    }

    void on_tick(const perdure_tick& tick) {
        if (!was_called_) {
            host().log().note("first call " + std::to_string(perdure::perf::monotonic_ns()));
        }
        was_called_ = true;
        if (tick.done != 0) return;
        const perdure_id bank = host().read().account("bank");
        const auto to = perdure::perf::key_of(tick.window % perdure::perf::plugin_accounts);
        perdure::batch pays(host());
        pays.transfer(bank, {to.high, 0}, {host().read().asset("gold"), 1});
        pays.commit(0);
    }

  private:
    bool was_called_ = false;
};

}  // namespace

PERDURE_EXPORT_PLUGIN(mortal)

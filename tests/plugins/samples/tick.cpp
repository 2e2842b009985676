// SPDX-License-Identifier: Apache-2.0
//
// A tick plugin in C++ that uses each part of the SDK; tests/plugins/sdk_test.cpp is its host.
#include <perdure/plugins/sdk/plugin.hpp>

namespace {

struct purse {
    perdure_id owner;
    std::int64_t coins;
};

struct paid {
    std::uint64_t window;
    std::int64_t coins;
};

class payer : public perdure::plugin<payer> {
  public:
    void configure(std::string_view json, bool is_dry) {
        if (json.find("\"fail\":true") != std::string_view::npos) {
            throw std::runtime_error("told to fail");
        }
        if (!is_dry) configured_ = json;
    }

    perdure::status self_test() {
        return configured_.empty() ? perdure::status::not_found : perdure::status::ok;
    }

    // One coin to each purse that has fewer than ten.
    void on_tick(const perdure_tick& tick) {
        const std::uint32_t gold = host().read().asset("gold");
        perdure::batch pays(host());
        std::int64_t sum = 0;
        host().read().for_each<purse>("purses", [&](const purse& each) {
            if (each.coins >= 10) return;
            pays.transfer(host().account(), each.owner, {gold, 1}, {7, tick.window});
            ++sum;
        });
        const auto before = host().state().get<std::int64_t>("paid");
        pays.state_put("paid", before.value_or(0) + sum);
        pays.event(40'000, 1, paid{tick.window, sum});
        const perdure_receipt receipt = pays.commit(0);
        if (receipt.repeated == 0) host().metrics().add("paid", sum);
        host().log().note("window " + std::to_string(tick.window));
    }

  private:
    std::string configured_;
};

}  // namespace

PERDURE_EXPORT_PLUGIN(payer)

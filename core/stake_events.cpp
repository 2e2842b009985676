// SPDX-License-Identifier: Apache-2.0
//
// What the events of stake_event_format.hpp hold and do: found true by tests/core/stake_test.cpp.
#include <perdure/core/event_declaration.hpp>
#include <perdure/core/stake_event_format.hpp>

namespace perdure {
namespace {

event_declaration programme_opened() {
    return declaration_of<programme_opened_v1>("programme_opened", event_type::programme_opened, 1)
        .described()
        .sets("programmes", "name", {{"programme"}}, "name")
        .sets("programmes", "asset", {{"programme"}}, "asset")
        .sets("programmes", "method", {{"programme"}}, "method")
        .sets("programmes", "funding", {{"programme"}}, "funding")
        .sets("programmes", "apy_ppb", {{"programme"}}, "apy_ppb")
        .sets("programmes", "period_ns", {{"programme"}}, "period_ns")
        .sets("programmes", "source", {{"programme"}}, "source")
        .sets("programmes", "escrow", {{"programme"}}, "escrow");
}

event_declaration programme_set() {
    return declaration_of<programme_set_v1>("programme_set", event_type::programme_set, 1)
        .described()
        .sets("programmes", "apy_ppb", {{"programme"}}, "apy_ppb")
        .sets("programmes", "growth", {{"programme"}}, "growth");
}

event_declaration programme_closed() {
    return declaration_of<programme_closed_v1>("programme_closed", event_type::programme_closed, 1)
        .described()
        .sets("programmes", "closed_ns", {{"programme"}}, "closed_ns");
}

event_declaration staked() {
    return declaration_of<staked_v1>("staked", event_type::staked, 1)
        .described()
        .adds("programmes", "staked", {{"programme"}}, "amount")
        .increments("programmes", "stakes", {{"programme"}})
        .sets("stakes", "programme", {{"stake"}}, "programme")
        .sets("stakes", "account", {{"stake"}}, "account")
        .sets("stakes", "principal", {{"stake"}}, "amount")
        .sets("stakes", "staked", {{"stake"}}, "amount")
        .sets("stakes", "since_ns", {{"stake"}}, "since_ns")
        .sets("stakes", "apy_ppb", {{"stake"}}, "apy_ppb");
}

event_declaration unstaked() {
    return declaration_of<unstaked_v1>("unstaked", event_type::unstaked, 1)
        .described()
        .subtracts("programmes", "staked", {{"programme"}}, "amount")
        .subtracts("programmes", "stakes", {{"programme"}}, "gone")
        .subtracts("stakes", "staked", {{"stake"}}, "amount");
}

event_declaration yield_paid() {
    return declaration_of<yield_paid_v1>("yield_paid", event_type::yield_paid, 1)
        .described()
        .adds("programmes", "distributed", {{"programme"}}, "amount")
        .adds("programmes", "staked", {{"programme"}}, "compounded")
        .adds("stakes", "paid", {{"stake"}}, "amount")
        .adds("stakes", "staked", {{"stake"}}, "compounded")
        .sets("stakes", "periods_paid", {{"stake"}}, "to_period")
        .sets("stakes", "last_payout_ns", {{"stake"}}, "to_ns");
}

event_declaration yield_refused() {
    return declaration_of<yield_refused_v1>("yield_refused", event_type::yield_refused, 1)
        .described()
        .increments("programmes", "refused", {{"programme"}})
        .sets("stakes", "refused_to", {{"stake"}}, "to_period");
}

}  // namespace

std::vector<event_declaration> stake_events() {
    return {programme_opened(), programme_set(), programme_closed(), staked(),
            unstaked(),         yield_paid(),    yield_refused()};
}

}  // namespace perdure

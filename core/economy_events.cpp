// SPDX-License-Identifier: Apache-2.0
//
// What the events of event_format.hpp hold and do. An effect that is declared here and not true is
// found by tests/core/event_catalogue_test.cpp.
#include <perdure/core/event_declaration.hpp>

namespace perdure {
namespace {

event_declaration asset_created() {
    using event = asset_created_v1;
    return declaration_of<event>("asset_created", event_type::asset_created, 1)
        .field("code", &event::code)
        .field("asset", &event::asset, event_unit::asset)
        .field("scale", &event::scale)
        .field("authority", &event::authority)
        .sets("assets", "code", {{"asset"}}, "code")
        .sets("assets", "asset", {{"asset"}}, "asset")
        .sets("assets", "scale", {{"asset"}}, "scale")
        .sets("assets", "authority", {{"asset"}}, "authority");
}

event_declaration account_opened() {
    using event = account_opened_v1;
    return declaration_of<event>("account_opened", event_type::account_opened, 1)
        .field("account", &event::account)
        .field("kind", &event::kind)
        .sets("accounts", "kind", {{"account"}}, "kind");
}

event_declaration transferred() {
    using event = transferred_v1;
    return declaration_of<event>("transferred", event_type::transferred, 1)
        .field("source", &event::source)
        .field("target", &event::target)
        .field("amount", &event::amount)
        .field("asset", &event::asset, event_unit::asset)
        .field("reason", &event::reason)
        .field("reference", &event::reference)
        .subtracts("balances", "available", {{"source"}, {"asset", 12}}, "amount")
        .adds("balances", "available", {{"target"}, {"asset", 12}}, "amount");
}

declaration_of<supply_moved_v1> supply_moved(const char* name, event_type type) {
    using event = supply_moved_v1;
    return declaration_of<event>(name, type, 1)
        .field("account", &event::account)
        .field("amount", &event::amount)
        .field("asset", &event::asset, event_unit::asset)
        .field("reason", &event::reason);
}

event_declaration minted() {
    return supply_moved("minted", event_type::minted)
        .adds("balances", "available", {{"account"}, {"asset", 12}}, "amount")
        .adds("assets", "supply", {{"asset"}}, "amount")
        .adds("assets", "minted", {{"asset"}}, "amount");
}

event_declaration burned() {
    return supply_moved("burned", event_type::burned)
        .subtracts("balances", "available", {{"account"}, {"asset", 12}}, "amount")
        .subtracts("assets", "supply", {{"asset"}}, "amount")
        .adds("assets", "burned", {{"asset"}}, "amount");
}

}  // namespace

std::vector<event_declaration> economy_events() {
    return {asset_created(), account_opened(), transferred(), minted(), burned()};
}

}  // namespace perdure

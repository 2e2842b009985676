// SPDX-License-Identifier: Apache-2.0
//
// What the events of event_format.hpp hold and do. An effect that is declared here and not true is
// found by tests/core/event_catalogue_test.cpp.
#include <perdure/core/document_event_format.hpp>
#include <perdure/core/event_declaration.hpp>
#include <perdure/core/world_event_format.hpp>

namespace perdure {
namespace {

template <class Event>
declaration_of<Event> asset_created(std::uint16_t version) {
    return declaration_of<Event>("asset_created", event_type::asset_created, version)
        .described()
        .sets("assets", "code", {{"asset"}}, "code")
        .sets("assets", "asset", {{"asset"}}, "asset")
        .sets("assets", "scale", {{"asset"}}, "scale")
        .sets("assets", "authority", {{"asset"}}, "authority");
}

event_declaration account_opened() {
    return declaration_of<account_opened_v1>("account_opened", event_type::account_opened, 1)
        .described()
        .sets("accounts", "kind", {{"account"}}, "kind");
}

template <class Event>
event_declaration transferred(std::uint16_t version) {
    return declaration_of<Event>("transferred", event_type::transferred, version)
        .described()
        .subtracts("balances", "available", {{"source"}, {"asset", 12}}, "amount")
        .adds("balances", "available", {{"target"}, {"asset", 12}}, "amount");
}

template <class Event>
declaration_of<Event> minted(std::uint16_t version) {
    return declaration_of<Event>("minted", event_type::minted, version)
        .described()
        .adds("balances", "available", {{"account"}, {"asset", 12}}, "amount")
        .adds("assets", "supply", {{"asset"}}, "amount")
        .adds("assets", "minted", {{"asset"}}, "amount");
}

template <class Event>
declaration_of<Event> burned(std::uint16_t version) {
    return declaration_of<Event>("burned", event_type::burned, version)
        .described()
        .subtracts("balances", "available", {{"account"}, {"asset", 12}}, "amount")
        .subtracts("assets", "supply", {{"asset"}}, "amount")
        .adds("assets", "burned", {{"asset"}}, "amount");
}

event_declaration held() {
    return declaration_of<hold_moved_v1>("held", event_type::held, 1)
        .described()
        .subtracts("balances", "available", {{"account"}, {"asset", 12}}, "amount")
        .adds("balances", "held", {{"account"}, {"asset", 12}}, "amount")
        .sets("holds", "account", {{"hold"}}, "account")
        .sets("holds", "asset", {{"hold"}}, "asset")
        .sets("holds", "amount", {{"hold"}}, "left");
}

event_declaration released() {
    return declaration_of<hold_moved_v1>("released", event_type::released, 1)
        .described()
        .adds("balances", "available", {{"account"}, {"asset", 12}}, "amount")
        .subtracts("balances", "held", {{"account"}, {"asset", 12}}, "amount")
        .subtracts("holds", "amount", {{"hold"}}, "amount");
}

event_declaration captured() {
    return declaration_of<hold_moved_v1>("captured", event_type::captured, 1)
        .described()
        .subtracts("balances", "held", {{"account"}, {"asset", 12}}, "amount")
        .adds("balances", "available", {{"target"}, {"asset", 12}}, "amount")
        .subtracts("holds", "amount", {{"hold"}}, "amount");
}

event_declaration posted() {
    return declaration_of<posted_v1>("posted", event_type::posted, 1)
        .described()
        .adds("balances", "available", {{"account"}, {"asset", 12}}, "amount");
}

event_declaration faucet_opened() {
    return declaration_of<faucet_set_v1>("faucet_opened", event_type::faucet_opened, 1)
        .described()
        .sets("faucets", "name", {{"faucet"}}, "name")
        .sets("faucets", "asset", {{"faucet"}}, "asset")
        .sets("faucets", "kind", {{"faucet"}}, "kind")
        .sets("faucets", "authority", {{"faucet"}}, "authority")
        .sets("faucets", "budget", {{"faucet"}}, "budget");
}

event_declaration item_created() {
    return declaration_of<item_moved_v1>("item_created", event_type::item_created, 1)
        .described()
        .sets("items", "owner", {{"serial"}, {"asset", 8}}, "target")
        .sets("items", "serial", {{"serial"}, {"asset", 8}}, "serial")
        .sets("items", "asset", {{"serial"}, {"asset", 8}}, "asset")
        .increments("balances", "available", {{"target"}, {"asset", 12}})
        .increments("assets", "supply", {{"asset"}})
        .increments("assets", "minted", {{"asset"}})
        .increments("faucets", "used", {{"faucet"}});
}

event_declaration item_moved() {
    return declaration_of<item_moved_v1>("item_moved", event_type::item_moved, 1)
        .described()
        .decrements("balances", "available", {{"source"}, {"asset", 12}})
        .increments("balances", "available", {{"target"}, {"asset", 12}});
}

event_declaration item_destroyed() {
    return declaration_of<item_moved_v1>("item_destroyed", event_type::item_destroyed, 1)
        .described()
        .decrements("balances", "available", {{"source"}, {"asset", 12}})
        .decrements("assets", "supply", {{"asset"}})
        .increments("assets", "burned", {{"asset"}})
        .increments("faucets", "used", {{"faucet"}});
}

event_declaration document_created() {
    return declaration_of<document_created_v1>("document_created", event_type::document_created, 1)
        .described()
        .sets("documents", "collection", {{"document"}}, "collection")
        .sets("documents", "bytes_max", {{"document"}}, "bytes_max")
        .sets("documents", "versions_max", {{"document"}}, "versions_max")
        .sets("documents", "kind", {{"document"}}, "kind");
}

event_declaration document_put() {
    return declaration_of<document_put_v1>("document_put", event_type::document_put, 1)
        .described()
        .sets("documents", "version", {{"document"}}, "version")
        .sets("documents", "bytes", {{"document"}}, "bytes")
        .sets("documents", "state", {{"document"}}, "to_state");
}

event_declaration document_erased() {
    return declaration_of<document_erased_v1>("document_erased", event_type::document_erased, 1)
        .described();
}

event_declaration document_limited() {
    return declaration_of<document_limited_v1>("document_limited", event_type::document_limited, 1)
        .described()
        .sets("documents", "bytes_max", {{"document"}}, "bytes_max")
        .sets("documents", "versions_max", {{"document"}}, "versions_max");
}

/// Events that change what rows say of themselves; no column gains by them.
template <class Event>
event_declaration plain(const char* name, event_type type) {
    return declaration_of<Event>(name, type, 1).described();
}

}  // namespace

std::vector<event_declaration> economy_events() {
    using type = event_type;
    std::vector<event_declaration> all{
        asset_created<asset_created_v1>(1),
        asset_created<asset_created_v2>(2),
        account_opened(),
        transferred<transferred_v1>(1),
        transferred<transferred_v2>(2),
        minted<supply_moved_v1>(1),
        minted<supply_moved_v2>(2).adds("faucets", "used", {{"faucet"}}, "amount"),
        burned<supply_moved_v1>(1),
        burned<supply_moved_v2>(2).adds("faucets", "used", {{"faucet"}}, "amount"),
        held(),
        released(),
        captured(),
        posted(),
        faucet_opened(),
        plain<faucet_set_v1>("budget_set", type::budget_set),
        item_created(),
        item_moved(),
        item_destroyed(),
        plain<freeze_set_v1>("account_frozen", type::account_frozen),
        plain<freeze_set_v1>("account_unfrozen", type::account_unfrozen),
        plain<shards_set_v1>("balance_sharded", type::balance_sharded),
        plain<shards_set_v1>("balance_unsharded", type::balance_unsharded),
        document_created(),
        document_put(),
        document_erased(),
        document_limited(),
        plain<world_recovered_v1>("world_recovered", type::world_recovered),
        plain<clock_ticked_v1>("clock_ticked", type::clock_ticked),
    };
    for (auto& each : stake_events()) all.push_back(std::move(each));
    return all;
}

}  // namespace perdure

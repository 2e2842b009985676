// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <perdure/plugins/host/grant.hpp>
#include <perdure/plugins/host/registry.hpp>
#include <perdure/shm/crash_point.hpp>

namespace perdure::plugins {
namespace {

/// The fields of a command that are not zero.
enum field : std::uint32_t {
    source = 1,
    target = 2,
    object = 4,
    value = 8,
    asset = 16,
    until = 32,
    event = 64,
};

constexpr shm::transaction_key nobody{};
constexpr std::uint16_t first_own_event = 1000;  // docs/events.md

std::uint32_t fields_of(const batch_command& c) noexcept {
    return (c.source == nobody ? 0U : source) | (c.target == nobody ? 0U : target) |
           (c.object == nobody ? 0U : object) | (c.amount == 0 ? 0U : value) |
           (c.asset == 0 ? 0U : asset) | (c.until == 0 ? 0U : until) |
           (c.event_type == 0 && c.event_version == 0 && c.payload_bytes == 0 ? 0U : event);
}

/// What a kind needs, and what it may have besides.
struct shape {
    std::uint32_t needed;
    std::uint32_t optional = 0;
};

constexpr std::array shapes{
    shape{~0U},  // No kind.
    shape{source | target | value | asset},
    shape{target | value | asset},
    shape{source | value | asset},
    shape{source | object | value | asset},
    shape{object, value},
    shape{object | target, value},
    shape{target | until},
    shape{target},
    shape{event},
    shape{object | until},
    shape{object | until},
};
static_assert(shapes.size() == PERDURE_COMMAND_REFUSE_STAKE + 1);

/// An account's id has 96 bits.
bool is_account(const shm::transaction_key& key) noexcept { return key.low >> 32 == 0; }

}  // namespace

grant grant::of(account_id plugin, const capabilities& granted, const event_catalogue& known) {
    grant out;
    out.plugin_ = plugin;
    out.commands_ = granted.commands;
    for (const auto& name : granted.debit) out.debit_.push_back(key_of(account_id::of(name)));
    for (const auto& [code, most] : granted.mint) {
        const auto named = [&](faucet_kind way) {
            return faucet_id::of(registry::faucet_name(plugin, code, way));
        };
        out.mint_.push_back(
            {asset_id::of(code), most, named(faucet_kind::faucet), named(faucet_kind::sink)});
    }
    for (const auto& each : known.all()) {
        // Core's own events are told by core alone: others fold them into sums.
        if (each.type >= first_own_event && granted.emit.contains(each.name)) {
            out.emit_.push_back({each.type, each.version, each.bytes});
        }
    }
    return out;
}

bool grant::may_take_from(const shm::transaction_key& account) const noexcept {
    return account == key_of(plugin_) || std::ranges::find(debit_, account) != debit_.end();
}

const grant::minting* grant::minting_of(asset_id asset) const noexcept {
    const auto found = std::ranges::find(mint_, asset, &minting::asset);
    return found == mint_.end() ? nullptr : &*found;
}

result<> grant::may(const command_view& what) const noexcept {
    const auto& c = what.command;
    if (c.kind == 0 || c.kind >= shapes.size()) return errc::bad_command;
    const auto has = fields_of(c);
    const auto& wants = shapes[c.kind];
    if ((has & wants.needed) != wants.needed || (has & ~(wants.needed | wants.optional)) != 0) {
        return errc::bad_command;
    }
    if (!is_account(c.source) || !is_account(c.target)) return errc::bad_command;
    if (c.amount < 0) return errc::bad_amount;
    if (planted(shm::bug::grant_ignored)) return {};
    if ((commands_ >> c.kind & 1) == 0) return errc::not_granted;
    switch (c.kind) {
        case PERDURE_COMMAND_TRANSFER:
        case PERDURE_COMMAND_HOLD:
            if (!may_take_from(c.source)) return errc::not_granted;
            break;
        case PERDURE_COMMAND_BURN:
            if (!(c.source == key_of(plugin_))) return errc::not_granted;
            [[fallthrough]];
        case PERDURE_COMMAND_MINT:
            if (minting_of(asset_id{c.asset}) == nullptr) return errc::not_granted;
            break;
        case PERDURE_COMMAND_EVENT: {
            const telling told{c.event_type, c.event_version,
                               static_cast<std::uint16_t>(c.payload_bytes)};
            if (std::ranges::find(emit_, told) == emit_.end()) return errc::not_granted;
            break;
        }
        default: break;
    }
    return {};
}

}  // namespace perdure::plugins

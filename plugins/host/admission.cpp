// SPDX-License-Identifier: Apache-2.0
#include <perdure/core/purse.hpp>
#include <perdure/plugins/host/admission.hpp>
#include <perdure/shm/crash_point.hpp>

namespace perdure::plugins {
namespace {

/// What the record carries, so that a commit is found by what it was for.
shm::transaction_key record_key(account_id plugin, const plugin_call& call,
                                std::uint64_t position) noexcept {
    const std::uint64_t window = call.kind == call_kind::events ? ~0ULL : call.window;
    return {plugin.high ^ (window + 1) * 0x9e3779b97f4a7c15ULL,
            plugin.low ^ (position + 1) * 0xff51afd7ed558ccdULL};
}

std::optional<amount> part_of(const batch_command& c) noexcept {
    return c.amount == 0 ? std::nullopt : std::optional(c.amount);
}

}  // namespace

/// The plugin's row, if this call may still change the world.
result<plugin_row*> admission::open_row(tx& by, const plugin_call& call) const noexcept {
    auto* row = PERDURE_TRY(plugins_->edit(by, grant_.plugin()));
    if (planted(shm::bug::generation_ignored)) return row;
    if (row->generation != call.generation ||
        row->state != static_cast<std::uint32_t>(plugin_state::active)) {
        return errc::stale_generation;
    }
    return row;
}

/// True when this position was committed before.
result<bool> admission::take_position(tx& by, const plugin_call& call,
                                      std::uint64_t position) const {
    auto* row = PERDURE_TRY(open_row(by, call));
    switch (call.kind) {
        case call_kind::tick:
            if (call.window != row->window) return errc::out_of_step;
            if (position < row->done && !planted(shm::bug::position_ignored)) return true;
            if (position > row->done) return errc::out_of_step;
            row->done = position + 1;
            row->to_ns = call.to_ns;
            break;
        case call_kind::events:
            if (position <= row->cursor && !planted(shm::bug::position_ignored)) return true;
            if (position > call.last_lsn) return errc::out_of_step;
            row->cursor = position;
            break;
        case call_kind::migrate:
            if (position != 0) return errc::out_of_step;
            if (row->state_version == call.state_version) return true;
            row->state_version = call.state_version;
            break;
    }
    by.key(record_key(grant_.plugin(), call, position));
    return false;
}

result<> admission::apply_supply(tx& by, const plugin_call& call, const batch_command& c,
                                 posting_note note) const noexcept {
    const asset_id asset{c.asset};
    const auto* right = grant_.minting_of(asset);
    if (right == nullptr) return errc::not_granted;
    if (c.kind == PERDURE_COMMAND_BURN) {
        return books_->burn(by, right->sink, grant_.plugin(), grant_.plugin(), c.amount, note);
    }
    if (!planted(shm::bug::allowance_ignored)) {
        PERDURE_TRY(plugins_->allow(by, key_of(grant_.plugin(), asset), call.window, c.amount,
                                    right->most));
    }
    const account_id target{c.target.high, static_cast<std::uint32_t>(c.target.low)};
    return books_->mint(by, right->faucet, grant_.plugin(), target, c.amount, note);
}

/// A plugin ends only holds that it has made.
result<> admission::apply_to_hold(tx& by, const batch_command& c,
                                  posting_note note) const noexcept {
    const auto row = PERDURE_TRY(books_->held(by, c.object));
    if (!(row.actor == words_of(grant_.plugin()))) return errc::not_granted;
    if (c.kind == PERDURE_COMMAND_RELEASE) return books_->release(by, c.object, part_of(c), note);
    const account_id target{c.target.high, static_cast<std::uint32_t>(c.target.low)};
    return books_->capture(by, c.object, target, part_of(c), note);
}

/// Which periods and how much are core's to judge: the plugin only says whose turn it is.
result<> admission::apply_to_stake(tx& by, const batch_command& c) const noexcept {
    const stake_id stake{c.object.high, c.object.low};
    if (c.kind == PERDURE_COMMAND_PAY_STAKE) {
        PERDURE_TRY(stakes_->pay(by, stake, c.reference, c.until));
    } else {
        PERDURE_TRY(stakes_->refuse(by, stake, c.until, static_cast<errc>(c.reason)));
    }
    return {};
}

result<> admission::apply(tx& by, const plugin_call& call,
                          const command_view& what) const noexcept {
    PERDURE_TRY(grant_.may(what));
    const auto& c = what.command;
    const posting_note note{c.reason, c.reference, grant_.plugin()};
    const account_id source{c.source.high, static_cast<std::uint32_t>(c.source.low)};
    const account_id target{c.target.high, static_cast<std::uint32_t>(c.target.low)};
    const asset_id asset{c.asset};
    switch (c.kind) {
        case PERDURE_COMMAND_TRANSFER:
            return books_->transfer(by, source, target, asset, c.amount, note);
        case PERDURE_COMMAND_MINT:
        case PERDURE_COMMAND_BURN: return apply_supply(by, call, c, note);
        case PERDURE_COMMAND_HOLD: return books_->hold(by, c.object, source, asset, c.amount, note);
        case PERDURE_COMMAND_RELEASE:
        case PERDURE_COMMAND_CAPTURE: return apply_to_hold(by, c, note);
        case PERDURE_COMMAND_FREEZE: return books_->freeze(by, target, c.until, note);
        case PERDURE_COMMAND_UNFREEZE: return books_->unfreeze(by, target, note);
        case PERDURE_COMMAND_EVENT:
            by.event(c.event_type, c.event_version, what.payload);
            return {};
        case PERDURE_COMMAND_PAY_STAKE:
        case PERDURE_COMMAND_REFUSE_STAKE: return apply_to_stake(by, c);
        default: return errc::bad_command;
    }
}

commit_answer admission::commit(shm::session& by, const plugin_call& call,
                                std::span<const std::byte> batch) const {
    commit_answer out;
    const auto whole = take_apart(batch);
    if (!whole) return {.refusal = whole.error()};
    const auto& header = whole->header;
    if (!(header.world == world_) || !(header.plugin == key_of(grant_.plugin()))) {
        return {.refusal = errc::foreign};
    }
    if (header.generation != call.generation) return {.refusal = errc::stale_generation};
    if (header.window != (call.kind == call_kind::tick ? call.window : 0)) {
        return {.refusal = errc::out_of_step};
    }
    if (planted(shm::bug::position_apart)) {
        const auto moved = by.write([&](tx& now) -> result<> {
            PERDURE_TRY(take_position(now, call, header.position));
            return {};
        });
        if (!moved) return {.refusal = moved.error()};
        PERDURE_CRASH_POINT("plugin.apart");
    }
    const auto paid = by.write([&](tx& now) -> result<> {
        out.refused = commit_answer::none;
        out.repeated = planted(shm::bug::position_apart)
                           ? false
                           : PERDURE_TRY(take_position(now, call, header.position));
        if (out.repeated) return {};
        for (std::size_t i = 0; i < whole->commands.size(); ++i) {
            const auto done = apply(now, call, whole->commands[i]);
            if (done) continue;
            out.refused = i;
            return done.error();
        }
        for (const auto& each : whole->states) {
            PERDURE_TRY(each.is_erased
                            ? plugins_->erase_state(now, grant_.plugin(), each.key)
                            : plugins_->put_state(now, grant_.plugin(), each.key, each.value));
        }
        return {};
    });
    if (paid) {
        out.lsn = paid->lsn;
    } else {
        out.refusal = paid.error();
    }
    return out;
}

result<> admission::finish(shm::session& by, const plugin_call& call) const {
    const auto moved = by.write([&](tx& now) -> result<> {
        auto* row = PERDURE_TRY(open_row(now, call));
        if (row->window != call.window) return errc::out_of_step;
        row->window += 1;
        row->from_ns = call.to_ns;
        row->to_ns = 0;
        row->done = 0;
        return {};
    });
    if (!moved) return moved.error();
    return {};
}

result<> admission::pass(shm::session& by, const plugin_call& call) const {
    const auto moved = by.write([&](tx& now) -> result<> {
        auto* row = PERDURE_TRY(open_row(now, call));
        row->cursor = std::max(row->cursor, call.last_lsn);
        return {};
    });
    if (!moved) return moved.error();
    return {};
}

}  // namespace perdure::plugins

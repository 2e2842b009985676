// SPDX-License-Identifier: Apache-2.0
//
// How a minder brings a plugin to another version and, if need be, back.
#include <perdure/plugins/host/minder.hpp>

namespace perdure::plugins {
namespace {

constexpr std::uint64_t probation_windows = 10;
constexpr std::size_t report_bytes_max = 8192;

bool is(const upgrade_row& row, upgrade_stage stage) noexcept {
    return row.stage == static_cast<std::uint32_t>(stage);
}

}  // namespace

bool minder::is_on_probation() const noexcept {
    return upgrade_ && is(*upgrade_, upgrade_stage::probation);
}

/// False: this turn's work is done.
bool minder::mind_upgrade(session& by, const plugin_row& row) {
    const auto at = by.read([&](view& seen) { return with_.plugins->upgrade(seen, plugin_); });
    if (!at) {
        if (at.error() == errc::not_found) {
            upgrade_.reset();
            next_.reset();
            shadowed_.reset();
        }
        return true;
    }
    upgrade_ = *at;
    if (!is(*at, upgrade_stage::shadowing)) return true;
    if (next_ == nullptr && !start_next(by, row)) return false;
    if (at->windows_left != 0 || row.done != 0) return true;
    // Between two windows: the old version ends in good order, the next turn starts the new one.
    next_.reset();
    end_instance();
    const auto switched = by.write(
        [&](tx& now) { return with_.plugins->switch_over(now, plugin_, probation_windows); });
    if (!switched) give_up(by, switched.error(), "it cannot take over");
    return false;
}

bool minder::start_next(session& by, const plugin_row& row) {
    try {
        const auto path = stored(std::string(text_in(upgrade_->new_file)));
        next_what_ = manifest::of_file(path);
        next_ = start_process(with_.kept->region(), terms_for(next_what_, path), shadow_);
        const std::uint64_t hard = next_what_.limits.hard_ns;
        if (!configure(*next_, next_what_, row, true)) {
            give_up(by, errc::bad_setting, "it will not have the present settings");
            return false;
        }
        configure(*next_, next_what_, row, false);
        const auto tested = next_->call(message_kind::self_test, {}, hard);
        if (tested.how != call_end::answered || tested.status != PERDURE_OK) {
            give_up(by, errc::plugin_failed, "its self-test fails");
            return false;
        }
        const std::uint64_t generation = row.generation;
        next_->call(message_kind::activate, std::as_bytes(std::span(&generation, 1)), hard);
        return true;
    } catch (const failure& why) {
        give_up(by, why.reason(), why.thing());
        return false;
    }
}

/// The old version works on, and the operator sees why.
void minder::give_up(session& by, errc cause, const std::string& why) {
    next_.reset();
    say(PERDURE_LOG_ERROR, "no upgrade: " + why + " (" + std::string(name(cause)) + ")");
    const auto ended = by.write([&](tx& now) {
        return with_.plugins->end_upgrade(now, plugin_,
                                          {.step = plugin_step::given_up, .cause = cause});
    });
    if (ended) upgrade_.reset();
}

/// Asks the new version what it would do, before the old one does it, or what it would go on with.
/// `call` is a number that a call has again when it is repeated.
void minder::shadow(session& by, message_kind kind, std::span<const std::byte> payload,
                    std::uint64_t call) {
    if (next_ == nullptr || upgrade_->windows_left == 0) return;
    if (shadowed_ != call) {
        // Amid a window the old version has done things that nobody has written down.
        if (call_.kind == call_kind::tick && done_before_ != 0) return;
        shadow_.wanted.clear();
        wanted_.clear();
        shadowed_ = call;
        is_shadow_done_ = next_what_.state_version != what_.state_version;
    }
    if (is_shadow_done_) return;
    const auto end = next_->call(kind, payload, next_what_.limits.hard_ns);
    const bool is_well =
        end.how == call_end::answered && (end.status == PERDURE_OK || end.status == PERDURE_AGAIN);
    is_shadow_done_ = end.status == PERDURE_OK;
    if (!is_well) give_up(by, errc::plugin_failed, "the new version fails beside the old one");
}

/// The old version has finished the call.
void minder::compare(session& by, std::uint64_t call) {
    if (next_ == nullptr || shadowed_ != call) return;
    shadowed_.reset();
    const bool is_asked = next_what_.state_version == what_.state_version;
    const std::string differs = !is_asked          ? "not asked: its state has another version"
                                : !is_shadow_done_ ? "the new version has more to do in it"
                                                   : wanted_.difference(shadow_.wanted);
    const auto line = "window " + std::to_string(call_.window) + ": " + differs + "\n";
    if (!differs.empty()) say(PERDURE_LOG_INFO, "shadow, " + line.substr(0, line.size() - 1));
    static_cast<void>(by.write([&](tx& now) -> result<> {
        auto* at = PERDURE_TRY(with_.plugins->edit_upgrade(now, plugin_));
        at->compared += 1;
        at->windows_left -= std::min<std::uint64_t>(at->windows_left, 1);
        if (differs.empty()) return {};
        auto report = PERDURE_TRY(with_.plugins->upgrade_text(now, at->report));
        if (report.size() + line.size() <= report_bytes_max) report += line;
        return with_.plugins->note_difference(now, *at, report);
    }));
}

/// A window is done; after some of them the new version is trusted.
void minder::stand_probation(session& by) {
    if (!is_on_probation()) return;
    static_cast<void>(by.write([&](tx& now) -> result<> {
        auto* at = PERDURE_TRY(with_.plugins->edit_upgrade(now, plugin_));
        if (at->windows_left > 1) {
            at->windows_left -= 1;
            return {};
        }
        return with_.plugins->end_upgrade(now, plugin_, {.step = plugin_step::settled});
    }));
}

/// The new version has failed on probation: the old one takes over again.
void minder::give_back(session& by, errc cause) {
    one_.reset();
    process_.store(0);
    retry_at_ = 0;
    const auto back = [&] {
        return by.write([&](tx& now) { return with_.plugins->give_back(now, plugin_, cause); });
    };
    auto given = back();
    if (!given && given.error() == errc::wrong_state && migrate_back(by)) given = back();
    upgrade_.reset();
    one_.reset();
    if (given) {
        say(PERDURE_LOG_WARN, "back to the version before: " + std::string(name(cause)));
        return;
    }
    say(PERDURE_LOG_ERROR,
        "quarantined: the new version fails, and the old one cannot have its "
        "state back: " +
            std::string(name(given.error())));
    note_step(by, {plugin_step::quarantined, cause}, plugin_state::quarantined);
}

/// Only the new version knows both shapes of the state: it is started once more for that.
bool minder::migrate_back(session& by) {
    const auto row = by.read([&](view& seen) { return with_.plugins->row(seen, plugin_); });
    if (!row || !upgrade_) return false;
    const auto kept = std::exchange(upgrade_, std::nullopt);  // No return within the return.
    bool is_done = false;
    try {
        is_done = begin(by, *row);
        if (is_done) migrate(by, row->state_version, kept->old_state_version);
    } catch (const failure& why) {
        say(PERDURE_LOG_ERROR, why.thing());
        is_done = false;
    }
    upgrade_ = kept;
    return is_done;
}

}  // namespace perdure::plugins

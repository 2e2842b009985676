// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <perdure/plugins/host/minder.hpp>

namespace perdure::plugins {
namespace {

// What it costs to have nothing to do, and how late the next thing is noticed. measured:
// perf/plugins
constexpr std::chrono::milliseconds idle_pause{5};
constexpr std::chrono::milliseconds pause_after_failure{1000};
constexpr std::chrono::milliseconds calm_pause{20};
constexpr std::uint32_t turns_until_calm = 100;
constexpr std::uint64_t calm_lsns =
    4096;  // A cursor is stored when it has come so far for nothing.
constexpr std::size_t counters_max = 64;

std::uint64_t now_ns() noexcept { return shm::system_park().now_ns(); }

template <class T>
std::span<const std::byte> bytes_of(const T& of) noexcept {
    return std::as_bytes(std::span(&of, 1));
}

bool is(const plugin_row& row, plugin_state state) noexcept {
    return row.state == static_cast<std::uint32_t>(state);
}

}  // namespace

minder::minder(const host_terms& with, const plugin_row& first)
    : with_(with),
      id_(text_in(first.id)),
      plugin_(registry::account_of(id_)),
      thread_([this] { run(); }) {}

minder::~minder() {
    stop();
    thread_.join();
}

void minder::run() noexcept {
    try {
        auto by = with_.kept->join();
        by_ = &by;
        while (!ended_.load()) turn(by);
    } catch (const std::exception& error) {
        say(PERDURE_LOG_ERROR, std::string("its minder begins anew: ") + error.what());
        one_.reset();
        // The supervisor makes another one at once: not without end, where e.g. memory is short.
        for (auto left = pause_after_failure; left.count() > 0 && !stops_.load();
             left -= idle_pause) {
            std::this_thread::sleep_for(idle_pause);
        }
    }
    one_.reset();
    next_.reset();
    by_ = nullptr;
    ended_.store(true);
}

/// One look at the row, and one piece of work at most.
void minder::turn(session& by) {
    const auto row = by.read([&](view& seen) { return with_.plugins->row(seen, plugin_); });
    if (!row && row.error() != errc::unknown_plugin) {
        rest(true);
        return;
    }
    const bool is_wanted =
        row && (is(*row, plugin_state::loaded) || is(*row, plugin_state::active));
    if (stops_.load() || !is_wanted) {
        end_instance();
        ended_.store(true);
        return;
    }
    if (now_ns() < retry_at_) {
        rest(true);
        return;
    }
    if (one_ != nullptr && text_in(row->file) != file_) end_instance();
    if (!mind_upgrade(by, *row)) return;
    if (one_ == nullptr) {
        rest(!start(by, *row));
        return;
    }
    call_outcome ended;
    if (!one_->is_alive(ended)) {
        lost(by, ended);
        return;
    }
    rest(!deliver(by, *row));
}

/// Writes what became of it, and its event, in one transaction; answers the generation, which
/// `activated` raises.
std::uint64_t minder::note_step(session& by, const step_note& note, plugin_state next) const {
    std::uint64_t generation = 0;
    const auto noted = by.write([&](tx& now) -> result<> {
        auto* row = PERDURE_TRY(with_.plugins->edit(now, plugin_));
        if (!is(*row, plugin_state::loaded) && !is(*row, plugin_state::active)) return {};
        if (note.step == plugin_step::activated) row->generation += 1;
        if (note.step == plugin_step::crashed || note.step == plugin_step::hung) row->crashes += 1;
        row->state = static_cast<std::uint32_t>(next);
        if (note.cause != errc{}) row->cause = static_cast<std::uint32_t>(note.cause);
        generation = row->generation;
        with_.plugins->tell(now, *row, note);
        return {};
    });
    if (!noted) {
        throw failure(noted.error(), "plugin " + id_ + ": its row cannot be written",
                      std::string(remedy(noted.error())));
    }
    return generation;
}

/// Its process is gone, by its own doing or ours.
void minder::lost(session& by, const call_outcome& end) {
    one_.reset();
    process_.store(0);
    const auto step = end.how == call_end::hung          ? plugin_step::hung
                      : end.how == call_end::broke_rules ? plugin_step::broke_rules
                                                         : plugin_step::crashed;
    const errc cause = end.cause == errc{} ? errc::plugin_failed : end.cause;
    say(PERDURE_LOG_ERROR, how_it_ended(end));
    note_step(by, {step, cause, end.number}, plugin_state::active);
    if (is_on_probation()) return give_back(by, cause);
    const auto again = patience_.died(now_ns());
    retry_at_ = again.value_or(0);
    if (again) return;
    say(PERDURE_LOG_ERROR, "quarantined: it died five times in ten minutes");
    note_step(by, {plugin_step::quarantined, cause}, plugin_state::quarantined);
}

/// What a call has come to; false when the instance is gone or its work is not done.
bool minder::accept(const call_outcome& end, std::string_view what) {
    if (one_ != nullptr) {
        const auto denied = one_->denied();
        if (denied.count > denied_) {
            say(PERDURE_LOG_WARN, "denied: system call " + std::to_string(denied.call) + ", " +
                                      std::to_string(denied.count - denied_) + " calls in " +
                                      std::string(what));
            denied_ = denied.count;
        }
    }
    if (end.how != call_end::answered) {
        lost(*by_, end);
        return false;
    }
    if (end.ns > what_.limits.soft_ns) {
        say(PERDURE_LOG_WARN, std::string(what) + " took " + std::to_string(end.ns / 1'000'000) +
                                  " ms, beyond its soft limit");
    }
    if (end.status == PERDURE_OK) {
        patience_.worked();
        return true;
    }
    if (end.status == PERDURE_AGAIN && what_.kind == plugin_kind::tick) return false;
    retry_at_ = patience_.failed(now_ns());
    say(PERDURE_LOG_WARN, std::string(what) + " answers " + std::to_string(end.status) + " (" +
                              std::string(name(static_cast<errc>(end.status))) +
                              "); it is called again in " +
                              std::to_string((retry_at_ - now_ns()) / 1'000'000) + " ms");
    if (is_on_probation()) give_back(*by_, errc::plugin_failed);
    return false;
}

/// A window or events; false as accept().
bool minder::hand_over(message_kind kind, std::span<const std::byte> payload,
                       std::string_view what) {
    const auto end = one_->call(kind, payload, what_.limits.hard_ns);
    if (!accept(end, what)) return false;
    ++calls_;
    call_ns_ += end.ns;
    return true;
}

bool minder::deliver(session& by, const plugin_row& row) {
    return what_.kind == plugin_kind::tick ? deliver_tick(by, row) : deliver_events(by);
}

std::uint64_t minder::world_ns(session& by) const {
    const auto row = by.read([&](view& seen) { return with_.kept->clock().read(seen); });
    return row ? row->world_ns : 0;
}

bool minder::deliver_tick(session& by, const plugin_row& row) {
    const auto due = plan_window(row, what_, world_ns(by));
    if (!due) return false;
    if (due->skipped != 0) return skip(by, *due);
    call_.kind = call_kind::tick;
    call_.window = row.window;
    call_.from_ns = due->from_ns;
    call_.to_ns = due->to_ns;
    const auto tick = tick_of(row, call_, what_.limits.hard_ns);
    done_before_ = row.done;
    shadow(by, message_kind::tick, bytes_of(tick), row.window);
    if (!hand_over(message_kind::tick, bytes_of(tick), "on_tick")) return true;
    const auto finished = desk_->finish(by, call_);
    if (!finished && finished.error() != errc::stale_generation) {
        say(PERDURE_LOG_WARN, "its window stays open: " + std::string(name(finished.error())));
    }
    compare(by, call_.window);
    stand_probation(by);
    return true;
}

/// Windows that its manifest does not want made up.
bool minder::skip(session& by, const due_window& due) {
    const auto skipped = by.write([&](tx& now) -> result<> {
        auto* row = PERDURE_TRY(with_.plugins->edit(now, plugin_));
        if (row->generation != call_.generation) return errc::stale_generation;
        row->from_ns = due.from_ns;
        row->window += due.skipped;
        with_.plugins->tell(now, *row, {plugin_step::skipped, {}, due.skipped});
        return {};
    });
    return skipped.has_value();
}

bool minder::deliver_events(session& by) {
    if (!feed_) {
        const auto row = by.read([&](view& seen) { return with_.plugins->row(seen, plugin_); });
        if (!row) return false;
        // What leaves the world follows what is durable.
        const auto level =
            what_.kind == plugin_kind::sink ? durability::durable : durability::applied;
        passed_lsn_ = row->cursor;
        feed_.emplace(with_.kept->follow(row->cursor + 1, level), *events_, what_.follow,
                      row->cursor);
    }
    const std::uint64_t world = world_ns(by);
    const auto got = feed_->next(world);
    if (!got) {
        say(PERDURE_LOG_ERROR, "no events: " + std::string(name(got.error())));
        retry_at_ = patience_.failed(now_ns());
        feed_.reset();
        return false;
    }
    call_.kind = call_kind::events;
    call_.window = what_.every_ns == 0 ? 0 : world / what_.every_ns;
    call_.last_lsn = got->last_lsn;
    if (got->events != 0) shadow(by, message_kind::events, got->payload, got->first_lsn);
    if (got->events != 0 && !hand_over(message_kind::events, got->payload, "on_events")) {
        feed_.reset();
        return true;
    }
    if (got->events != 0 || got->last_lsn - passed_lsn_ >= calm_lsns) {
        if (desk_->pass(by, call_)) passed_lsn_ = got->last_lsn;
    }
    compare(by, got->first_lsn);
    if (got->events != 0) stand_probation(by);
    return got->events != 0 || got->last_lsn >= got->first_lsn;
}

/// In good order, if it answers in time.
void minder::end_instance() {
    if (one_ == nullptr) return;
    const std::uint64_t deadline = what_.limits.hard_ns;
    if (one_->call(message_kind::quiesce, bytes_of(deadline), deadline).how == call_end::answered) {
        one_->call(message_kind::end, {}, deadline);
    }
    one_.reset();
    process_.store(0);
    for (const auto& [name, count] : counts_) {
        say(PERDURE_LOG_INFO, "counted: " + name + " " + std::to_string(count));
    }
    counts_.clear();
    if (calls_ == 0) return;
    say(PERDURE_LOG_INFO, "called " + std::to_string(calls_) + " times, " +
                              std::to_string(call_ns_ / calls_) + " ns each");
    calls_ = call_ns_ = 0;
}

void minder::rest(bool was_idle) {
    if (!was_idle) idle_turns_ = 0;
    if (!was_idle || stops_.load()) return;
    if (idle_turns_ < turns_until_calm) ++idle_turns_;
    std::this_thread::sleep_for(idle_turns_ < turns_until_calm ? idle_pause : calm_pause);
}

commit_answer minder::commit(std::span<const std::byte> batch) {
    if (!desk_) return {.refusal = errc::stale_generation};
    const auto answer = desk_->commit(*by_, call_, batch);
    if (next_ != nullptr && answer.refusal == errc{} && !answer.repeated) wanted_.add(batch);
    return answer;
}

void minder::log(std::uint32_t level, std::string_view text) { say(level, text); }

void minder::count(std::string_view name, std::int64_t more) {
    const auto known = counts_.find(std::string(name));
    if (known != counts_.end()) {
        known->second += more;
    } else if (counts_.size() < counters_max) {
        counts_.emplace(name, more);
    }
}

}  // namespace perdure::plugins

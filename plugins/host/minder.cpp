// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <perdure/plugins/host/minder.hpp>
#include <perdure/plugins/host/store.hpp>

namespace perdure::plugins {
namespace {

constexpr std::chrono::milliseconds idle_pause{5};
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
        say(PERDURE_LOG_ERROR, std::string("its minder ends: ") + error.what());
    } catch (...) {
        say(PERDURE_LOG_ERROR, "its minder ends");
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

bool minder::start(session& by, const plugin_row& row) {
    try {
        return begin(by, row);
    } catch (const failure& why) {
        refuse(by, why);
        return false;
    }
}

std::string minder::stored(const std::string& file) const {
    io::kernel_calls calls;
    io::file_system files(calls);
    return store(files, with_.kept->directory()).path_of(file);
}

instance_terms minder::terms_for(const manifest& what, const std::string& path) const {
    return {.file = path,
            .plugin = plugin_,
            .read = what.wants.read,
            .memory_bytes = what.limits.memory_bytes,
            .hard_ns = what.limits.hard_ns,
            .program = with_.program,
            .user = with_.user};
}

/// Hands it the settings that the row has, or asks whether they would do.
bool minder::configure(instance& which, const manifest& what, const plugin_row& row, bool dry_run) {
    const auto given = by_->read([&](view& seen) { return with_.plugins->text(seen, row.config); });
    if (!given) throw failure(given.error(), "plugin " + id_ + ": its row", "run perdure verify");
    const std::uint64_t front = dry_run ? 1 : 0;
    std::string payload(reinterpret_cast<const char*>(&front), sizeof front);
    payload += what.configure(*given);
    const auto end =
        which.call(message_kind::configure,
                   std::as_bytes(std::span(payload.data(), payload.size())), what.limits.hard_ns);
    if (!dry_run) return accept(end, "configure");
    return end.how == call_end::answered && end.status == PERDURE_OK;
}

/// Makes the instance, and lets it take over: from its new generation on the old one is fenced.
bool minder::begin(session& by, const plugin_row& row) {
    file_ = text_in(row.file);
    const auto path = stored(file_);
    what_ = manifest::of_file(path);
    const auto granted =
        by.read([&](view& seen) { return with_.plugins->text(seen, row.granted); });
    if (!granted) throw failure(granted.error(), "plugin " + id_ + ": its row", "run verify");
    if (*granted != what_.wants.canonical() || what_.id != id_) {
        throw failure(errc::not_granted, "plugin " + id_ + " wants other rights than were granted",
                      "load it again with --grant");
    }
    const bool is_process = row.host == static_cast<std::uint32_t>(host_kind::process);
    auto& where = with_.kept->region();
    const auto terms = terms_for(what_, path);
    one_ = is_process ? start_process(where, terms, *this) : start_inline(where, terms, *this);
    process_.store(one_->process());
    if (!configure(*one_, what_, row, false)) return false;
    call_ = {};
    call_.generation = note_step(by, {plugin_step::activated}, plugin_state::active);
    auto known = event_catalogue::read(where);  // There may be more events than at the opening.
    if (!known) throw failure(known.error(), "plugin " + id_ + ": events", "run perdure verify");
    events_ = std::move(*known);
    desk_.emplace(where, with_.kept->books(), *with_.plugins,
                  grant::of(plugin_, what_.wants, *events_));
    feed_.reset();
    denied_ = 0;
    say(PERDURE_LOG_INFO,
        "version " + what_.version + " takes over, generation " + std::to_string(call_.generation));
    if (!accept(
            one_->call(message_kind::activate, bytes_of(call_.generation), what_.limits.hard_ns),
            "activate")) {
        return false;
    }
    if (row.state_version != what_.state_version) {
        migrate(by, row.state_version, what_.state_version);
    }
    return one_ != nullptr;
}

/// The state to another schema version, in one commit. Throws failure: plugin_failed.
void minder::migrate(session& by, std::uint32_t from, std::uint32_t to) {
    call_.kind = call_kind::migrate;
    call_.state_version = to;
    const std::uint64_t both = from | static_cast<std::uint64_t>(to) << 32;
    const bool is_done =
        accept(one_->call(message_kind::migrate, bytes_of(both), what_.limits.hard_ns), "migrate");
    const auto row = by.read([&](view& seen) { return with_.plugins->row(seen, plugin_); });
    if (is_done && row && row->state_version == to) return;
    throw failure(errc::plugin_failed,
                  "plugin " + id_ + ": migrate() has not brought its state from version " +
                      std::to_string(from) + " to " + std::to_string(to),
                  "commit at position 0 in migrate()");
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

void minder::refuse(session& by, const failure& why) {
    one_.reset();
    process_.store(0);
    say(PERDURE_LOG_ERROR, why.thing() + "; " + why.todo());
    const auto again = patience_.died(now_ns());
    retry_at_ = again.value_or(0);
    note_step(by, {plugin_step::refused, why.reason()}, plugin_state::loaded);
    if (is_on_probation()) return give_back(by, why.reason());
    if (again) return;
    say(PERDURE_LOG_ERROR, "quarantined: it could not be started five times in ten minutes");
    note_step(by, {plugin_step::quarantined, why.reason()}, plugin_state::quarantined);
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
    retry_at_ = patience_.failed(now_ns());
    say(PERDURE_LOG_WARN, std::string(what) + " answers " + std::to_string(end.status) + " (" +
                              std::string(name(static_cast<errc>(end.status))) +
                              "); it is called again in " +
                              std::to_string((retry_at_ - now_ns()) / 1'000'000) + " ms");
    if (is_on_probation()) give_back(*by_, errc::plugin_failed);
    return false;
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
    const bool is_shadowed = row.done == 0 && shadow(by, message_kind::tick, bytes_of(tick));
    if (!accept(one_->call(message_kind::tick, bytes_of(tick), what_.limits.hard_ns), "on_tick")) {
        return true;
    }
    const auto finished = desk_->finish(by, call_);
    if (!finished && finished.error() != errc::stale_generation) {
        say(PERDURE_LOG_WARN, "its window stays open: " + std::string(name(finished.error())));
    }
    if (is_shadowed) compare(by);
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
    const bool is_shadowed = got->events != 0 && shadow(by, message_kind::events, got->payload);
    if (got->events != 0 &&
        !accept(one_->call(message_kind::events, got->payload, what_.limits.hard_ns),
                "on_events")) {
        feed_.reset();
        return true;
    }
    if (got->events != 0 || got->last_lsn - passed_lsn_ >= calm_lsns) {
        if (desk_->pass(by, call_)) passed_lsn_ = got->last_lsn;
    }
    if (is_shadowed) compare(by);
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
}

void minder::rest(bool was_idle) const {
    if (was_idle && !stops_.load()) std::this_thread::sleep_for(idle_pause);
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

// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <perdure/plugins/host/loading.hpp>
#include <perdure/plugins/host/store.hpp>
#include <perdure/plugins/kit/guest.hpp>
#include <perdure/plugins/kit/ledger_text.hpp>
#include <perdure/plugins/kit/right.hpp>

namespace perdure::plugins {
namespace {

constexpr std::uint64_t turns_max = 100'000;
constexpr std::uint64_t seconds_10_ns = 10'000'000'000;

template <class T>
std::span<const std::byte> bytes_of(const T& of) noexcept {
    return std::as_bytes(std::span(&of, 1));
}

std::string status_text(std::int32_t status) {
    return std::to_string(status) + " (" + std::string(name(static_cast<errc>(status))) + ")";
}

template <class T>
const T& expect(const result<T>& done, const std::string& what) {
    if (!done) throw stage_failure(what + ": " + std::string(name(done.error())));
    return *done;
}

}  // namespace

guest::guest(world& in, session& by, stage_terms terms)
    : in_(&in), by_(&by), terms_(std::move(terms)) {}

guest::~guest() {
    desk_.reset();  // Nobody looks at what it still commits.
    end();
}

void guest::load() {
    const auto file =
        load_plugin(*in_, *by_,
                    {.path = terms_.file,
                     .host = wants_process() ? host_kind::process : host_kind::embedded,
                     .config = terms_.config,
                     .who = ::getuid()});
    what_ = file.what;
    plugin_ = registry::account_of(what_.id);
    tables_ = expect(registry::find(in_->region()), "the plugins' tables");
}

void guest::upgrade(const std::string& file) {
    if (row().done != 0) {
        throw stage_failure("upgrade " + file + ": a window is begun; run() ends it first");
    }
    const auto next = upgrade_plugin(
        *in_, *by_,
        {.id = what_.id, .path = file, .shadow = 0, .grants_more = true, .who = ::getuid()});
    end();
    const auto switched = by_->write([&](tx& now) -> result<> {
        PERDURE_TRY(tables_->switch_over(now, plugin_, 1));
        return tables_->end_upgrade(now, plugin_, {.step = plugin_step::settled});
    });
    expect(switched, "upgrade " + file);
    what_ = next.what;
}

plugin_row guest::row() {
    if (!tables_) throw stage_failure("no plugin is loaded: call load() first");
    return expect(by_->read([&](view& seen) { return tables_->row(seen, plugin_); }),
                  "the plugin's row");
}

std::string guest::stored() {
    io::kernel_calls calls;
    io::file_system files(calls);
    return store(files, in_->directory()).path_of(std::string(text_in(row().file)));
}

std::uint64_t guest::world_ns() {
    return expect(by_->read([&](view& seen) { return in_->clock().read(seen); }), "the clock")
        .world_ns;
}

std::uint64_t guest::hard_ns() const noexcept {
    const auto given = terms_.hard_limit.count();
    return given > 0 ? static_cast<std::uint64_t>(given) : what_.limits.hard_ns;
}

bool guest::wants_process() const noexcept {
    return terms_.in_process || terms_.is_debugged || terms_.hard_limit.count() > 0 ||
           (crash_at_ != 0 && !has_crashed_);
}

/// A new generation, of which the world is told.
void guest::take_over() {
    const auto noted = by_->write([&](tx& now) -> result<> {
        auto* at = PERDURE_TRY(tables_->edit(now, plugin_));
        at->generation += 1;
        at->state = static_cast<std::uint32_t>(plugin_state::active);
        tables_->tell(now, *at, {plugin_step::activated});
        return {};
    });
    expect(noted, "the plugin's row");
}

call_outcome guest::ask(message_kind kind, std::span<const std::byte> payload) {
    const auto out = one_->call(kind, payload, hard_ns());
    note_denied("a call");
    return out;
}

call_outcome guest::configure(std::string_view given, bool dry_run) {
    const std::uint64_t front = dry_run ? 1 : 0;
    std::string payload(reinterpret_cast<const char*>(&front), sizeof front);
    payload += what_.configure(given);
    return ask(message_kind::configure, std::as_bytes(std::span(payload.data(), payload.size())));
}

bool guest::start(run_report& into) {
    while (one_ == nullptr) {
        const auto how = begin(into);
        if (how == step::over) return false;
    }
    return true;
}

bool guest::make(run_report& into) {
    const auto path = stored();
    what_ = manifest::of_file(path);
    events_ = expect(event_catalogue::read(in_->region()), "the declared events");
    const auto granted = without_right(what_.wants, terms_.without);
    desk_.emplace(*in_, *tables_, grant::of(plugin_, granted, *events_));
    feed_.reset();
    denied_here_ = 0;
    const instance_terms how{.file = path,
                             .plugin = plugin_,
                             .read = granted.read,
                             .memory_bytes = what_.limits.memory_bytes,
                             // A machine that is busy with tests is not the plugin's fault.
                             .hard_ns = std::max(hard_ns(), seconds_10_ns),
                             .program = wants_process() ? host_program_of(terms_) : "",
                             .user = ::getuid() == 0 ? 65534U : 0U,
                             .is_debugged = terms_.is_debugged};
    try {
        one_ = wants_process() ? start_process(in_->region(), how, *this)
                               : start_inline(in_->region(), how, *this);
    } catch (const failure& why) {
        into.end = run_end::not_started;
        into.cause = why.reason();
        into.why = why.thing();
        return false;
    }
    note_denied("its making");
    return true;
}

guest::step guest::begin(run_report& into) {
    if (!make(into)) return step::over;
    const auto configured = judge(configure(terms_.config, false), "configure", into);
    if (configured != step::done) return configured;
    auto at = row();
    const std::string file(text_in(at.file));
    if (file != active_file_) {
        take_over();
        active_file_ = file;
        at = row();
    }
    call_ = {};
    call_.generation = at.generation;
    const auto active =
        judge(ask(message_kind::activate, bytes_of(call_.generation)), "activate", into);
    if (active != step::done || at.state_version == what_.state_version) return active;
    return migrate(at, into);
}

guest::step guest::migrate(const plugin_row& at, run_report& into) {
    call_.kind = call_kind::migrate;
    call_.state_version = what_.state_version;
    const std::uint64_t both = at.state_version | static_cast<std::uint64_t>(what_.state_version)
                                                      << 32;
    const auto done = judge(ask(message_kind::migrate, bytes_of(both)), "migrate", into);
    if (done != step::done || row().state_version == what_.state_version) return done;
    into.end = run_end::answered;
    into.why = "migrate has not committed at position 0: the state is still of version " +
               std::to_string(at.state_version);
    one_.reset();
    return step::over;
}

void guest::note_denied(const std::string& what) {
    const auto now = one_->denied();
    if (now.count <= denied_here_) return;
    const auto more = now.count - denied_here_;
    denied_here_ = now.count;
    denied_ = {denied_.count + more, now.call};
    log(PERDURE_LOG_WARN, "denied: system call " + std::to_string(now.call) + ", " +
                              std::to_string(more) + " calls in " + what);
}

/// What a call has come to, in words where it is not well.
guest::step guest::judge(const call_outcome& end, const std::string& what, run_report& into) {
    note_denied(what);
    if (end.how == call_end::answered) {
        if (end.status == PERDURE_OK) return step::done;
        into.end = run_end::answered;
        into.status = end.status;
        into.why = what + " answers " + status_text(end.status);
    } else {
        one_.reset();
        feed_.reset();
        if (end.how == call_end::died && has_crashed_ && crash_at_ != 0) {
            crash_at_ = 0;
            return step::cut;
        }
        into.end = end.how == call_end::died   ? run_end::died
                   : end.how == call_end::hung ? run_end::hung
                                               : run_end::broke_rules;
        into.why = what + ": " + how_it_ended(end);
    }
    if (!refusals.empty()) {
        const auto& last = refusals.back();
        into.why += "; its last refused commit: window " + std::to_string(last.window) +
                    ", position " + std::to_string(last.position) + ", " +
                    std::string(name(last.why)) +
                    (last.command ? " at command " + std::to_string(*last.command) : "");
    }
    if (!lines.empty()) into.why += "; its last line: " + lines.back().text;
    return step::over;
}

void guest::skip(const due_window& due) {
    expect(by_->write([&](tx& now) -> result<> {
        auto* at = PERDURE_TRY(tables_->edit(now, plugin_));
        at->from_ns = due.from_ns;
        at->window += due.skipped;
        tables_->tell(now, *at, {plugin_step::skipped, {}, due.skipped});
        return {};
    }),
           "the plugin's row");
}

std::optional<guest::step> guest::tick(run_report& into) {
    auto at = row();
    const auto due = plan_window(at, what_, world_ns());
    if (!due) return std::nullopt;
    if (due->skipped != 0) {
        skip(*due);
        into.skipped += due->skipped;
        return step::done;
    }
    call_.kind = call_kind::tick;
    call_.window = at.window;
    call_.from_ns = due->from_ns;
    call_.to_ns = due->to_ns;
    const auto what = tick_of(at, call_, hard_ns());
    const auto end = ask(message_kind::tick, bytes_of(what));
    if (end.how == call_end::answered && end.status == PERDURE_AGAIN) return step::done;
    const auto done = judge(end, "on_tick", into);
    if (done != step::done) return done;
    const auto finished = desk_->finish(*by_, call_);
    if (!finished) throw stage_failure("a window: " + std::string(name(finished.error())));
    into.windows += 1;
    return done;
}

std::optional<guest::step> guest::tell(run_report& into) {
    if (!feed_) {
        const auto from = row().cursor;
        feed_.emplace(in_->follow(from + 1, durability::applied), *events_, what_.follow, from);
    }
    const auto world = world_ns();
    // What it does not follow is passed over here: a new feed would begin with it again.
    auto got = feed_->next(world);
    while (got && got->events == 0 && got->last_lsn >= got->first_lsn) got = feed_->next(world);
    if (!got) throw stage_failure("the events: " + std::string(name(got.error())));
    if (got->events == 0) return std::nullopt;
    call_.kind = call_kind::events;
    call_.window = what_.every_ns == 0 ? 0 : world / what_.every_ns;
    call_.last_lsn = got->last_lsn;
    const auto events = got->events;
    const auto done = judge(ask(message_kind::events, got->payload), "on_events", into);
    if (done != step::done) {
        feed_.reset();
        return done;
    }
    const auto passed = desk_->pass(*by_, call_);
    if (!passed) throw stage_failure("the cursor: " + std::string(name(passed.error())));
    into.events += events;
    return done;
}

run_report guest::run() {
    run_report out;
    const auto before = accepted;
    for (std::uint64_t turn = 0; turn < turns_max; ++turn) {
        const bool is_elsewhere = one_ != nullptr && wants_process() && one_->process() == 0;
        if (forgets_ || is_elsewhere) end();
        if (!start(out)) break;
        const auto did = what_.kind == plugin_kind::tick ? tick(out) : tell(out);
        if (!did || *did == step::over) break;
        if (turn + 1 == turns_max) {
            throw stage_failure("after " + std::to_string(turns_max) +
                                " calls there is still something due: it answers its own events");
        }
    }
    out.commits = accepted - before;
    return out;
}

bool guest::end() {
    if (one_ == nullptr) return true;
    const std::uint64_t deadline = hard_ns();
    const bool is_quiet =
        one_->call(message_kind::quiesce, bytes_of(deadline), deadline).how == call_end::answered;
    const bool is_ended =
        is_quiet && one_->call(message_kind::end, {}, deadline).how == call_end::answered;
    drop();
    return is_ended;
}

void guest::drop() {
    one_.reset();
    feed_.reset();
    if (has_crashed_) crash_at_ = 0;  // It may have been killed in its last call.
}

void guest::crash_at(std::uint64_t commit, crash_moment when) noexcept {
    crash_at_ = commit;
    crash_when_ = when;
    has_crashed_ = false;
}

/// Kills the process whose batch is at hand, if the test wants it at this moment.
bool guest::is_killed(crash_moment when) {
    if (crash_at_ == 0 || has_crashed_ || commits != crash_at_ || crash_when_ != when) return false;
    const int process = one_ == nullptr ? 0 : one_->process();
    if (process <= 1) return false;  // Any other number would be somebody else's.
    ::kill(process, SIGKILL);
    siginfo_t gone{};
    // Until it is dead, so that it does nothing more; the instance reaps it.
    ::waitid(P_PID, static_cast<id_t>(process), &gone, WEXITED | WNOWAIT);
    has_crashed_ = true;
    return true;
}

commit_answer guest::commit(std::span<const std::byte> batch) {
    if (one_ == nullptr || !desk_) return {.refusal = errc::stale_generation};
    ++commits;
    const auto read = take_apart(batch);
    refusal refused{call_.window, read ? read->header.position : 0, std::nullopt, {}};
    if (read) {
        const auto where = (call_.kind == call_kind::events ? std::string("events up to ")
                            : call_.kind == call_kind::migrate
                                ? std::string("migration, commit ")
                                : "window " + std::to_string(call_.window) + ", commit ") +
                           std::to_string(read->header.position) + ": ";
        const auto all = lines_of(*in_, *read);
        for (const auto& each : all) wanted.push_back(where + each);
        if (all.empty()) wanted.push_back(where + "nothing");
    }
    if (is_killed(crash_moment::before_commit)) return {.refusal = errc::plugin_failed};
    const auto answer = desk_->commit(*by_, call_, batch);
    is_killed(crash_moment::after_commit);
    if (answer.refusal == errc{}) {
        if (!answer.repeated) ++accepted;
        return answer;
    }
    refused.why = answer.refusal;
    if (answer.refused != commit_answer::none) refused.command = answer.refused;
    refusals.push_back(refused);
    return answer;
}

void guest::log(std::uint32_t level, std::string_view text) {
    lines.push_back({level, std::string(text)});
}

void guest::count(std::string_view name, std::int64_t more) { counts[std::string(name)] += more; }

}  // namespace perdure::plugins

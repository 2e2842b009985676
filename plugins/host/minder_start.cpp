// SPDX-License-Identifier: Apache-2.0
//
// How a minder starts a plugin: found, held against what was granted, made, configured, given a
// generation of its own.
#include <perdure/plugins/host/minder.hpp>
#include <perdure/plugins/host/store.hpp>

namespace perdure::plugins {
namespace {

template <class T>
std::span<const std::byte> bytes_of(const T& of) noexcept {
    return std::as_bytes(std::span(&of, 1));
}

}  // namespace

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
    desk_.emplace(*with_.kept, *with_.plugins, grant::of(plugin_, what_.wants, *events_));
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

void minder::refuse(session& by, const failure& why) {
    one_.reset();
    process_.store(0);
    say(PERDURE_LOG_ERROR, why.thing() + "; " + why.todo());
    const auto again = patience_.died(shm::system_park().now_ns());
    retry_at_ = again.value_or(0);
    note_step(by, {plugin_step::refused, why.reason()}, plugin_state::loaded);
    if (is_on_probation()) return give_back(by, why.reason());
    if (again) return;
    say(PERDURE_LOG_ERROR, "quarantined: it could not be started five times in ten minutes");
    note_step(by, {plugin_step::quarantined, why.reason()}, plugin_state::quarantined);
}

}  // namespace perdure::plugins

// SPDX-License-Identifier: Apache-2.0
//
// The keeper's process. Another one on the same world stands by until the lease is free.
#include <perdure/apps/cli/command.hpp>

#include <unistd.h>

#include <atomic>
#include <csignal>

#include <perdure/apps/cli/configuration.hpp>
#include <perdure/apps/cli/long_work.hpp>
#include <perdure/apps/plugin/kept_plugins.hpp>

namespace perdure::apps {
namespace {

std::atomic<int> stop_signal{0};
static_assert(std::atomic<int>::is_always_lock_free);  // Or a signal must not touch it.

void stop_at(int signal) { stop_signal.store(signal, std::memory_order_relaxed); }

void catch_stop_signals() {
    struct sigaction action {};
    action.sa_handler = stop_at;
    ::sigemptyset(&action.sa_mask);
    ::sigaction(SIGTERM, &action, nullptr);
    ::sigaction(SIGINT, &action, nullptr);
}

void tell_opening(io::log& log, const world& opened) {
    const opening& how = opened.opened();
    if (!how.recovered) {
        log.note("attached", {{"world", opened.directory()}, {"region", opened.region().path()}});
    } else {
        log.note("recovered", {{"world", opened.directory()},
                               {"because", how.reason},
                               {"checkpoint_lsn", how.checkpoint_lsn},
                               {"rows", how.rows},
                               {"transactions", how.transactions},
                               {"last_lsn", how.last_lsn},
                               {"milliseconds", static_cast<std::uint64_t>(how.milliseconds)}});
    }
    for (const auto& each : how.tried) {
        if (each.verdict == "accepted") continue;
        log.warn("refused at recovery", {{"what", each.what}, {"why", each.verdict}});
    }
    if (!how.torn_tail.empty()) {
        log.warn("the journal ended in an unfinished write, which nobody was told is durable",
                 {{"found", how.torn_tail}});
    }
}

void tell_checkpoint(io::log& log, const io::checkpoint_news& news) {
    const auto ms = [](std::uint64_t ns) { return ns / 1'000'000; };
    if (!news.is_valid) {
        const bool is_rot = news.trigger == "scrub";
        log.warn(is_rot ? "damaged on disk" : "no checkpoint",
                 {{"trigger", news.trigger}, {"why", news.cause}});
        return;
    }
    const auto& made = news.report;
    log.note("checkpoint", {{"lsn", made.entry.lsn},
                            {"kind", made.entry.is_full() ? "full" : "incremental"},
                            {"trigger", news.trigger},
                            {"rows", made.rows},
                            {"row_bytes", made.row_bytes},
                            {"file_bytes", made.entry.file_bytes},
                            {"gate_us", made.gate_ns / 1000},
                            {"capture_ms", ms(made.capture_ns)},
                            {"write_ms", ms(made.write_ns)},
                            {"retired", news.retired.size()}});
}

void tell_room(io::log& log, const io::room_news& news) {
    using io::room_state;
    const bool is_well = news.state == room_state::roomy;
    const std::string_view what =
        news.state == room_state::refusing   ? "the disk is full: nothing becomes durable"
        : news.state == room_state::shedding ? "the disk is nearly full: the oldest history goes"
        : news.state == room_state::tight    ? "the disk is filling: nothing is packed"
                                             : "the disk has room again";
    const std::initializer_list<io::log_field> fields = {{"free_bytes", news.free_bytes},
                                                         {"checkpoints_gone", news.checkpoints},
                                                         {"segments_gone", news.segments}};
    if (is_well) {
        log.note(what, fields);
    } else {
        log.warn(what, fields);
    }
}

}  // namespace

int serve(const world_choice& where) {
    const io::config config = read_config(where);
    io::log log(log_from(config, where.directory));
    catch_stop_signals();
    world_options options = options_from(config);
    options.checkpoint_taken = [&log](const io::checkpoint_news& news) {
        tell_checkpoint(log, news);
    };
    options.room_changed = [&log](const io::room_news& news) { tell_room(log, news); };
    world kept = [&] {
        const long_work recovery([&log](std::uint64_t seconds, std::uint64_t bytes_read) {
            log.note("still opening", {{"seconds", seconds}, {"bytes_read", bytes_read}});
        });
        return world::open(where.directory, options);
    }();
    tell_opening(log, kept);

    const auto self = static_cast<std::uint32_t>(::getpid());
    bool is_keeping = false;
    if (const auto other = kept.status().keeper_pid; other != 0) {
        log.note("standing by", {{"keeper", other}});
    }
    kept_plugins plugins(kept, config, log);
    try {
        kept.keep([&] {
            if (!is_keeping && kept.status().keeper_pid == self) {
                is_keeping = true;
                log.note("keeping", {{"epoch", kept.status().keeper_epoch}});
                plugins.begin();
            }
            // Their last commits still need somebody who keeps the world.
            return stop_signal.load(std::memory_order_relaxed) != 0 && plugins.stop();
        });
    } catch (const failure& why) {
        log.error(why.thing(), {{"reason", name(why.reason())}, {"to_do", why.todo()}});
        throw;
    }
    const condition at_end = kept.status();
    log.note("stopped", {{"signal", stop_signal.load(std::memory_order_relaxed)},
                         {"last_lsn", at_end.last_lsn},
                         {"durable_lsn", at_end.durable_lsn}});
    return exit_done;
}

}  // namespace perdure::apps

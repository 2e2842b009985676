// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <perdure/io/keeper.hpp>
#include <perdure/shm/crash_point.hpp>
#include <thread>
#include <utility>

namespace perdure::io {
namespace {

constexpr std::chrono::milliseconds standby_pause{50};
constexpr std::chrono::milliseconds full_pause{50};  // Until a full disk is asked again.
constexpr std::uint64_t sweep_every_ns = 50'000'000;

std::span<const std::byte> ring_bytes(const shm::region& where, std::uint64_t from,
                                      std::uint64_t bytes) noexcept {
    const auto& g = where.geometry();
    return {where.at<std::byte>(g.ring_at + (from & (g.ring_bytes - 1))), bytes};
}

/// A region that outlived a recovery, e.g. because its file was deleted, must not write any more.
result<> check_incarnation(const manifest& promised, const shm::region& where) noexcept {
    if (promised.incarnation() != where.geometry().incarnation) return errc::lease_lost;
    return {};
}

}  // namespace

keeper::keeper(file_system& files, std::string directory, keeper_options options)
    : files_(&files),
      directory_(std::move(directory)),
      options_(std::move(options)),
      lease_(files, directory_) {
    if (options_.checkpoints) {
        checkpoints_ = std::make_unique<checkpointer>(files.calls(), files, directory_,
                                                      std::move(*options_.checkpoints));
    }
}

keeper::~keeper() { rest(); }

void keeper::rest() noexcept { lease_.give_back(); }

result<> keeper::open_journal(shm::region& where) {
    writer_.reset();
    manifest_ = PERDURE_TRY(manifest::open(*files_, directory_, open_mode::read_write, found_));
    PERDURE_TRY(check_incarnation(*manifest_, where));
    auto& mark = where.header().keeper;
    PERDURE_CRASH_POINT("keeper.epoch");
    epoch_ = shm::word(mark.epoch).fetch_add(1) + 1;
    // Whatever is found: a dead keeper's capture came to nothing.
    shm::abandon_capture(where);
    journal_options options;
    options.segment_bytes = options_.segment_bytes;
    options.epoch = epoch_;
    options.fence = [&where, epoch = epoch_]() -> result<> {
        if (shm::load(where.header().keeper.epoch) != epoch) return errc::lease_lost;  // K1
        return {};
    };
    writer_ = PERDURE_TRY(journal_writer::open(*files_, *manifest_, options, found_));
    return {};
}

result<> keeper::is_newest(shm::region& where) {
    const auto now = PERDURE_TRY(manifest::open(*files_, directory_, open_mode::read, found_));
    return check_incarnation(now, where);
}

/// The journal may be ahead of the durable mark by what the last keeper wrote and did not announce.
/// It must not be behind: then files were lost or put back under a living region.
result<> keeper::agree(shm::region& where) {
    const std::uint64_t written = writer_->next_lsn() - 1;
    const std::uint64_t known = shm::load(where.header().durable.lsn);
    if (written < known || written >= shm::next_lsn(where)) {
        found_ = finding{errc::damaged, journal_directory(directory_), 0,
                         "it ends at LSN " + std::to_string(written) + ", the region knows " +
                             std::to_string(known) + " to be durable and has given out up to " +
                             std::to_string(shm::next_lsn(where) - 1)};
        return errc::damaged;
    }
    shm::put(where.header().durable.refusing, 0);  // Whoever said so has gone.
    PERDURE_CRASH_POINT("keeper.agree");
    publish(where, written);
    return {};
}

result<> keeper::take(shm::region& where) {
    if (shm::load(where.header().durable.failed) != 0) return errc::durability_lost;
    PERDURE_TRY(lease_.take());
    if (writer_ != nullptr && !writer_->failed() &&
        shm::load(where.header().keeper.epoch) == epoch_) {
        // Nobody kept this region in between. But if it lost its name, another one may have.
        const auto newest = is_newest(where);
        if (!newest) {
            writer_.reset();
            lease_.give_back();
        }
        return newest;  // The journal is as this process left it.
    }
    auto opened = open_journal(where);
    if (opened) opened = agree(where);
    if (!opened) {
        writer_.reset();
        lease_.give_back();
    }
    return opened;
}

/// Moves mark and head past every record up to `lsn`, and wakes who waits for it.
void keeper::publish(shm::region& where, std::uint64_t lsn) noexcept {
    auto& mark = where.header().durable;
    if (lsn > shm::load(mark.lsn)) {
        PERDURE_CRASH_POINT("keeper.durable");
        shm::step(mark.lsn, lsn);
        sleepers_ = shm::load(mark.sleepers);
        woken_ = 0;
        if (sleepers_ != 0) {
            woken_ =
                static_cast<std::uint32_t>(where.waits().wake(shm::low_half(mark.lsn), INT_MAX));
        }
    }
    // Only now may the space be reused: until the sync this was the only copy.
    std::uint64_t head = shm::load(where.header().head.value);
    for (;;) {
        const auto seen = shm::look(where, head);
        if (!seen || seen->state == shm::record_state::free || seen->lsn > lsn) break;
        head += seen->bytes;
    }
    if (head != shm::load(where.header().head.value)) {
        PERDURE_CRASH_POINT("keeper.head");
        shm::move_head(where, head);
    }
}

result<> keeper::freeze(shm::region& where, errc cause) noexcept {
    auto& mark = where.header().durable;
    // Somebody else's turn is no loss of durability; everything else is final (K2).
    if (cause != errc::lease_lost) {
        PERDURE_CRASH_POINT("keeper.freeze");
        std::uint32_t none = 0;
        shm::word(mark.failed).compare_exchange_strong(none, static_cast<std::uint32_t>(cause));
        where.waits().wake(shm::low_half(mark.lsn), INT_MAX);
    }
    writer_.reset();
    if (checkpoints_) checkpoints_->stop();  // Before others may begin.
    lease_.give_back();
    const bool is_named = cause == errc::lease_lost || cause == errc::garbled;
    return is_named ? cause : errc::durability_lost;  // Its cause stands in the mark.
}

/// End of what is whole behind the head: up to a round's bytes, and not past a CLAIMED record.
result<std::uint64_t> keeper::ready_end(shm::region& where, std::uint64_t& first_lsn) {
    const std::uint64_t head = shm::load(where.header().head.value);
    const std::uint64_t tail = shm::load(where.header().producer.tail);
    std::uint64_t at = head;
    first_lsn = 0;
    while (at < tail && at - head < round_bytes_max) {
        const auto seen = PERDURE_TRY(shm::look(where, at));
        if (first_lsn == 0) first_lsn = seen.lsn;
        if (seen.state == shm::record_state::claimed) {
            if (planted(shm::bug::drain_passes_claimed)) {
                at += seen.bytes;
                continue;
            }
            if (at != head) break;
            // The oldest record is unfinished: is there anybody left to finish it?
            if (seen.participant == 0 || seen.participant > where.geometry().slot_count) {
                return errc::garbled;
            }
            const auto fate = shm::try_repair(where, seen.participant - 1);
            if (fate == shm::life::unusable) return errc::garbled;
            if (fate == shm::life::alive) break;
            continue;
        }
        if (seen.state == shm::record_state::free) return errc::garbled;
        at += seen.bytes;
    }
    return at;
}

result<std::uint64_t> keeper::write_out(shm::region& where, std::uint64_t end,
                                        std::uint64_t first_lsn) {
    const std::uint64_t ring = where.geometry().ring_bytes;
    std::uint64_t at = shm::load(where.header().head.value);
    std::uint64_t lsn = first_lsn;
    while (at < end) {
        // What lies in one piece is encoded where it is; a record over the ring's end is joined.
        const std::uint64_t piece_end = std::min(end, at + (ring - at % ring));
        std::uint64_t whole = at;
        std::uint64_t records = 0;
        while (whole < piece_end) {
            const auto seen = PERDURE_TRY(shm::look(where, whole));
            if (whole + seen.bytes > piece_end) break;
            whole += seen.bytes;
            ++records;
        }
        if (whole == at) {
            const auto seen = PERDURE_TRY(shm::look(where, at));
            wrapped_.clear();
            shm::read_record(where, at, seen, wrapped_);
            PERDURE_CRASH_POINT("keeper.append_wrapped");
            PERDURE_TRY(writer_->append(wrapped_, lsn));
            at += seen.bytes;
            lsn += 1;
            continue;
        }
        PERDURE_CRASH_POINT("keeper.append");
        PERDURE_TRY(writer_->append(ring_bytes(where, at, whole - at), lsn));
        at = whole;
        lsn += records;
    }
    return lsn - first_lsn;
}

result<std::uint64_t> keeper::drain_once(shm::region& where) {
    std::uint64_t first_lsn = 0;
    const auto end = ready_end(where, first_lsn);
    if (!end) return freeze(where, end.error()).error();
    if (*end == shm::load(where.header().head.value)) return std::uint64_t{0};
    const auto written = write_out(where, *end, first_lsn);
    const bool is_full = !written && written.error() == errc::disk_full && !writer_->failed();
    if (!written && !is_full) return freeze(where, written.error()).error();
    // What had room counts, too.
    const std::uint64_t last = is_full ? writer_->next_lsn() - 1 : first_lsn + *written - 1;
    if (planted(shm::bug::ack_at_write)) publish(where, last);
    PERDURE_CRASH_POINT("keeper.sync");
    const auto from = where.waits().now_ns();
    if (const auto synced = writer_->sync(); !synced) {
        return freeze(where, synced.error()).error();
    }
    sync_ns_ = where.waits().now_ns() - from;
    publish(where, last);
    if (is_full) {
        PERDURE_TRY(refuse_for_now(where));
        return errc::disk_full;
    }
    if (shm::load(where.header().durable.refusing) != 0) take_on(where);
    return *written;
}

result<> keeper::help(shm::region& where) noexcept {
    const std::unique_lock mine(turn_, std::try_to_lock);
    if (!mine.owns_lock()) return errc::lease_held;  // Another thread is at it, or run() is.
    PERDURE_TRY(take(where));
    auto drained = drain_rest(where);
    const auto is_full = [&] { return !drained && drained.error() == errc::disk_full; };
    // What was done without history for may have a place now.
    while (is_full() && shm::load(where.header().durable.refusing) == 0)
        drained = drain_rest(where);
    if (drained || is_full()) rest();
    return drained;
}

/// Drains what is in the ring now, and not what others commit meanwhile: that may never end.
result<> keeper::drain_rest(shm::region& where) {
    const std::uint64_t goal = shm::load(where.header().producer.tail);
    while (shm::load(where.header().head.value) < goal) {
        if (PERDURE_TRY(drain_once(where)) == 0) break;
    }
    return {};
}

checkpointer::moment keeper::moment_of(shm::region& where) noexcept {
    return {where, *manifest_, epoch_, writer_ == nullptr ? 0 : writer_->written_bytes(), false};
}

/// Checkpoints: what has become ready, what is due.
result<> keeper::look_after(shm::region& where) {
    if (!checkpoints_) return {};
    const auto looked = checkpoints_->tick(moment_of(where));
    if (looked || (looked.error() == errc::disk_full && !manifest_->is_failed())) return {};
    return freeze(where, looked.error());
}

result<bool> keeper::checkpoint_by(shm::region& where, shm::participant& self, bool full,
                                   std::string_view trigger) {
    const auto await_durable = [&](std::uint64_t lsn) -> result<> {
        while (shm::load(where.header().durable.lsn) < lsn) {
            if (PERDURE_TRY(drain_once(where)) == 0) where.waits().pause();
        }
        return {};
    };
    const auto made =
        checkpoints_->take_now(moment_of(where), self, {full, trigger, await_durable});
    if (!made && checkpoints_->found()) found_ = checkpoints_->found();
    return made;
}

result<bool> keeper::checkpoint(shm::region& where, bool full) {
    PERDURE_ASSERT(checkpoints_ != nullptr);
    const std::lock_guard mine(turn_);
    auto self = shm::participant::join(where);
    if (!self) return self.error();
    PERDURE_TRY(take(where));
    checkpoints_->begin(moment_of(where));
    const auto made = checkpoint_by(where, *self, full, "request");
    rest();
    return made;
}

/// The keeper's rounds, until it is told to stop or something final happens.
void keeper::keep_on(shm::region& where, const std::function<bool()>& stop, result<>& ended) {
    std::uint64_t swept = 0;
    shm::page_reserve reserve(where);
    while (!stop()) {
        auto drained = drain_once(where);
        if (!drained && drained.error() == errc::disk_full) {
            ::usleep(static_cast<useconds_t>(std::chrono::microseconds(full_pause).count()));
            drained = std::uint64_t{0};
        }
        if (!drained) {
            ended = drained.error();
            break;
        }
        const auto now = where.waits().now_ns();
        if (now - swept > sweep_every_ns) {
            shm::sweep(where);
            swept = now;
            ended = look_after(where);
            if (!ended) break;
        }
        if (*drained == 0) {
            if (!get_ahead(where, reserve)) idle(where);
        } else if (woken_ == 0) {
            get_ahead(where, reserve);
            doze(where);
        } else {
            gather(where, *drained);
        }
    }
}

result<> keeper::run(shm::region& where, const std::function<bool()>& stop) {
    auto self = shm::participant::join(where);
    if (!self) return self.error();
    std::unique_lock mine(turn_, std::defer_lock);  // Or help() would share what take() holds.
    while (!stop()) {
        if (mine.try_lock()) {
            const auto taken = take(where);
            if (taken) break;
            if (taken.error() != errc::lease_held) return taken.error();
            mine.unlock();
        }
        ::usleep(static_cast<useconds_t>(std::chrono::microseconds(standby_pause).count()));
    }
    if (!mine.owns_lock()) return {};
    auto& mark = where.header().keeper;
    shm::put(mark.pid, static_cast<std::uint32_t>(::getpid()));
    shm::step(mark.slot, self->owner());
    if (checkpoints_) {
        auto now = moment_of(where);
        now.scrubs = true;
        checkpoints_->begin(now);
    }
    result<> ended;
    keep_on(where, stop, ended);
    if (checkpoints_) checkpoints_->stop();
    if (ended) ended = drain_rest(where);  // What has been committed by now goes along.
    if (ended && checkpoints_ && checkpoints_->policy().at_shutdown) {
        // What refuses it refuses no commit: the journal has everything.
        static_cast<void>(checkpoint_by(where, *self, false, "shutdown"));
    }
    if (shm::load(mark.slot) == self->owner()) shm::step(mark.slot, 0);
    rest();
    return ended;
}

}  // namespace perdure::io

// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <climits>
#include <perdure/io/checkpointer.hpp>
#include <perdure/io/digest.hpp>
#include <perdure/shm/crash_point.hpp>
#include <perdure/shm/ring.hpp>
#include <perdure/shm/session.hpp>

namespace perdure::io {
namespace {

constexpr std::chrono::milliseconds durable_slice{50};
constexpr std::uint64_t retry_ns_least = 10'000'000'000;
constexpr unsigned given_up_max = 2;

/// Whoever has signed as the keeper and lives: a dead one's sign stays until somebody sweeps.
bool is_kept(shm::region& where) noexcept {
    const std::uint32_t slot = shm::load(where.header().keeper.slot);
    if (slot == 0 || slot > where.geometry().slot_count) return false;
    return shm::try_repair(where, slot - 1) == shm::life::alive;
}

}  // namespace

checkpointer::checkpointer(kernel_calls& calls, file_system& files, std::string directory,
                           checkpointer_options options)
    : calls_(&calls),
      files_(&files),
      directory_(std::move(directory)),
      options_(std::move(options)) {}

checkpointer::~checkpointer() { stop(); }

void checkpointer::stop() noexcept {
    {
        const std::lock_guard mine(mutex_);
        stops_ = true;
    }
    changed_.notify_all();
    if (hands_.joinable()) hands_.join();
    stops_ = false;
    stage_ = stage::idle;
}

void checkpointer::begin(const moment& now) {
    begun_ns_ = wall_clock_ns();
    written_at_ = now.written_bytes;
    serving_ = shm::load(now.where.header().checkpoint.served);
    auto& mark = now.where.header().checkpoint;
    const auto& all = now.promised.checkpoints();
    shm::put(mark.lsn, all.empty() ? 0 : all.back().lsn);
    shm::put(mark.wall_ns, all.empty() ? 0 : all.back().cut_ns);
    shm::put(mark.next_ns, next_due_ns(options_.policy, now.promised));
    sweep(now.promised);
    looked_ns_ = 0;
    const auto& policy = options_.policy;
    // Nobody would ever say that the files are whole again.
    if (policy.scrub_bytes == 0 && now.scrubs) shm::put(now.where.header().durable.rotten, 0);
    if ((policy.scrub_bytes != 0 || policy.pack_bytes != 0) && now.scrubs) start(now);
}

/// Removes files that the MANIFEST does not promise; what cannot be removed is in nobody's way.
void checkpointer::sweep(const manifest& promised) {
    const std::string folder = checkpoint_directory(directory_);
    const auto names = files_->list(folder);
    for (const auto& name : names ? *names : std::vector<std::string>()) {
        const std::string path = folder + "/" + name;
        const auto is_promised = [&](const checkpoint_entry& entry) {
            return checkpoint_path(directory_, entry.lsn) == path;
        };
        const bool is_ours = name.ends_with(".pcp") || name.ends_with(".pcp.new");
        if (!is_ours || std::ranges::any_of(promised.checkpoints(), is_promised)) continue;
        static_cast<void>(files_->unlink(path));
    }
    if (promised.segments().empty()) return;
    const std::string first = segment_path(directory_, promised.segments().front().first_lsn);
    const auto segments = files_->list(journal_directory(directory_));
    for (const auto& name : segments ? *segments : std::vector<std::string>()) {
        const std::string path = journal_directory(directory_) + "/" + name;
        const bool is_segment = name.ends_with(".pj") || name.ends_with(".pz");
        if (is_packing_draft(name) || (is_segment && path < first)) {
            static_cast<void>(files_->unlink(path));
        }
    }
}

checkpoint_situation checkpointer::look(const moment& now) const {
    const auto& mark = now.where.header().checkpoint;
    checkpoint_situation out;
    out.now_ns = wall_clock_ns();
    out.begun_ns = begun_ns_;
    out.last_lsn = shm::next_lsn(now.where) - 1;
    out.journal_bytes = now.written_bytes - written_at_;
    out.pages = shm::pages_with_rows(now.where);
    out.dirty_pages = shm::dirty_pages(now.where);
    out.asked = shm::load(mark.asked) > shm::load(mark.served);
    out.asked_full = shm::load(mark.asked_full) > shm::load(mark.served);
    return out;
}

checkpoint_order checkpointer::order_for(const moment& now, checkpoint_due due) const {
    checkpoint_order order;
    order.directory = directory_;
    order.world = now.promised.world();
    order.incarnation = now.promised.incarnation();
    order.epoch = now.epoch;
    if (due == checkpoint_due::incremental) order.parent = now.promised.checkpoints().back();
    order.sliced = given_up_ >= given_up_max;
    order.copy_bytes_max = options_.policy.copy_bytes_max;
    order.threads = options_.policy.threads;
    order.fence = [this, &where = now.where, epoch = now.epoch]() -> result<> {
        const bool is_ours = shm::load(where.header().keeper.epoch) == epoch;
        return is_ours ? result<>() : errc::lease_lost;
    };
    return order;
}

checkpointer::outcome checkpointer::take(checkpoint_taker& taker, const checkpoint_order& order,
                                         file_system& files) {
    outcome out;
    out.report = taker.take(order);
    if (out.report) return out;
    out.cause = std::string(name(out.report.error()));
    if (const auto& found = taker.found(); found) {
        out.cause +=
            ": " + found->file + " at byte " + std::to_string(found->offset) + ": " + found->cause;
    } else if (!files.last_error().empty() &&
               (out.report.error() == errc::disk_full || out.report.error() == errc::io_error)) {
        out.cause += ": " + files.last_error();
    }
    return out;
}

/// The other thread: takes what is ordered, one after the other.
void checkpointer::work(shm::region& where) {
    file_system files(*calls_);
    auto self = shm::participant::join(where);
    std::unique_lock mine(mutex_);
    if (!self) {
        made_ = {self.error(), "no slot for the thread that takes checkpoints"};
        stage_ = stage::ready;
        return;
    }
    checkpoint_taker taker(files, where, *self);
    taker_ = &taker;
    scrubber again(files, directory_);
    packing_order packing;
    packing.directory = directory_;
    packing.epoch = epoch_;
    packing.fence = [&where, epoch = epoch_]() -> result<> {
        const bool is_ours = shm::load(where.header().keeper.epoch) == epoch;
        return is_ours ? result<>() : errc::lease_lost;
    };
    segment_packer packer(files, std::move(packing));
    for (;;) {
        const auto is_wanted = [&] { return stops_ || stage_ == stage::ordered; };
        if (options_.policy.scrub_bytes == 0 && options_.policy.pack_bytes == 0) {
            changed_.wait(mine, is_wanted);
        } else if (!changed_.wait_for(mine, pause_beside(), is_wanted)) {
            work_beside(again, packer, mine, where.waits().now_ns());
            continue;
        }
        if (stops_) break;
        stage_ = stage::working;
        auto order = order_;
        mine.unlock();
        order.stops = [&] {
            const std::lock_guard look(mutex_);
            return stops_;
        };
        order.await_durable = [&](std::uint64_t lsn) -> result<> {
            for (;;) {
                const shm::receipt paid{lsn, where.geometry().incarnation};
                const auto slice = shm::deadline::in(durable_slice);
                const auto waited = shm::wait_durable(where, nullptr, paid, slice);
                if (waited || waited.error() != errc::stalled) return waited;
                if (order.stops()) return errc::stalled;
                PERDURE_TRY(order.fence());
            }
        };
        auto made = take(taker, order, files);
        mine.lock();
        made_ = std::move(made);
        stage_ = stage::ready;
    }
    packer.give_up();
    // What became ready and was not published is dirty; else our successor sees to it.
    const bool is_ours = order_.fence && order_.fence().has_value();
    if (stage_ == stage::ready && is_ours) shm::abandon_capture(where);
    taker_ = nullptr;
}

/// Requires: the lock.
void checkpointer::tell_rot(shm::region& where) {
    auto& mark = where.header().durable;
    const std::uint64_t told = shm::load(mark.rotten);
    const bool is_less = rotten_places_ < told && is_all_read_;
    if (rotten_places_ > told || is_less) shm::put(mark.rotten, rotten_places_);
    for (const auto& each : rotten_) {
        if (!options_.tell) break;
        options_.tell({false,
                       "scrub",
                       {},
                       each.reason,
                       each.file + " at byte " + std::to_string(each.offset) + ": " + each.cause,
                       {}});
    }
    rotten_.clear();
}

void checkpointer::start(const moment& now) {
    if (hands_.joinable()) return;
    epoch_ = now.epoch;
    rotten_places_ = 0;
    is_all_read_ = false;
    hands_ = std::thread([this, &where = now.where] { work(where); });
}

/// What retention does not keep.
result<> checkpointer::clear_away(const moment& now, std::vector<checkpoint_entry>& retired) {
    const std::uint64_t cursor = options_.oldest_cursor ? options_.oldest_cursor() : ~0ULL;
    auto goes = what_may_go(options_.policy, now.promised, wall_clock_ns(), cursor);
    PERDURE_TRY(let_go(now, goes));
    retired = std::move(goes.checkpoints);
    return {};
}

/// Publishes what was made, or tells why there is nothing to publish.
result<> checkpointer::settle(const moment& now, checkpoint_taker& taker, outcome&& made) {
    auto& mark = now.where.header().checkpoint;
    checkpoint_news news;
    news.trigger = trigger_;
    result<> answer;
    if (made.report) {
        news.report = *made.report;
        PERDURE_CRASH_POINT("checkpoint.publish");
        answer = now.promised.publish_checkpoint(made.report->entry);
        PERDURE_CRASH_POINT("checkpoint.published");
        if (!answer) shm::abandon_capture(now.where);
    }
    if (made.report && answer) {
        taker.forget();
        news.is_valid = true;
        news.report.entry = now.promised.checkpoints().back();  // With its version.
        given_up_ = 0;
        retry_ns_ = 0;
        written_at_ = now.written_bytes;
        shm::put(mark.lsn, made.report->entry.lsn);
        shm::put(mark.wall_ns, made.report->entry.cut_ns);
        shm::put(mark.write_ns, made.report->write_ns);
        shm::put(mark.refused, 0);
        answer = clear_away(now, news.retired);
    } else {
        news.refused = made.report ? answer.error() : made.report.error();
        news.cause = made.cause;
        given_up_ += news.refused == errc::conflict ? 1 : 0;
        shm::put(mark.refused, static_cast<std::uint64_t>(news.refused));
        const bool again_now = news.refused == errc::conflict;
        const std::uint64_t rest = std::max(options_.policy.every_ns, retry_ns_least);
        retry_ns_ = again_now ? 0 : now.where.waits().now_ns() + rest;
        if (news.refused == errc::disk_full && !now.promised.is_failed()) {
            answer = {};
            const auto went = make_room(now);
            if (!went) answer = went.error();
            if (went && *went) retry_ns_ = now.where.waits().now_ns() + retry_ns_least;
        }
    }
    shm::put(mark.next_ns, next_due_ns(options_.policy, now.promised));
    // A capture that was given up is tried again before anybody is told.
    if (news.refused != errc::conflict) {
        shm::step(mark.served, serving_);
        now.where.waits().wake(shm::low_half(mark.served), INT_MAX);
    }
    if (options_.tell) options_.tell(news);
    return answer;
}

result<> checkpointer::tick(const moment& now) {
    std::unique_lock mine(mutex_);
    tell_rot(now.where);
    PERDURE_TRY(watch_room(now));
    if (stage_ == stage::ready) {
        outcome made = std::move(made_);
        if (taker_ == nullptr) {  // It had no slot to begin with.
            mine.unlock();
            stop();
            retry_ns_ = now.where.waits().now_ns() + retry_ns_least;
            if (options_.tell) {
                options_.tell({false, trigger_, {}, made.report.error(), made.cause, {}});
            }
            return {};
        }
        const auto settled = settle(now, *taker_, std::move(made));
        stage_ = stage::idle;
        return settled;
    }
    if (stage_ != stage::idle) return {};
    const auto situation = look(now);
    if (!situation.asked && now.where.waits().now_ns() < retry_ns_) return {};
    auto decision = decide(options_.policy, now.promised, situation);
    auto& mark = now.where.header().checkpoint;
    serving_ = shm::load(mark.asked);
    if (decision.due == checkpoint_due::none) {
        if (situation.asked) {  // Nothing has changed: the newest is as good as a new one.
            shm::put(mark.refused, 0);
            shm::step(mark.served, serving_);
            now.where.waits().wake(shm::low_half(mark.served), INT_MAX);
        }
        return {};
    }
    trigger_ = decision.trigger;
    order_ = order_for(now, decision.due);
    stage_ = stage::ordered;
    mine.unlock();
    start(now);
    changed_.notify_all();
    return {};
}

result<bool> checkpointer::take_now(const moment& now, shm::participant& self,
                                    const now_order& how) {
    stop();
    auto situation = look(now);
    situation.asked = true;
    situation.asked_full = how.full;
    serving_ = shm::load(now.where.header().checkpoint.asked);
    for (unsigned turn = 0;; ++turn) {
        const auto decision = decide(options_.policy, now.promised, situation);
        if (decision.due == checkpoint_due::none) return false;
        trigger_ = how.trigger;
        auto order = order_for(now, decision.due);
        order.await_durable = how.await_durable;
        checkpoint_taker taker(*files_, now.where, self);
        auto made = take(taker, order, *files_);
        const bool again = !made.report && made.report.error() == errc::conflict;
        const auto why = made.report ? errc{} : made.report.error();
        found_ = taker.found();
        PERDURE_TRY(settle(now, taker, std::move(made)));
        if (why == errc{}) return true;
        if (!again || turn > given_up_max) return why;
    }
}

std::uint64_t request_checkpoint(shm::region& where, bool full) noexcept {
    auto& mark = where.header().checkpoint;
    const std::uint64_t mine = shm::word(mark.asked).fetch_add(1) + 1;
    std::uint64_t seen = shm::load(mark.asked_full);
    while (full && seen < mine && !shm::word(mark.asked_full).compare_exchange_weak(seen, mine)) {
    }
    return mine;
}

result<bool> ask_checkpoint(shm::region& where, bool full, shm::deadline until) noexcept {
    constexpr std::chrono::milliseconds slice{50};
    if (!where.writable()) return errc::read_only;
    if (!is_kept(where)) return errc::lease_held;  // By somebody who does not stay.
    const auto& mark = where.header().checkpoint;
    const std::uint64_t before = shm::load(mark.lsn);
    const std::uint64_t mine = request_checkpoint(where, full);
    until = until.from(where.waits().now_ns());
    for (;;) {
        const std::uint64_t served = shm::load(mark.served);
        if (served >= mine) break;
        if (where.waits().now_ns() >= until.at_ns) return errc::stalled;
        if (!is_kept(where)) return errc::lease_held;
        where.waits().wait(shm::low_half(mark.served), static_cast<std::uint32_t>(served), slice);
    }
    if (const auto why = shm::load(mark.refused); why != 0) return static_cast<errc>(why);
    return shm::load(mark.lsn) != before;
}

}  // namespace perdure::io

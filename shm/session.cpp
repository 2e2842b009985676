// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <perdure/shm/crash_point.hpp>
#include <perdure/shm/session.hpp>

namespace perdure::shm {
namespace {

constexpr std::chrono::milliseconds durable_slice{2};
constexpr std::chrono::microseconds ring_slice{100};

/// Wakes a keeper that sleeps.
void ring_bell(region& where) noexcept {
    auto& keeper = where.header().keeper;
    if (load(keeper.sleeping) == 0) return;
    word(keeper.bell).fetch_add(1);
    where.waits().wake(keeper.bell, 1);
}

}  // namespace

result<session> session::join(region& where, drain* hook) {
    auto self = participant::join(where);
    if (!self) return self.error();
    return session(where, std::move(*self), hook);
}

session::session(region& where, participant&& self, drain* hook)
    : where_(&where),
      self_(std::make_unique<participant>(std::move(self))),
      tx_(std::make_unique<transaction>(*self_)),
      reader_(where),
      hook_(hook) {}

session::run_guard::~run_guard() {
    // An exception, a refusal or a conflict: nothing of it stays.
    owner.tx_->roll_back();
    if (exclusive) open_gate(*owner.self_);
    owner.running_ = false;
}

result<> session::may_start() const noexcept {
    if (!where_->owned()) return errc::forked;
    if (!self_->is_here()) return errc::wrong_thread;
    if (running_) return errc::nested;
    return {};
}

result<> session::prepare(deadline until) {
    if (where_->waits().now_ns() >= until.at_ns) return errc::stalled;
    switch (tx_->why()) {
        case rerun::rows: return give(tx_->wanted_table(), 0, until);
        case rerun::ring_full: return await_ring(until);
        case rerun::none:
        case rerun::blocked:
        case rerun::stale:
        case rerun::gate: break;
    }
    return tx_->await(until);
}

result<> session::give(std::uint32_t table, std::uint64_t rows, deadline until) {
    tx_->forget();
    const auto given = write([&](transaction& tx) { return give_rows(tx, table, rows); }, until);
    if (!given && given.error() == errc::region_full) PERDURE_TRY(steal_rows(table, until));
    if (!given && given.error() != errc::region_full) return given.error();
    while (wants_split(*where_, table)) {
        const auto split = write([&](transaction& tx) { return split_buckets(tx, table); }, until);
        // A full region may keep its longer chains.
        if (!split && split.error() == errc::region_full) break;
        if (!split) return split.error();
    }
    return {};
}

result<> session::provide(std::uint32_t table, std::uint64_t rows, deadline until) {
    PERDURE_TRY(may_start());
    if (table == 0 || table >= table_count) return errc::unknown_table;
    const auto& range = self_->control().fresh[table];
    const bool enough = range.end - range.next >= rows;
    if (enough || load(where_->descriptor(table).free_head) != 0) return {};
    return give(table, rows, until.from(where_->waits().now_ns()));
}

/// When the region is full, the unused row numbers of slots that nobody sits in are still there.
result<> session::steal_rows(std::uint32_t table, deadline until) {
    for (std::uint32_t i = 0; i < where_->geometry().slot_count; ++i) {
        auto& other = where_->slot(i);
        if (i == self_->slot() || load(other.fresh[table].next) >= load(other.fresh[table].end)) {
            continue;
        }
        if (!take_idle(*where_, i)) continue;
        const auto moved = write(
            [&](transaction& tx) -> result<> {
                PERDURE_TRY(edit_descriptor(tx, table));
                const auto theirs = where_->offset_of(&other.fresh[table]);
                const auto ours = where_->offset_of(&self_->control().fresh[table]);
                auto* from = reinterpret_cast<fresh_rows*>(
                    PERDURE_TRY(tx.edit_words(theirs, sizeof(fresh_rows), transaction::no_stripe)));
                auto* to = reinterpret_cast<fresh_rows*>(
                    PERDURE_TRY(tx.edit_words(ours, sizeof(fresh_rows), transaction::no_stripe)));
                *to = *from;
                *from = {};
                return {};
            },
            until);
        give_idle(*where_, i);
        if (moved) return {};
        return moved.error();
    }
    return errc::region_full;
}

result<> session::await_ring(deadline until) {
    tx_->forget();
    const auto stuck = load(where_->header().head.value);
    while (load(where_->header().head.value) == stuck) {
        if (load(where_->header().durable.failed) != 0) return errc::durability_lost;
        if (where_->waits().now_ns() >= until.at_ns) return errc::stalled;
        if (hook_ != nullptr) {
            const auto helped = hook_->help(*where_);
            if (helped) continue;
            if (helped.error() != errc::lease_held) return helped.error();
        }
        // The keeper says so, and it lives: else it would be us who keep the world.
        if (const auto why = load(where_->header().durable.refusing); why != 0) {
            return static_cast<errc>(why);
        }
        ring_bell(*where_);
        where_->waits().wait(low_half(where_->header().head.value),
                             static_cast<std::uint32_t>(stuck), ring_slice);
    }
    return {};
}

result<> wait_durable(region& where, drain* hook, const receipt& paid, deadline until) noexcept {
    if (!where.owned()) return errc::forked;
    if (paid.lsn == 0) return {};
    if (paid.incarnation != where.geometry().incarnation) return errc::garbled;
    auto& mark = where.header().durable;
    auto& keeper = where.header().keeper;
    for (bool first = true;; first = false) {
        const std::uint64_t seen = load(mark.lsn);
        if (seen >= paid.lsn) return {};
        if (first) until = until.from(where.waits().now_ns());
        if (load(mark.failed) != 0) return errc::durability_lost;
        if (!first && where.waits().now_ns() >= until.at_ns) return errc::stalled;
        const auto sitter = load(keeper.slot);
        const bool kept = sitter != 0 && sitter <= where.geometry().slot_count &&
                          (first || try_repair(where, sitter - 1) == life::alive);
        if (!kept && hook != nullptr) {
            const auto helped = hook->help(where);
            if (helped) continue;
            if (helped.error() != errc::lease_held) return helped.error();
        }
        // Whoever has slept once knows that this is not over, and that the keeper lives.
        if (const auto why = load(mark.refusing); !first && why != 0) return static_cast<errc>(why);
        word(mark.sleepers).fetch_add(1);
        // After the sleeper's mark, so that a keeper that looks for sleepers finds this one.
        ring_bell(where);
        where.waits().wait(low_half(mark.lsn), static_cast<std::uint32_t>(seen), durable_slice);
        word(mark.sleepers).fetch_sub(1);
    }
}

result<std::uint32_t> open_table(session& by, const schema& wanted) {
    const auto there = find_table(by.where(), wanted);
    if (there || there.error() != errc::unknown_table) return there;
    const auto made = by.write([&](transaction& in) -> result<> {
        PERDURE_TRY(create_table(in, wanted));
        return {};
    });
    if (!made && made.error() != errc::exists) return made.error();
    return find_table(by.where(), wanted);
}

}  // namespace perdure::shm

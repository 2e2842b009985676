// SPDX-License-Identifier: Apache-2.0
#include <perdure/shm/crash_point.hpp>
#include <perdure/shm/transaction.hpp>

namespace perdure::shm {
namespace {

constexpr std::uint32_t few_entries = 12;  // Below, a walk is quicker than a hash.

std::size_t place_of(std::uint64_t at, std::size_t places) noexcept {
    return ((at * 0x9e3779b97f4a7c15ULL) >> 32) & (places - 1);
}

}  // namespace

transaction::transaction(participant& self)
    : self_(&self),
      where_(&self.where()),
      slot_(&self.control()),
      undo_(where_->at<std::byte>(where_->undo_at(self.slot()))),
      list_(where_->held(self.slot())),
      reads_(self.where(), self.owner()),
      directory_(self.where()),
      barrier_(self.where()),
      copies_(where_->geometry().undo_bytes),
      shapes_(table_count) {
    entries_.reserve(64);
    record_.resize(4096);
}

errc transaction::fail(rerun why) noexcept {
    why_ = why;
    return errc::conflict;
}

errc transaction::want_rows(std::uint32_t table) noexcept {
    wanted_ = table;
    return fail(rerun::rows);
}

result<const table_shape*> transaction::shape(std::uint32_t table) noexcept {
    if (table == 0 || table >= table_count) return errc::unknown_table;
    auto& known = shapes_[table];
    if (known.row_bytes != 0) return &known;
    // Schemas never change once they are live: read outside the transaction's own notes.
    const std::uint64_t at = locate(schemas_table, table);
    if (at == 0) return errc::unknown_table;
    schema_row row;
    reads aside(*where_, self_->owner());
    if (const auto copied = aside.copy(at, sizeof row, stripe_of(schemas_table, table), &row);
        !copied) {
        blocked_on_ = stripe_of(schemas_table, table);
        return fail(rerun::blocked);
    }
    if (row.header.live != 1) return errc::unknown_table;
    if (row.row_bytes == 0 || row.row_bytes > page_bytes || row.row_bytes % 8 != 0 ||
        row.index >= table_count) {
        return errc::garbled;
    }
    known = shape_of(row);
    return &known;
}

transaction::entry* transaction::find(std::uint64_t at) noexcept {
    if (entries_.size() <= few_entries) {
        for (auto& each : entries_) {
            if (each.at == at) return &each;
        }
        return nullptr;
    }
    for (auto place = place_of(at, places_.size());; place = (place + 1) & (places_.size() - 1)) {
        const auto index = places_[place];
        if (index == 0) return nullptr;
        if (entries_[index - 1].at == at) return &entries_[index - 1];
    }
}

void transaction::remember(std::uint32_t index) noexcept {
    if (entries_.size() <= few_entries) return;
    if (places_.size() < entries_.size() * 2) {
        places_.assign(std::max<std::size_t>(256, places_.size() * 4), 0);
        for (std::uint32_t i = 0; i < index; ++i) remember(i);
    } else if (entries_.size() == few_entries + 1 && index == few_entries) {
        std::fill(places_.begin(), places_.end(), 0);
        for (std::uint32_t i = 0; i < index; ++i) remember(i);
    }
    auto place = place_of(entries_[index].at, places_.size());
    while (places_[place] != 0) place = (place + 1) & (places_.size() - 1);
    places_[place] = index + 1;
}

result<> transaction::lock(std::uint32_t stripe) noexcept {
    if (owner_of(peek(where_->stripe(stripe))) == self_->owner()) return {};
    if (held_ == held_max) return spoil(errc::transaction_too_large);
    open_ = true;
    if (held_ == 0) {
        // Before the first lock, not earlier: an idle slot holds up no cut.
        PERDURE_CRASH_POINT("edit.active");
        step(slot_->active, 1);
    }
    if (!planted(bug::stripe_before_intent)) {
        // The intent first: a death behind the compare-and-swap must find the stripe on the list.
        PERDURE_CRASH_POINT("edit.intent");
        put(list_[held_], stripe);
        step(slot_->held, held_ + 1);
    }
    PERDURE_CRASH_POINT("edit.lock");
    while (!take_stripe(*where_, stripe, self_->owner())) PERDURE_TRY(lock_held_back(stripe));
    if (planted(bug::stripe_before_intent)) {
        PERDURE_CRASH_POINT("edit.intent");
        put(list_[held_], stripe);
        step(slot_->held, held_ + 1);
    }
    ++held_;
    if (held_ == 1 && !planted(bug::gate_ignored)) {
        PERDURE_CRASH_POINT("edit.gate");
        if (!gate_lets(*where_, self_->owner())) return fail(rerun::gate);
    }
    return {};
}

result<> transaction::lock_held_back(std::uint32_t stripe) noexcept {
    // Bounded: settle() spins two microseconds and repairs a dead owner. A living one is waited for
    // outside, after a roll back, holding nothing: so nobody ever waits for a waiter.
    const auto settled = reads_.settle(stripe);
    if (settled) return {};
    if (settled.error() != errc::conflict) return settled.error();
    blocked_on_ = stripe;
    return fail(rerun::blocked);
}

result<std::byte*> transaction::log(std::uint64_t at, std::uint64_t row, std::uint32_t bytes,
                                    std::uint32_t table) noexcept {
    // Derived words are found through the region's own directories, which may be garbled.
    if (at + bytes > peek(where_->header().committed_bytes.value)) return errc::garbled;
    const std::uint32_t length = sizeof(undo_entry) + bytes + 8;
    if (undo_used_ + length > where_->geometry().undo_bytes) {
        return spoil(errc::transaction_too_large);
    }
    auto* place = undo_ + undo_used_;
    const auto check = static_cast<std::uint32_t>(at) ^ bytes ^ undo_check;
    if (planted(bug::undo_count_first)) step(slot_->undo_used, undo_used_ + length);
    PERDURE_CRASH_POINT("undo.payload");
    entries_.push_back({at, row, undo_used_, bytes, table, whole, false});
    if (table != 0) changes_bound_ += bytes + bytes / 8 + sizeof(change_header);
    auto* copy = copy_of(entries_.back());
    write_words(place, at, bytes | static_cast<std::uint64_t>(check) << 32);
    // The stripe is ours: nobody else stores here, so the copies need not be word by word.
    copy_words(place + sizeof(undo_entry), where_->at<std::byte>(at), bytes);
    copy_words(copy, where_->at<std::byte>(at), bytes);
    write_words(place + sizeof(undo_entry) + bytes, std::uint64_t{length});
    undo_used_ += length;
    if (!planted(bug::store_before_undo)) {
        // The payload is whole before the count says so, and the count before any store to the row.
        PERDURE_CRASH_POINT("undo.count");
        step(slot_->undo_used, undo_used_);
    }
    remember(static_cast<std::uint32_t>(entries_.size() - 1));
    return copy;
}

result<std::byte*> transaction::edit(std::uint32_t table, std::uint64_t row) noexcept {
    const auto* known = PERDURE_TRY(shape(table));
    const std::uint64_t at = locate(table, row);
    if (at == 0) return errc::not_found;
    return edit_at(table, row, at, *known);
}

result<std::byte*> transaction::edit_at(std::uint32_t table, std::uint64_t row, std::uint64_t at,
                                        const table_shape& shape) noexcept {
    if (auto* seen = find(at)) return copy_of(*seen);
    PERDURE_TRY(lock(stripe_of(table, row)));
    const auto copy = log(at, row, shape.row_bytes, (shape.flags & derived) != 0 ? 0 : table);
    if (copy && !shape.indexes.empty()) {
        indexed_.push_back({static_cast<std::uint32_t>(entries_.size() - 1), 0});
    }
    return copy;
}

result<std::byte*> transaction::edit_words(std::uint64_t at, std::uint32_t bytes,
                                           std::uint32_t stripe) noexcept {
    PERDURE_ASSERT(at % 8 == 0 && bytes % 8 == 0 && bytes <= page_bytes);
    if (auto* seen = find(at)) return copy_of(*seen);
    if (stripe != no_stripe) PERDURE_TRY(lock(stripe));
    PERDURE_ASSERT(held_ > 0);
    return log(at, 0, bytes, 0);
}

result<> transaction::get(std::uint32_t table, std::uint64_t row, void* out) noexcept {
    const auto* known = PERDURE_TRY(shape(table));
    const std::uint64_t at = locate(table, row);
    if (at == 0) return errc::not_found;
    return get_words(at, known->row_bytes, stripe_of(table, row), out);
}

result<> transaction::get_words(std::uint64_t at, std::uint32_t bytes, std::uint32_t stripe,
                                void* out) noexcept {
    if (const auto* seen = find(at)) {
        PERDURE_ASSERT(bytes <= seen->bytes);
        std::memcpy(out, copy_of(*seen), bytes);
        return {};
    }
    const auto copied = reads_.copy(at, bytes, stripe, out);
    if (copied || copied.error() != errc::conflict) return copied;
    if (!reads_.validate()) return fail(rerun::stale);
    blocked_on_ = stripe;
    return fail(rerun::blocked);
}

void transaction::event(std::uint16_t type, std::uint16_t version,
                        std::span<const std::byte> payload) {
    PERDURE_ASSERT(payload.size() % 8 == 0 && payload.size() <= 64 * 1024);
    const std::size_t bytes = sizeof(event_header) + payload.size();
    if (record_.size() < record_used_ + bytes) record_.resize((record_used_ + bytes) * 2);
    auto* place = record_.data() + record_used_;
    write_words(place, pack(type, version, static_cast<std::uint32_t>(bytes)));
    copy_words(place + sizeof(event_header), payload.data(), payload.size());
    record_used_ += bytes;
    ++event_count_;
}

void transaction::roll_back() noexcept {
    if (open_) {
        PERDURE_ASSERT(undo_all(*where_, self_->slot()).has_value());
        PERDURE_CRASH_POINT("abort.undo_void");
        step(slot_->undo_used, 0);
    }
    close(!planted(bug::no_bump_on_abort));
}

void transaction::close(bool raise_version) noexcept {
    if (open_) {
        release_held(*where_, self_->slot(), raise_version);
        PERDURE_CRASH_POINT("close.active");
        step(slot_->active, 0);
    }
    entries_.clear();
    indexed_.clear();
    settled_.clear();
    record_used_ = front_bytes;
    changes_bound_ = 0;
    reads_.clear();
    event_count_ = change_count_ = undo_used_ = held_ = 0;
    keyed_ = open_ = false;
    spoiled_ = {};
}

result<> transaction::await(deadline until) noexcept {
    PERDURE_ASSERT(!open_);
    const auto cause = why_;
    why_ = rerun::none;
    if (cause == rerun::gate) return await_gate(*where_, self_->owner(), until);
    if (cause != rerun::blocked) return {};
    until = until.from(where_->waits().now_ns());
    for (;;) {
        const auto settled = reads_.settle(blocked_on_);
        if (settled || settled.error() != errc::conflict) return settled;
        if (where_->waits().now_ns() >= until.at_ns) return errc::stalled;
        wait_stripe(*where_, blocked_on_, owner_of(load(where_->stripe(blocked_on_))));
    }
}

}  // namespace perdure::shm

// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <perdure/core/projection.hpp>
#include <perdure/shm/crash_point.hpp>
#include <perdure/shm/described.hpp>

namespace perdure {
namespace {

constexpr std::uint64_t rows_a_step = 4096;
constexpr std::size_t freed_a_step = 128;
constexpr int turns_for_a_cursor = 1000;

shm::schema cursor_schema() {
    return shm::schema_of<cursor_row>("cursors", {.flags = shm::transient});
}

std::string_view name_in(const cursor_row& row) noexcept {
    return {row.name.data(), ::strnlen(row.name.data(), row.name.size())};
}

bool is(const cursor_row& row, cursor_state state) noexcept {
    return row.state == static_cast<std::uint32_t>(state);
}

/// Live rows of a table, from `row` on; a hint beside writers: the transaction looks again.
std::uint64_t find_live(shm::region& where, std::uint32_t table, std::uint64_t row,
                        std::vector<std::uint64_t>& found) {
    const std::uint64_t end = shm::load(where.descriptor(table).row_high);
    const std::uint64_t stop = std::min(end, row + rows_a_step);
    for (; row < stop && found.size() < freed_a_step; ++row) {
        const std::uint64_t at = shm::locate(where, table, row);
        if (at != 0 && shm::peek(where.at<shm::row_header>(at)->live) == 1) found.push_back(row);
    }
    return row;
}

/// Takes a row out of its table, with its key if it has one.
result<> take_out(shm::transaction& in, std::uint32_t table, std::uint64_t row) {
    const auto* shape = PERDURE_TRY(in.shape(table));
    if (shape->key_at == 0) {
        const auto freed = shm::free_row(in, table, row);
        return !freed && freed.error() == errc::not_found ? result<>() : freed;
    }
    std::vector<std::byte> copy(shape->row_bytes);
    PERDURE_TRY(in.get(table, row, copy.data()));
    shm::row_header header;
    shm::row_key key;
    std::memcpy(&header, copy.data(), sizeof header);
    std::memcpy(&key, copy.data() + shape->key_at, sizeof key);
    if (header.live != 1) return {};
    return shm::erase_key(in, table, key);
}

}  // namespace

result<std::uint32_t> open_cursors(shm::session& by) {
    return shm::open_table(by, cursor_schema());
}

result<projection> projection::open(shm::session& by, const event_catalogue& catalogue,
                                    projection_rule rule) {
    if (rule.name.empty() || rule.name.size() >= sizeof(cursor_row::name)) return errc::bad_schema;
    const auto cursors = PERDURE_TRY(open_cursors(by));
    const auto named = account_id::of(rule.name);
    const shm::row_key key{named.high, named.low};
    PERDURE_TRY(by.write([&](shm::transaction& in) -> result<> {
        const auto there = shm::get_key<cursor_row>(in, cursors, key);
        if (there) return name_in(*there) == rule.name ? result<>() : result<>(errc::exists);
        if (there.error() != errc::not_found) return there.error();
        const auto taken = PERDURE_TRY(shm::insert_key(in, cursors, key));
        auto* row = reinterpret_cast<cursor_row*>(taken.copy);
        std::copy(rule.name.begin(), rule.name.end(), row->name.begin());
        row->state = static_cast<std::uint32_t>(cursor_state::following);
        return {};
    }));
    return projection(catalogue, std::move(rule), cursors, key);
}

result<cursor_row> projection::cursor(shm::session& by) const {
    return by.read([&](shm::view& seen) { return shm::get_key<cursor_row>(seen, cursors_, key_); });
}

result<> projection::rebuild(shm::session& by) const {
    PERDURE_TRY(by.write([&](shm::transaction& in) -> result<> {
        auto* row = PERDURE_TRY(shm::edit_key<cursor_row>(in, cursors_, key_));
        row->state = static_cast<std::uint32_t>(cursor_state::emptying);
        row->target = 0;
        return {};
    }));
    return {};
}

/// The cursor's private copy. Errors: cursor_elsewhere when the row has changed since `known`.
result<cursor_row*> projection::edit_cursor(shm::transaction& in,
                                            const cursor_row& known) const noexcept {
    auto* row = PERDURE_TRY(shm::edit_key<cursor_row>(in, cursors_, key_));
    if (row->header.lsn != known.header.lsn) return errc::cursor_elsewhere;
    return row;
}

result<projection_step> projection::step(shm::session& by, shm::record_source& from) {
    const auto known = PERDURE_TRY(cursor(by));
    if (is(known, cursor_state::emptying)) return empty(by, known);
    if (!is_placed_ || known.lsn != left_at_) {
        from.seek(known.lsn + 1);
        rest_ = shm::record_walk(std::span<const std::byte>());
        left_at_ = scanned_ = known.lsn;
        is_placed_ = true;
    }
    const std::uint64_t before = scanned_;
    due_.clear();
    const auto gathered = gather(from);
    if (!gathered) {
        is_placed_ = false;
        return gathered.error();
    }
    const bool ends_rebuild =
        is(known, cursor_state::rebuilding) && known.lsn < known.target && scanned_ >= known.target;
    projection_step done{scanned_, due_.size(), scanned_ == before};
    if (due_.empty() && scanned_ - known.lsn < cursor_lag_max && !ends_rebuild) return done;
    const auto committed = commit(by, known);
    if (committed) {
        left_at_ = scanned_;
        events_max_ = events_a_step;
        return done;
    }
    // Whatever was gathered is gathered again, from where the cursor is by then.
    is_placed_ = false;
    if (committed.error() == errc::cursor_elsewhere) return projection_step{known.lsn, 0, false};
    if (committed.error() == errc::transaction_too_large && events_max_ > 1) {
        events_max_ = events_max_ / 2;
        return projection_step{known.lsn, 0, false};
    }
    return committed.error();
}

/// Walks on until there are enough matching events; whole records only.
result<> projection::gather(shm::record_source& from) {
    shm::record_view record;
    while (due_.size() < events_max_) {
        if (!PERDURE_TRY(rest_.next(record))) {
            // What is due lies in the batch at hand, which the next one would overwrite.
            if (!due_.empty()) return {};
            const auto batch = PERDURE_TRY(from.next());
            rest_ = shm::record_walk(batch.records);
            if (batch.is_empty()) return {};
            if (batch.first_lsn != scanned_ + 1) return errc::garbled;
            if (!PERDURE_TRY(rest_.next(record))) return errc::garbled;
        }
        for (const auto event : record.events()) {
            if (!rule_.wanted.passes(*catalogue_, event)) continue;
            due_.push_back({record.lsn(), record.transaction().wall_ns,
                            record.transaction().world_time, record.key(), event});
        }
        scanned_ = record.lsn();
        if (due_.empty() && scanned_ - left_at_ >= cursor_lag_max) return {};
    }
    return {};
}

result<> projection::commit(shm::session& by, const cursor_row& known) {
    const bool is_apart = planted(shm::bug::cursor_apart);
    if (is_apart) {
        PERDURE_TRY(by.write([&](shm::transaction& in) -> result<> {
            for (const auto& each : due_) PERDURE_TRY(rule_.fold(in, each));
            return {};
        }));
    }
    PERDURE_TRY(by.write([&](shm::transaction& in) -> result<> {
        // The cursor first: under its lock no other process folds the same events.
        auto* row = PERDURE_TRY(edit_cursor(in, known));
        row->lsn = scanned_;
        row->applied += due_.size();
        if (is(known, cursor_state::rebuilding) && scanned_ >= known.target) {
            row->state = static_cast<std::uint32_t>(cursor_state::following);
            row->target = 0;
        }
        if (is_apart) return {};
        for (const auto& each : due_) PERDURE_TRY(rule_.fold(in, each));
        return {};
    }));
    return {};
}

/// Takes some rows away; when there are none left, the cursor goes to the beginning. Nobody adds
/// any meanwhile: who folds holds the cursor, and finds its state.
result<projection_step> projection::empty(shm::session& by, const cursor_row& known) {
    is_placed_ = false;
    if (emptied_for_ != known.header.lsn) {
        emptied_for_ = known.header.lsn;
        table_ = row_ = 0;
    }
    std::vector<std::uint64_t> live;
    while (table_ < rule_.results.size()) {
        const auto table = rule_.results[table_];
        row_ = find_live(by.where(), table, row_, live);
        if (!live.empty()) break;
        if (row_ < shm::load(by.where().descriptor(table).row_high)) return projection_step{};
        ++table_;
        row_ = 0;
    }
    const bool is_last = table_ == rule_.results.size();
    const auto done = by.write([&](shm::transaction& in) -> result<> {
        auto* row = PERDURE_TRY(edit_cursor(in, known));
        for (const auto each : live) PERDURE_TRY(take_out(in, rule_.results[table_], each));
        if (!is_last) return {};
        row->lsn = 0;
        row->applied = 0;
        row->target = shm::next_lsn(in.where()) - 1;
        row->state = static_cast<std::uint32_t>(cursor_state::rebuilding);
        return {};
    });
    if (!done) table_ = row_ = 0;
    if (done || done.error() == errc::cursor_elsewhere) return projection_step{};
    return done.error();
}

namespace {

/// As committed: what a transaction has stored may yet be taken back.
result<cursor_row> committed_cursor(shm::region& where, std::uint64_t at, std::uint32_t stripe) {
    cursor_row row;
    result<> copied = errc::conflict;
    for (int turn = 0; !copied && turn < turns_for_a_cursor; ++turn) {
        shm::reads once(where, 0);
        copied = once.copy(at, sizeof row, stripe, &row);
        if (!copied) where.waits().pause();
    }
    if (!copied) return copied.error();
    return row;
}

}  // namespace

std::uint64_t slowest_cursor(shm::region& where, std::uint32_t& table) {
    if (table == 0) {
        const auto found = shm::find_table(where, cursor_schema());
        if (!found) return found.error() == errc::unknown_table ? ~0ULL : 0;
        table = *found;
    }
    std::uint64_t least = ~0ULL;
    const std::uint64_t rows = shm::load(where.descriptor(table).row_high);
    for (std::uint64_t row = 0; row < rows; ++row) {
        const std::uint64_t at = shm::locate(where, table, row);
        if (at == 0) continue;
        const auto cursor = committed_cursor(where, at, shm::stripe_of(table, row));
        if (!cursor) return 0;
        if (cursor->header.live == 1) least = std::min(least, cursor->lsn);
    }
    return least;
}

}  // namespace perdure

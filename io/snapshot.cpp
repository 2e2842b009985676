// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <perdure/io/snapshot.hpp>
#include <perdure/io/subscription.hpp>
#include <perdure/shm/blob.hpp>
#include <perdure/shm/crash_point.hpp>
#include <perdure/shm/extent.hpp>
#include <perdure/shm/reads.hpp>
#include <perdure/shm/ring.hpp>
#include <perdure/shm/table.hpp>

namespace perdure::io {
namespace {

constexpr std::chrono::microseconds held_pause{50};
constexpr std::size_t word = sizeof(std::uint64_t);
constexpr std::size_t nowhere = ~std::size_t{0};

class snapshot_taker {
  public:
    snapshot_taker(shm::region& where, image& into, const snapshot_order& order)
        : where_(where),
          into_(into),
          order_(order),
          until_(order.until.from(where.waits().now_ns())),
          places_(where),
          row_(where, 0) {}

    result<> choose() {
        for (std::uint32_t number = shm::first_user_table; number < shm::table_count; ++number) {
            PERDURE_TRY(choose(number));
        }
        for (const auto& name : order_.tables) {
            if (!has_named(name)) return errc::unknown_table;
        }
        return {};
    }

    result<> copy_all() {
        for (auto& each : into_.tables) PERDURE_TRY(copy_table(each));
        return {};
    }

    /// Brings all rows to `last`; the copies show every record up to `first`.
    result<std::uint64_t> replay(subscription from, std::uint64_t last) {
        std::uint64_t applied = 0;
        while (from.next_lsn() <= last) {
            const auto batch = PERDURE_TRY(from.next());
            if (batch.is_empty()) {
                if (!from.wait(until_)) return late();
                continue;
            }
            shm::record_walk records(batch.records);
            shm::record_view record;
            while (PERDURE_TRY(records.next(record))) {
                if (record.lsn() > last) break;
                PERDURE_TRY(apply(record));
                ++applied;
            }
        }
        std::ranges::sort(into_.tables, {}, &table_image::number);
        return applied;
    }

  private:
    [[nodiscard]] errc late() const noexcept {
        return where_.writable() ? errc::stalled : errc::busy;
    }

    [[nodiscard]] bool has_named(std::string_view name) const {
        return std::ranges::any_of(into_.tables,
                                   [&](const auto& each) { return each.shape.name == name; });
    }

    /// Takes the table in, if it is wanted: itself, or as the heap of one that is.
    result<> choose(std::uint32_t number) {
        const auto shape = shm::read_schema(where_, number);
        if (!shape && shape.error() == errc::unknown_table) return {};
        if (!shape) return shape.error();
        const bool is_known =
            std::ranges::find(into_.tables, number, &table_image::number) != into_.tables.end();
        const bool is_named = order_.tables.empty() ||
                              std::ranges::find(order_.tables, shape->name) != order_.tables.end();
        if (is_known || !is_named || (shape->flags & shm::derived) != 0) return {};
        const auto heap = PERDURE_TRY(heap_of(number));
        take_in({number, *shape, heap, {}, {}});
        if (heap == 0 || order_.tables.empty()) return {};
        take_in({heap, PERDURE_TRY(shm::read_schema(where_, heap)), 0, {}, {}});
        return {};
    }

    /// 0: none.
    result<std::uint32_t> heap_of(std::uint32_t number) {
        for (;;) {
            const auto heap = shm::heap_of(where_, number);
            if (!heap && heap.error() == errc::not_found) return std::uint32_t{0};
            if (heap || heap.error() != errc::conflict) return heap;
            PERDURE_TRY(rest());
        }
    }

    /// Somebody has what we want to see.
    result<> rest() {
        if (where_.waits().now_ns() >= until_.at_ns) return late();
        const std::uint32_t nobody_wakes = 0;
        where_.waits().wait(nobody_wakes, 0, held_pause);
        return {};
    }

    void take_in(table_image table) {
        place_of_[table.number] = into_.tables.size();
        into_.tables.push_back(std::move(table));
    }

    /// T1.
    result<> copy_row(std::uint64_t at, std::uint32_t bytes, std::uint32_t stripe, void* into) {
        for (;;) {
            row_.clear();
            const auto copied = row_.copy(at, bytes, stripe, into);
            if (copied || copied.error() != errc::conflict) return copied;
            PERDURE_TRY(rest());
        }
    }

    result<> copy_table(table_image& table) {
        // Who uses a row has raised this before it claimed its LSN: rows behind it are replayed.
        const auto& d = where_.descriptor(table.number);
        const std::uint64_t rows = shm::load(d.row_high);
        const std::uint32_t bytes = table.shape.row_bytes;
        if (shm::load(d.row_bytes) != bytes || rows > 1ULL << 48) return errc::garbled;
        table.rows.resize(rows * bytes);
        for (std::uint64_t row = 0; row < rows; ++row) {
            const std::uint64_t at = places_.locate(table.number, row);
            if (at == 0) continue;  // A range that was given out has its pages; garbled, none.
            auto* into = table.rows.data() + row * bytes;
            PERDURE_CRASH_POINT("snapshot.row");
            PERDURE_TRY(copy_row(at, bytes, shm::stripe_of(table.number, row), into));
            shm::row_header header;
            std::memcpy(&header, into, sizeof header);
            if (header.live != 1) std::fill(into + sizeof header, into + bytes, std::byte{0});
        }
        return {};
    }

    /// nullptr: nobody wants that table.
    result<table_image*> numbered(std::uint32_t number) {
        if (number >= shm::table_count) return errc::garbled;
        // One that was made meanwhile: what is journaled is no derived one.
        const bool is_new = place_of_[number] == nowhere && order_.tables.empty();
        if (is_new && number >= shm::first_user_table) PERDURE_TRY(choose(number));
        const auto place = place_of_[number];
        return place == nowhere ? nullptr : &into_.tables[place];
    }

    result<> apply(const shm::record_view& record) {
        touched_.clear();
        shm::change_view change;
        while (PERDURE_TRY(record.next(change))) {
            if (auto* table = PERDURE_TRY(numbered(change.header.table)); table != nullptr) {
                PERDURE_TRY(apply(*table, change, record.lsn()));
            } else if (change.header.table == shm::schemas_table && order_.tables.empty()) {
                PERDURE_TRY(choose(static_cast<std::uint32_t>(change.header.row)));
            }
        }
        // Not before: a wide row takes several changes of one record.
        for (const auto& [table, at] : touched_) {
            const auto lsn = record.lsn();
            std::memcpy(into_.tables[table].rows.data() + at, &lsn, sizeof lsn);
        }
        return {};
    }

    /// T2.
    result<> apply(table_image& table, const shm::change_view& change, std::uint64_t lsn) {
        const std::size_t bytes = table.shape.row_bytes;
        const auto& d = where_.descriptor(table.number);
        if (change.header.row >= shm::load(d.row_high)) return errc::garbled;
        const std::size_t at = change.header.row * bytes;
        if (at >= table.rows.size()) table.rows.resize(at + bytes);
        auto* row = table.rows.data() + at;
        std::uint64_t shown = 0;
        std::memcpy(&shown, row, sizeof shown);
        if (shown >= lsn && !planted(shm::bug::snapshot_replays_twice)) return {};
        if (shown < lsn && shown != change.header.lsn_before) return errc::broken_chain;
        const auto top = static_cast<std::uint32_t>(std::bit_width(change.header.mask));
        if ((change.header.first_word + top) * word > bytes) return errc::garbled;
        for (std::uint32_t i = change.header.first_word; i < change.header.first_word + top; ++i) {
            std::uint64_t value = 0;
            std::memcpy(&value, row + i * word, word);
            value += change.gained(i);
            std::memcpy(row + i * word, &value, word);
        }
        touched_.emplace_back(static_cast<std::size_t>(&table - into_.tables.data()), at);
        return {};
    }

    shm::region& where_;
    image& into_;
    const snapshot_order& order_;
    shm::deadline until_;
    shm::directory places_;
    shm::reads row_;
    std::vector<std::size_t> place_of_ = std::vector<std::size_t>(shm::table_count, nowhere);
    std::vector<std::pair<std::size_t, std::size_t>> touched_;  ///< Table, and byte of the row.
};

}  // namespace

const table_image* snapshot::table(std::string_view name) const noexcept {
    for (const auto& each : content_.tables) {
        if (each.shape.name == name) return &each;
    }
    return nullptr;
}

result<snapshot> snapshot::take(shm::region& where, kernel_calls& calls,
                                const std::string& directory, const snapshot_order& order) {
    if (!where.owned()) return errc::forked;
    snapshot out;
    snapshot_taker taker(where, out.content_, order);
    PERDURE_TRY(taker.choose());
    // Before the first copy: who has claimed an LSN up to this one still holds its rows, or has
    // let them go with what it has written.
    std::uint64_t first = shm::next_lsn(where) - 1;
    PERDURE_CRASH_POINT("snapshot.begin");
    PERDURE_TRY(taker.copy_all());
    PERDURE_CRASH_POINT("snapshot.copied");
    // Behind the last copy: no row shows a later record.
    std::uint64_t last = shm::next_lsn(where) - 1;
    if (planted(shm::bug::snapshot_begins_late)) first = last - (last - first) / 2;
    if (planted(shm::bug::snapshot_ends_early)) last -= (last - first) / 2;
    out.content_.last_lsn = last;
    if (planted(shm::bug::snapshot_unreplayed)) return out;
    out.replayed_ = PERDURE_TRY(
        taker.replay(subscription(where, calls, directory, first + 1, delivery::applied), last));
    return out;
}

}  // namespace perdure::io

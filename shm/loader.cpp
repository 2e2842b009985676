// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <cstring>
#include <perdure/shm/capture_state.hpp>
#include <perdure/shm/crash_point.hpp>
#include <perdure/shm/crc32c.hpp>
#include <perdure/shm/extent.hpp>
#include <perdure/shm/hash_index.hpp>
#include <perdure/shm/loader.hpp>
#include <perdure/shm/ring.hpp>

namespace perdure::shm {
namespace {

template <class T>
bool take(const std::byte*& at, const std::byte* end, T& out) noexcept {
    if (end - at < static_cast<std::ptrdiff_t>(sizeof out)) return false;
    std::memcpy(&out, at, sizeof out);
    at += sizeof out;
    return true;
}

/// Rows that share a bucket on average; what splitting would have led to.
constexpr std::uint64_t rows_in_ten_buckets = 36;

}  // namespace

loader::loader(region& where) : where_(&where), high_(table_count, 0), shown_(table_count) {
    high_[schemas_table] = table_count;
}

result<std::uint32_t> loader::take_pages(std::uint32_t count) noexcept {
    const std::lock_guard mine(pages_);
    auto& next = where_->header().page_next.value;
    PERDURE_TRY(where_->commit_pages(next + count));
    const auto first = static_cast<std::uint32_t>(next);
    next += count;
    return first;
}

result<> loader::ensure_row(std::uint32_t table, std::uint64_t row) noexcept {
    if (locate(*where_, table, row) != 0) return {};
    auto& d = where_->descriptor(table);
    const std::uint64_t extent = page_of_row(d, row) / extent_pages;
    if (extent >= directory_fan * directory_fan) return errc::damaged;
    if (d.root_page == 0) d.root_page = PERDURE_TRY(take_pages(1));
    auto& leaf = where_->at<std::uint32_t>(where_->page_at(d.root_page))[extent / directory_fan];
    if (leaf == 0) leaf = PERDURE_TRY(take_pages(1));
    auto& first = where_->at<std::uint32_t>(where_->page_at(leaf))[extent % directory_fan];
    if (first == 0) first = PERDURE_TRY(take_pages(extent_pages));
    return {};
}

result<> loader::put_schema(std::uint32_t table, const schema_row& row) noexcept {
    if (table == schemas_table || table >= table_count) return errc::damaged;
    const auto& known = where_->descriptor(table);
    if (table == 0 || (known.rows_per_page != 0 && known.row_bytes != row.row_bytes)) {
        return errc::damaged;  // What is live never changes its length.
    }
    std::memcpy(where_->at<std::byte>(locate(*where_, schemas_table, table)), &row, sizeof row);
    return adopt_schema(table);
}

result<> loader::make_room(std::uint32_t table, std::uint64_t from, std::uint64_t to) noexcept {
    if (table <= schemas_table || table >= table_count || from >= to || to > 1ULL << 48) {
        return errc::damaged;
    }
    const auto& d = where_->descriptor(table);
    if (d.rows_per_page == 0 || (d.flags & derived) != 0) return errc::damaged;
    const std::uint64_t rows = std::uint64_t{extent_pages} * d.rows_per_page;
    for (std::uint64_t row = from / rows * rows; row < to; row += rows) {
        PERDURE_TRY(ensure_row(table, row));
    }
    high_[table] = std::max(high_[table], to);
    return {};
}

void loader::put_row(std::uint32_t table, std::uint64_t row, const std::byte* image) noexcept {
    const auto& d = where_->descriptor(table);
    auto* place = where_->at<std::byte>(locate(*where_, table, row));
    row_header header;
    std::memcpy(&header, image, sizeof header);
    if (header.live == 1) {
        std::memcpy(place, image, d.row_bytes);
        return;
    }
    std::memset(place, 0, d.row_bytes);  // An older checkpoint of the chain may have had it live.
    std::memcpy(place, &header, sizeof header);
}

void loader::put_slice(std::uint32_t table, std::uint64_t page, std::uint64_t lsn) {
    auto& pages = shown_[table];
    if (page >= pages.size()) pages.resize(page + 1, 0);
    pages[page] = lsn;
}

bool loader::is_shown(std::uint32_t table, std::uint64_t row, std::uint64_t lsn) const noexcept {
    const auto& pages = shown_[table];
    if (pages.empty() || planted(bug::slice_replayed)) return false;
    const std::uint64_t page = page_of_row(where_->descriptor(table), row);
    return page < pages.size() && lsn <= pages[page];
}

/// What replay changes no checkpoint holds.
void loader::mark_dirty(std::uint64_t at) noexcept {
    const std::uint64_t page = (at - where_->geometry().pages_at) / page_bytes;
    const auto epoch = state_of(where_->header().capture.state).epoch;
    where_->dirty_word(epoch % 2, page) |= 1ULL << (page % 64);
}

result<> loader::adopt_schema(std::uint64_t table) noexcept {
    const auto& row = *where_->at<schema_row>(locate(*where_, schemas_table, table));
    if (row.header.live != 1) return {};
    const bool sound = row.row_bytes >= 24 && row.row_bytes <= page_bytes &&
                       row.row_bytes % 8 == 0 && row.index < table_count &&
                       row.overflow < table_count &&
                       (row.key_at == 0 || row.key_at + 16 <= row.row_bytes);
    if (!sound) return errc::damaged;
    auto& d = where_->descriptor(static_cast<std::uint32_t>(table));
    if (d.rows_per_page != 0) return {};
    lay_descriptor(d, row.row_bytes, row.flags, row.key_at);
    d.index = row.index;
    d.overflow = row.overflow;
    return {};
}

result<> loader::apply_change(const std::byte*& at, const std::byte* end,
                              std::uint64_t lsn) noexcept {
    change_header change;
    if (!take(at, end, change)) return errc::damaged;
    if (change.table == 0 || change.table >= table_count || change.mask == 0 ||
        (change.first_word == 0 && (change.mask & 1) != 0)) {
        return errc::damaged;
    }
    auto& d = where_->descriptor(change.table);
    const std::uint32_t words = d.row_bytes / 8;
    const auto top = static_cast<std::uint32_t>(std::bit_width(change.mask));
    if (d.rows_per_page == 0 || change.first_word + top > words || (d.flags & derived) != 0) {
        return errc::damaged;
    }
    if (is_shown(change.table, change.row, lsn)) {
        at += std::popcount(change.mask) * sizeof(std::uint64_t);
        return at <= end ? result<>() : errc::damaged;
    }
    PERDURE_TRY(ensure_row(change.table, change.row));
    const std::uint64_t place = locate(*where_, change.table, change.row);
    auto* row = where_->at<std::uint64_t>(place);
    mark_dirty(place);
    // A wide row takes several changes of one record; the first has set its LSN already.
    if (row[0] != change.lsn_before && row[0] != lsn) return errc::damaged;
    row[0] = lsn;
    for (std::uint32_t mask = change.mask; mask != 0; mask &= mask - 1) {
        std::uint64_t difference = 0;
        if (!take(at, end, difference)) return errc::damaged;
        row[change.first_word + static_cast<std::uint32_t>(std::countr_zero(mask))] += difference;
    }
    high_[change.table] = std::max(high_[change.table], change.row + 1);
    if (change.table == schemas_table) schemas_touched_.push_back(change.row);
    return {};
}

result<> loader::apply(std::span<const std::byte> record) noexcept {
    const auto* at = record.data();
    const auto* end = at + record.size();
    record_header header;
    if (!take(at, end, header) || header.bytes != record.size()) return errc::damaged;
    if (header.lsn != last_lsn_ + 1) return errc::damaged;
    const auto state = static_cast<record_state>(header.state);
    if (state == record_state::padding) {
        last_lsn_ = header.lsn;
        return {};
    }
    transaction_header front;
    if (state != record_state::committed || !take(at, end, front) ||
        front.crc != record_crc(record)) {
        return errc::damaged;
    }
    if ((front.flags & keyed) != 0) at += sizeof(transaction_key);
    for (std::uint32_t i = 0; i < front.events; ++i) {
        event_header event;
        if (!take(at, end, event) || event.bytes < sizeof event || event.bytes % 8 != 0 ||
            event.bytes - sizeof event > static_cast<std::size_t>(end - at)) {
            return errc::damaged;
        }
        at += event.bytes - sizeof event;
    }
    for (std::uint32_t i = 0; i < front.changes; ++i) {
        PERDURE_TRY(apply_change(at, end, header.lsn));
    }
    for (const auto table : schemas_touched_) PERDURE_TRY(adopt_schema(table));
    schemas_touched_.clear();
    last_lsn_ = header.lsn;
    ++transactions_;
    return {};
}

result<> loader::link_free_rows(std::uint32_t table) noexcept {
    auto& d = where_->descriptor(table);
    d.row_high = high_[table];
    d.free_head = 0;
    // Downwards, so that the lowest numbers are taken first.
    for (std::uint64_t row = high_[table]; row-- > 0;) {
        PERDURE_TRY(ensure_row(table, row));  // A range that was given out and never used.
        auto& freed = *where_->at<freed_row>(locate(*where_, table, row));
        if (freed.header.live != 0) continue;
        freed.free_link = d.free_head;
        d.free_head = row + 1;
    }
    return {};
}

result<> loader::lay_buckets(std::uint32_t buckets, std::uint64_t count) noexcept {
    const auto bits = static_cast<std::uint32_t>(std::bit_width(count - 1));
    const std::uint64_t half = bits == 0 ? 0 : 1ULL << (bits - 1);
    for (std::uint64_t number = 0; number < count; ++number) {
        PERDURE_TRY(ensure_row(buckets, number));
        const bool is_split = bits != 0 && (number >= half || number + half < count);
        auto& line = *where_->at<bucket>(locate(*where_, buckets, number));
        line = {};
        line.level = bits == 0 ? 0 : (is_split ? bits : bits - 1);
    }
    where_->descriptor(buckets).row_high = count;
    return {};
}

result<> loader::build_index(std::uint32_t table) noexcept {
    const auto index = where_->descriptor(table).index;
    const auto overflow = where_->descriptor(index).overflow;
    const std::uint64_t rows = high_[table];
    PERDURE_TRY(lay_buckets(index, rows * 10 / rows_in_ten_buckets + 1));
    std::uint64_t overflow_rows = 0;
    for (std::uint64_t row = 0; row < rows; ++row) {
        const std::uint64_t at = locate(*where_, table, row);
        if (at == 0 || where_->at<row_header>(at)->live != 1) continue;
        // Space for one more overflow bucket, should this key need it.
        PERDURE_TRY(ensure_row(overflow, overflow_rows));
        const auto entered = load_key(*where_, table, row, overflow_rows);
        if (!entered) return entered.error() == errc::exists ? errc::damaged : entered.error();
    }
    where_->descriptor(overflow).row_high = overflow_rows;
    return {};
}

result<> loader::build_trees(std::uint32_t table) {
    const auto shape = shape_of(*where_->at<schema_row>(locate(*where_, schemas_table, table)));
    for (const auto& index : shape.indexes) {
        if (index.nodes == 0 || index.words > key_words_max) return errc::damaged;
        std::vector<index_key> keys;
        for (std::uint64_t row = 0; row < high_[table]; ++row) {
            const std::uint64_t at = locate(*where_, table, row);
            if (at == 0 || where_->at<row_header>(at)->live != 1) continue;
            keys.push_back(key_of_row(index, where_->at<std::byte>(at), row));
        }
        std::sort(keys.begin(), keys.end(), [](const index_key& left, const index_key& right) {
            return left.words < right.words;
        });
        const auto place = [&](std::uint64_t number) -> result<tree_node*> {
            PERDURE_TRY(ensure_row(index.nodes, number));
            return where_->at<tree_node>(locate(*where_, index.nodes, number));
        };
        where_->descriptor(index.nodes).row_high = PERDURE_TRY(load_tree(index.words, keys, place));
    }
    return {};
}

result<> loader::finish(const spreading& on) noexcept {
    std::vector<std::uint32_t> tables;
    for (std::uint32_t table = schemas_table; table < table_count; ++table) {
        const auto& d = where_->descriptor(table);
        if (d.rows_per_page != 0 && (d.flags & derived) == 0) tables.push_back(table);
    }
    // Rows first, in both halves: an index never meets a row number without a page.
    std::vector<result<>> answers(2 * tables.size());
    on(tables.size(), [&](std::size_t i) {
        if (tables[i] != schemas_table) answers[2 * i] = link_free_rows(tables[i]);
    });
    on(answers.size(), [&](std::size_t i) {
        const auto table = tables[i / 2];
        if (!answers[i - i % 2] || table == schemas_table) return;
        if (i % 2 == 1) {
            answers[i] = build_trees(table);
        } else if (where_->descriptor(table).index != 0) {
            answers[i] = build_index(table);
        }
    });
    for (const auto& each : answers) PERDURE_TRY(each);
    auto& first = ring_header(*where_, 0);
    first.lsn = last_lsn_ + 1;
    where_->header().durable.lsn = last_lsn_;
    return {};
}

}  // namespace perdure::shm

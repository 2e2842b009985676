// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <cstring>
#include <perdure/shm/capture_state.hpp>
#include <perdure/shm/crash_point.hpp>
#include <perdure/shm/crc32c.hpp>
#include <perdure/shm/extent.hpp>
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

/// Goes on to the changes; false where key and events do not fit.
bool skip_events(const std::byte*& at, const std::byte* end,
                 const transaction_header& front) noexcept {
    const std::ptrdiff_t key_bytes = (front.flags & keyed) != 0 ? sizeof(transaction_key) : 0;
    if (end - at < key_bytes) return false;
    at += key_bytes;
    for (std::uint32_t i = 0; i < front.events; ++i) {
        event_header event;
        if (!take(at, end, event) || event.bytes < sizeof event || event.bytes % 8 != 0 ||
            event.bytes - sizeof event > static_cast<std::size_t>(end - at)) {
            return false;
        }
        at += event.bytes - sizeof event;
    }
    return true;
}

constexpr std::uint64_t rows_per_stretch = 1ULL << 15;

/// Free rows of neighbouring rows, linked: the first and the last of them, 0 = none.
struct free_stretch {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
};

free_stretch link_stretch(const region& where, std::uint32_t table, std::uint64_t from,
                          std::uint64_t to) noexcept {
    free_stretch out;
    freed_row* before = nullptr;
    each_row(where, table, from, to, [&](std::uint64_t row, std::uint64_t at) {
        auto& freed = *where.at<freed_row>(at);
        if (freed.header.live != 0) return;
        freed.free_link = 0;
        if (before != nullptr) before->free_link = row + 1;
        if (before == nullptr) out.first = row + 1;
        before = &freed;
        out.last = row + 1;
    });
    return out;
}

}  // namespace

loader::loader(region& where)
    : where_(&where), places_(where), high_(table_count, 0), shown_(table_count) {
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
    if (d.root_page == 0) put(d.root_page, PERDURE_TRY(take_pages(1)));
    auto& leaf = where_->at<std::uint32_t>(where_->page_at(d.root_page))[extent / directory_fan];
    if (leaf == 0) put(leaf, PERDURE_TRY(take_pages(1)));
    auto& first = where_->at<std::uint32_t>(where_->page_at(leaf))[extent % directory_fan];
    // Others may be reading the directory: an index is filled by several threads.
    if (first == 0) put(first, PERDURE_TRY(take_pages(extent_pages)));
    return {};
}

result<> loader::ensure_rows(std::uint32_t table, std::uint64_t from, std::uint64_t to) noexcept {
    const std::uint64_t rows =
        std::uint64_t{extent_pages} * where_->descriptor(table).rows_per_page;
    for (std::uint64_t row = from / rows * rows; row < to; row += rows) {
        PERDURE_TRY(ensure_row(table, row));
    }
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
    PERDURE_TRY(ensure_rows(table, from, to));
    high_[table] = std::max(high_[table], to);
    return {};
}

void loader::put_rows(std::uint32_t table, std::span<const std::uint64_t> rows,
                      const std::byte* images) noexcept {
    const auto& d = where_->descriptor(table);
    std::uint64_t end = 0;    // Of the rows on the page at hand,
    std::uint64_t front = 0;  // and where row 0 would be if all rows lay like them.
    for (const auto row : rows) {
        if (row >= end) {
            end = (page_of_row(d, row) + 1) * d.rows_per_page;
            front = locate(*where_, table, row) - row * d.row_bytes;
        }
        auto* place = where_->at<std::byte>(front + row * d.row_bytes);
        row_header header;
        std::memcpy(&header, images, sizeof header);
        if (header.live == 1) {
            std::memcpy(place, images, d.row_bytes);
        } else {  // An older checkpoint of the chain may have had it live.
            std::memset(place, 0, d.row_bytes);
            std::memcpy(place, &header, sizeof header);
        }
        images += d.row_bytes;
    }
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
    const bool sound =
        row.row_bytes >= 24 && row.row_bytes <= page_bytes && row.row_bytes % 8 == 0 &&
        row.index < table_count && row.overflow < table_count && row.heap < table_count &&
        (row.key_at == 0 || (row.key_at <= row.row_bytes && row.row_bytes - row.key_at >= 16));
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
        (change.table == schemas_table && change.row >= table_count) ||
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
    std::uint64_t place = places_.locate(change.table, change.row);
    if (place == 0) {
        PERDURE_TRY(ensure_row(change.table, change.row));
        place = places_.locate(change.table, change.row);
    }
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

void loader::foresee(std::span<const std::byte> record) noexcept {
    const auto* at = record.data();
    const auto* end = at + record.size();
    record_header header;
    transaction_header front;
    const bool is_read = take(at, end, header) && take(at, end, front) &&
                         static_cast<record_state>(header.state) == record_state::committed &&
                         skip_events(at, end, front);
    for (std::uint32_t i = 0; is_read && i < front.changes; ++i) {
        change_header change;
        if (!take(at, end, change) || change.table >= table_count) return;
        const auto differences = static_cast<std::ptrdiff_t>(std::popcount(change.mask)) * 8;
        if (end - at < differences) return;
        at += differences;
        if (where_->descriptor(change.table).rows_per_page == 0) continue;
        const std::uint64_t place = places_.locate(change.table, change.row);
        if (place == 0) continue;
        const auto* row = where_->at<std::uint64_t>(place);
        __builtin_prefetch(row, 1);
        __builtin_prefetch(row + change.first_word + std::countr_zero(change.mask | 1U << 31), 1);
    }
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
    if (!skip_events(at, end, front)) return errc::damaged;
    is_whole_ = false;
    for (std::uint32_t i = 0; i < front.changes; ++i) {
        PERDURE_TRY(apply_change(at, end, header.lsn));
    }
    is_whole_ = true;
    for (const auto table : schemas_touched_) PERDURE_TRY(adopt_schema(table));
    schemas_touched_.clear();
    last_lsn_ = header.lsn;
    ++transactions_;
    return {};
}

result<> loader::link_free_rows(std::uint32_t table, const spreading& on) {
    const std::uint64_t high = high_[table];
    PERDURE_TRY(ensure_rows(table, 0, high));  // Ranges that were given out and never used.
    std::vector<free_stretch> all((high + rows_per_stretch - 1) / rows_per_stretch);
    on(all.size(), [&](std::size_t i) {
        const std::uint64_t from = i * rows_per_stretch;
        all[i] = link_stretch(*where_, table, from, std::min(high, from + rows_per_stretch));
    });
    // Downwards, so that the lowest numbers are taken first.
    std::uint64_t head = 0;
    for (auto each = all.rbegin(); each != all.rend(); ++each) {
        if (each->first == 0) continue;
        where_->at<freed_row>(locate(*where_, table, each->last - 1))->free_link = head;
        head = each->first;
    }
    auto& d = where_->descriptor(table);
    d.row_high = high;
    d.free_head = head;
    return {};
}

result<> loader::build_trees(std::uint32_t table) {
    const auto shape = shape_of(*where_->at<schema_row>(locate(*where_, schemas_table, table)));
    for (const auto& index : shape.indexes) {
        if (index.words > key_words_max) return errc::damaged;
        std::vector<index_key> keys;
        each_row(*where_, table, 0, high_[table], [&](std::uint64_t row, std::uint64_t at) {
            if (where_->at<row_header>(at)->live != 1) return;
            keys.push_back(key_of_row(index, where_->at<std::byte>(at), row));
        });
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

void loader::look_for_tables() {
    for (std::uint32_t table = schemas_table + 1; table < table_count; ++table) {
        const auto& d = where_->descriptor(table);
        if (d.rows_per_page == 0 || (d.flags & derived) != 0) continue;
        tables_.push_back({table, high_[table], 0});
    }
}

/// What a schema names beside itself are tables of its own, of the kind they must be.
result<> loader::check_links() const {
    std::vector<bool> taken(table_count, false);
    const auto take = [&](std::uint32_t table, std::uint32_t row_bytes, table_flag kind) {
        if (table <= schemas_table || table >= table_count || taken[table]) return false;
        taken[table] = true;
        const auto& d = where_->descriptor(table);
        const bool is_kind = (d.flags & (derived | heap)) == static_cast<std::uint32_t>(kind);
        return d.rows_per_page != 0 && is_kind && d.row_bytes == row_bytes;
    };
    for (const auto& each : tables_) {
        const auto& d = where_->descriptor(each.number);
        const auto& row = *where_->at<schema_row>(locate(*where_, schemas_table, each.number));
        const auto shape = from_row(row);
        if (!shape || shape->row_bytes != d.row_bytes) return errc::damaged;
        const bool is_found_by_key =
            d.index == 0 || (d.key_at != 0 && take(d.index, sizeof(bucket), derived) &&
                             take(where_->descriptor(d.index).overflow, sizeof(bucket), derived));
        const bool has_chunks = row.heap == 0 || take(row.heap, sizeof(blob_chunk), heap);
        if (!is_found_by_key || !has_chunks) return errc::damaged;
        for (const auto& index : shape_of(row).indexes) {
            if (!take(index.nodes, sizeof(tree_node), derived)) return errc::damaged;
        }
    }
    return {};
}

result<> loader::finish(const spreading& on) {
    look_for_tables();
    PERDURE_TRY(check_links());
    const row_placer place = [this](std::uint32_t table, std::uint64_t from, std::uint64_t to) {
        return ensure_rows(table, from, to);
    };
    std::vector<result<>> answers(tables_.size());
    on(tables_.size(), [&](std::size_t i) {
        auto& [table, rows, ns] = tables_[i];
        const std::uint64_t begun = where_->waits().now_ns();
        // Rows first: an index never meets a row number without a page.
        auto& answer = answers[i] = link_free_rows(table, on);
        if (answer && where_->descriptor(table).index != 0) {
            answer = load_index(*where_, table, rows, place, on);
        }
        if (answer) answer = build_trees(table);
        ns = where_->waits().now_ns() - begun;
    });
    for (const auto& each : answers) PERDURE_TRY(each);
    auto& first = ring_header(*where_, 0);
    first.lsn = last_lsn_ + 1;
    where_->header().durable.lsn = last_lsn_;
    return {};
}

}  // namespace perdure::shm

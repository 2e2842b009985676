// SPDX-License-Identifier: Apache-2.0
//
// The primary index of a table: 16-byte key -> row, linear hashing, one cache line a bucket.
//
// Promise     A key stands in it once. The table of buckets grows one bucket at a time.
// Death       Every change goes through the transaction's door, a split included.
// Threads     As transaction.hpp says; find() runs beside writers.
// Invariants  H1 an entry's row is live and has the key, except under the stripe of who is changing
//             it.
//             H2 bucket b of level L holds exactly the keys whose hash ends in b's L bits; a reader
//             that
//                came by an old bucket count sees the level and looks again.
// Format      region_format.hpp (bucket), docs/formats/region.md#buckets
#pragma once

#include <perdure/shm/table.hpp>

namespace perdure::shm {

/// A table's primary key.
using row_key = transaction_key;

constexpr std::uint64_t hash_of(const row_key& key) noexcept {
    const auto mixed = static_cast<unsigned __int128>(key.high ^ 0x8ebc6af09c88c6e3ULL) *
                       (key.low ^ 0x589965cc75374cc3ULL);
    const std::uint64_t folded =
        static_cast<std::uint64_t>(mixed) ^ static_cast<std::uint64_t>(mixed >> 64);
    return (folded ^ (folded >> 32)) * 0x9e3779b97f4a7c15ULL ^ (key.high + key.low);
}

/// What find() and get_key() read through: a transaction or a view.
template <class T>
concept row_source = requires(T& source, std::uint64_t at, std::uint32_t n, void* out) {
    { source.get_words(at, n, n, out) } -> std::same_as<result<>>;
    { source.where() } -> std::same_as<region&>;
    { source.locate(n, at) } -> std::same_as<std::uint64_t>;
};

/// Consistent optimistic reads outside a transaction; session.hpp and world.read() make them.
class view {
  public:
    explicit view(region& where) : where_(&where), reads_(where, 0), directory_(where) {}
    result<> get_words(std::uint64_t at, std::uint32_t bytes, std::uint32_t stripe,
                       void* out) noexcept {
        return reads_.copy(at, bytes, stripe, out);
    }
    /// Errors: not_found, unknown_table, conflict (run again).
    template <mapped Row>
    result<Row> get(std::uint32_t table, std::uint64_t row) noexcept {
        const std::uint64_t at = locate(table, row);
        if (at == 0 || peek(where_->descriptor(table).row_bytes) != sizeof(Row)) {
            return errc::not_found;
        }
        Row copy;
        PERDURE_TRY(get_words(at, sizeof copy, stripe_of(table, row), &copy));
        return copy;
    }
    /// As shm::locate().
    std::uint64_t locate(std::uint32_t table, std::uint64_t row) noexcept {
        return directory_.locate(table, row);
    }
    [[nodiscard]] region& where() const noexcept { return *where_; }
    [[nodiscard]] bool is_fresh() const noexcept { return reads_.validate(); }
    void clear() noexcept { reads_.clear(); }

  private:
    region* where_;
    reads reads_;
    directory directory_;
};

/// Row of the live entry with that key; an absent key is noted, so that a commit notices when it
/// comes. Errors: not_found, unknown_table, conflict.
template <row_source Source>
result<std::uint64_t> find_row(Source& source, std::uint32_t table, const row_key& key) noexcept;

/// A copy of the row with that key. Errors: as find_row.
template <mapped Row, row_source Source>
result<Row> get_key(Source& source, std::uint32_t table, const row_key& key) noexcept {
    for (int turn = 0; turn < 8; ++turn) {
        const std::uint64_t row = PERDURE_TRY(find_row(source, table, key));
        const std::uint64_t at = source.locate(table, row);
        if (at == 0 || peek(source.where().descriptor(table).row_bytes) != sizeof(Row)) {
            return errc::schema_mismatch;
        }
        Row copy;
        PERDURE_TRY(source.get_words(at, sizeof copy, stripe_of(table, row), &copy));
        // Freed between the two looks, perhaps taken for another key.
        if (copy.header.live == 1 && copy.key == key) return copy;
    }
    return errc::conflict;
}

/// The row behind an id that another row holds. Errors: stale_row when it was freed since, as
/// get_words.
template <mapped Row, row_source Source>
result<Row> get_row(Source& source, std::uint32_t table, row_id id) noexcept {
    const std::uint64_t at = source.locate(table, id.row());
    if (at == 0) return errc::stale_row;
    if (peek(source.where().descriptor(table).row_bytes) != sizeof(Row)) {
        return errc::schema_mismatch;
    }
    Row copy;
    PERDURE_TRY(source.get_words(at, sizeof copy, stripe_of(table, id.row()), &copy));
    if (copy.header.live != 1 || copy.header.generation != id.generation()) return errc::stale_row;
    return copy;
}

/// Fetches the memory of the rows with those keys, all at once; what is looked at next is there.
template <row_source Source>
void fetch_keys(Source& source, std::uint32_t table, std::span<const row_key> keys) noexcept;

/// Copies of the rows with those keys, in the keys' order, consistent as everything the source
/// reads. Errors: not_found when any is missing, as get_key. Requires: rows.size() == keys.size().
template <mapped Row, row_source Source>
result<> get_keys(Source& source, std::uint32_t table, std::span<const row_key> keys,
                  std::span<Row> rows) noexcept {
    PERDURE_ASSERT(rows.size() == keys.size());
    constexpr std::size_t together = 16;  // As many misses as a core has under way at a time.
    for (std::size_t i = 0; i < keys.size(); ++i) {
        if (i % together == 0) {
            fetch_keys(source, table, keys.subspan(i, std::min(together, keys.size() - i)));
        }
        rows[i] = PERDURE_TRY(get_key<Row>(source, table, keys[i]));
    }
    return {};
}

/// Rows that edit_keys() is to leave alone, because many only read them: those that have one of
/// `bits` set in their u32 at `offset`. Without bits there are none.
struct row_exception {
    std::uint32_t offset = 0;
    std::uint32_t bits = 0;
};

/// Private copies of the rows with those keys, in the keys' order: their memory is fetched in one
/// go. An excepted row is not locked and its copy is nullptr; that is a hint, taken beside writers:
/// the caller looks again. Errors: not_found when any is missing, as transaction::edit.
result<> edit_keys(transaction& tx, std::uint32_t table, std::span<const row_key> keys,
                   std::span<std::byte*> copies, row_exception except = {}) noexcept;

inline constexpr std::size_t edit_keys_max = 16;

template <mapped Row>
result<Row*> edit_key(transaction& tx, std::uint32_t table, const row_key& key) noexcept {
    std::byte* copy = nullptr;
    PERDURE_TRY(edit_keys(tx, table, {&key, 1}, {&copy, 1}));
    return reinterpret_cast<Row*>(copy);
}

/// Takes a row, writes the key into it and enters it. Errors: exists, as take_row.
result<taken_row> insert_key(transaction& tx, std::uint32_t table, const row_key& key) noexcept;

/// Takes the key out of the index and frees its row. Errors: not_found, as free_row.
result<> erase_key(transaction& tx, std::uint32_t table, const row_key& key) noexcept;

/// Enters a row that is there already: what recovery does after it has loaded the rows.
result<> enter_key(transaction& tx, std::uint32_t table, const row_key& key,
                   std::uint64_t row) noexcept;

/// True while the table has more rows than its buckets should hold.
bool wants_split(const region& where, std::uint32_t table) noexcept;

/// One step of growth, a transaction of its own: a few buckets are divided together. Errors: as
/// add_pages, transaction_too_large.
result<> split_buckets(transaction& tx, std::uint32_t table) noexcept;

}  // namespace perdure::shm

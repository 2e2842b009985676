// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <perdure/shm/bucket.hpp>
#include <perdure/shm/bucket_chain.hpp>
#include <perdure/shm/hash_index.hpp>

namespace perdure::shm {
namespace {

/// The key in a row at `at`, read beside writers: a hint unless the row is known to stand still.
bool has_key(const region& where, std::uint32_t table, std::uint64_t at,
             const row_key& key) noexcept {
    if (at == 0) return false;
    const auto* place = where.at<std::uint64_t>(at + peek(where.descriptor(table).key_at));
    return peek(place[0]) == key.high && peek(place[1]) == key.low;
}

/// The same with this transaction's own, unwritten rows; nobody else has any.
template <class Source>
bool has_key_for(Source& source, std::uint32_t table, std::uint64_t row, const row_key& key) {
    const std::uint64_t at = source.locate(table, row);
    if constexpr (std::same_as<Source, transaction>) {
        const auto* copy = at == 0 ? nullptr : source.edited(at);
        if (copy != nullptr) {
            const auto key_at = peek(source.where().descriptor(table).key_at);
            return std::memcmp(copy + key_at, &key, sizeof key) == 0;
        }
    }
    return has_key(source.where(), table, at, key);
}

template <class Source>
std::uint64_t match_for(Source& source, std::uint32_t table, const bucket& in, std::uint64_t hash,
                        const row_key& key) noexcept {
    return match(in, hash, [&](std::uint64_t row) { return has_key_for(source, table, row, key); });
}

/// The chain responsible for `hash`; the count is looked at again until its level agrees.
result<> edit_chain_of(transaction& tx, index_tables tables, std::uint64_t hash,
                       chain& out) noexcept {
    for (int turn = 0; turn < 64; ++turn) {
        const auto count = peek(tx.where().descriptor(tables.buckets).row_high);
        if (count == 0) return errc::garbled;
        const std::uint64_t number = bucket_of(hash, count);
        PERDURE_TRY(edit_chain(tx, tables, number, out));
        if (is_responsible(*out.links[0], number, hash)) return {};
    }
    return errc::conflict;
}

/// Careful search under stripe versions: what a negative answer rests on.
template <row_source Source>
result<std::uint64_t> find_slowly(Source& source, index_tables tables, std::uint32_t table,
                                  const row_key& key, std::uint64_t hash) noexcept {
    auto& where = source.where();
    for (int turn = 0; turn < 64; ++turn) {
        const auto count = load(where.descriptor(tables.buckets).row_high);
        if (count == 0) return errc::garbled;
        const std::uint64_t number = bucket_of(hash, count);
        const std::uint32_t stripe = stripe_of(tables.buckets, number);
        std::uint64_t at = source.locate(tables.buckets, number);
        bool responsible = true;
        for (int links = 0; at != 0 && links < chain_max; ++links) {
            bucket link;
            PERDURE_TRY(source.get_words(at, sizeof link, stripe, &link));
            if (links == 0 && !is_responsible(link, number, hash)) {
                responsible = false;
                break;
            }
            const std::uint64_t row = match_for(source, table, link, hash, key);
            if (row != ~0ULL) return row;
            at = link.overflow == 0 ? 0 : source.locate(tables.overflow, link.overflow - 1);
        }
        if (responsible) return errc::not_found;
    }
    return errc::conflict;
}

}  // namespace

template <row_source Source>
result<std::uint64_t> find_row(Source& source, std::uint32_t table, const row_key& key) noexcept {
    auto& where = source.where();
    const auto tables = PERDURE_TRY(tables_of(where, table));
    const std::uint64_t hash = hash_of(key);
    const auto count = peek(where.descriptor(tables.buckets).row_high);
    if (count == 0) return errc::garbled;
    // A hit needs no version: whoever goes on to the row checks the key there, under its stripe.
    std::uint64_t at = source.locate(tables.buckets, bucket_of(hash, count));
    // A bucket that this transaction has edited is not the one in the region.
    if constexpr (std::same_as<Source, transaction>) {
        if (at != 0 && source.edited(at) != nullptr) at = 0;
    }
    for (int links = 0; at != 0 && links < chain_max; ++links) {
        const auto& link = *where.template at<bucket>(at);
        const std::uint64_t row = match_for(source, table, link, hash, key);
        if (row != ~0ULL) return row;
        const std::uint32_t next = peek(link.overflow);
        at = next == 0 ? 0 : source.locate(tables.overflow, next - 1);
    }
    return find_slowly(source, tables, table, key, hash);
}

template result<std::uint64_t> find_row(transaction&, std::uint32_t, const row_key&) noexcept;
template result<std::uint64_t> find_row(view&, std::uint32_t, const row_key&) noexcept;

template <row_source Source>
void fetch_keys(Source& source, std::uint32_t table, std::span<const row_key> keys) noexcept {
    auto& where = source.where();
    const auto tables = tables_of(where, table);
    if (!tables) return;
    const auto count = peek(where.descriptor(tables->buckets).row_high);
    if (count == 0) return;
    const auto line_of = [&](const row_key& key) {
        return source.locate(tables->buckets, bucket_of(hash_of(key), count));
    };
    for (const auto& key : keys) __builtin_prefetch(where.template at<std::byte>(line_of(key)));
    for (const auto& key : keys) {
        const std::uint64_t line = line_of(key);
        if (line == 0) continue;
        const auto row = first_with_tag(*where.template at<bucket>(line), hash_of(key));
        if (row == ~0ULL) continue;
        __builtin_prefetch(where.template at<std::byte>(source.locate(table, row)));
        __builtin_prefetch(&where.stripe(stripe_of(table, row)));
    }
}

template void fetch_keys(transaction&, std::uint32_t, std::span<const row_key>) noexcept;
template void fetch_keys(view&, std::uint32_t, std::span<const row_key>) noexcept;

result<> edit_keys(transaction& tx, std::uint32_t table, std::span<const row_key> keys,
                   std::span<std::byte*> copies, row_exception except) noexcept {
    auto& where = tx.where();
    if (keys.size() > edit_keys_max || copies.size() < keys.size()) {
        return errc::transaction_too_large;
    }
    const auto* shape = PERDURE_TRY(tx.shape(table));
    if (shape->index == 0) return errc::unknown_table;
    const auto count = peek(where.descriptor(shape->index).row_high);
    if (count == 0) return errc::garbled;
    struct sought {
        std::uint64_t hash;
        const bucket* line;
        std::uint64_t row;
        std::uint64_t at;  // 0: not in its first bucket.
    };
    std::array<sought, edit_keys_max> all;
    // Three passes, so that the misses of all keys are under way together.
    for (std::size_t i = 0; i < keys.size(); ++i) {
        auto& each = all[i];
        each.hash = hash_of(keys[i]);
        const std::uint64_t at = tx.locate(shape->index, bucket_of(each.hash, count));
        each.line = at == 0 ? nullptr : where.at<bucket>(at);
        __builtin_prefetch(each.line);
    }
    for (std::size_t i = 0; i < keys.size(); ++i) {
        auto& each = all[i];
        each.row = each.line == nullptr ? ~0ULL : first_with_tag(*each.line, each.hash);
        each.at = each.row == ~0ULL ? 0 : tx.locate(table, each.row);
        __builtin_prefetch(where.at<std::byte>(each.at), 1);
        __builtin_prefetch(&where.stripe(stripe_of(table, each.row)), 1);
    }
    const auto is_excepted = [&](std::uint64_t at) {
        return except.bits != 0 &&
               (peek(*where.at<std::uint32_t>(at + except.offset)) & except.bits) != 0;
    };
    const auto is_it = [&](const std::byte* copy, const row_key& key) {
        row_key found;
        std::memcpy(&found, copy + shape->key_at, sizeof found);
        return reinterpret_cast<const row_header*>(copy)->live == 1 && found == key;
    };
    for (std::size_t i = 0; i < keys.size(); ++i) {
        const auto& each = all[i];
        copies[i] = nullptr;
        if (each.at != 0) {
            if (is_excepted(each.at)) continue;
            copies[i] = PERDURE_TRY(tx.edit_at(table, each.row, each.at, *shape));
            if (is_it(copies[i], keys[i])) continue;
        }
        // Not in the first bucket, or another key's row with the same tag (locked for nothing,
        // which happens once in ten thousand): the index is asked properly.
        const std::uint64_t row = PERDURE_TRY(find_row(tx, table, keys[i]));
        const std::uint64_t at = tx.locate(table, row);
        if (at != 0 && is_excepted(at)) continue;
        copies[i] = PERDURE_TRY(tx.edit(table, row));
        if (!is_it(copies[i], keys[i])) return tx.lost_row();
    }
    return {};
}

result<> enter_key(transaction& tx, std::uint32_t table, const row_key& key,
                   std::uint64_t row) noexcept {
    const auto tables = PERDURE_TRY(tables_of(tx.where(), table));
    const std::uint64_t hash = hash_of(key);
    chain into;
    PERDURE_TRY(edit_chain_of(tx, tables, hash, into));
    for (int i = 0; i < into.count; ++i) {
        const auto& link = *into.links[static_cast<std::size_t>(i)];
        const std::uint64_t other = match_for(tx, table, link, hash, key);
        if (other != ~0ULL && other != row) return errc::exists;
    }
    return put_entry(tx, tables, into, entry_of(hash, row));
}

namespace {

/// What the insertion of a key is going to touch, all of it under way together: the bucket, the row
/// that is next, and the words of their stripes.
void fetch_insertion(transaction& tx, std::uint32_t table, index_tables tables,
                     std::uint64_t hash) noexcept {
    const auto& where = tx.where();
    const auto count = peek(where.descriptor(tables.buckets).row_high);
    if (count == 0) return;
    const auto fetch = [&](std::uint32_t of, std::uint64_t row) {
        __builtin_prefetch(where.at<std::byte>(tx.locate(of, row)), 1);
        __builtin_prefetch(&where.stripe(stripe_of(of, row)), 1);
    };
    fetch(tables.buckets, bucket_of(hash, count));
    fetch(table, tx.self().control().fresh[table].next);
}

}  // namespace

result<taken_row> insert_key(transaction& tx, std::uint32_t table, const row_key& key) noexcept {
    const auto tables = PERDURE_TRY(tables_of(tx.where(), table));
    const std::uint64_t hash = hash_of(key);
    fetch_insertion(tx, table, tables, hash);
    chain into;
    PERDURE_TRY(edit_chain_of(tx, tables, hash, into));
    for (int i = 0; i < into.count; ++i) {
        const auto& link = *into.links[static_cast<std::size_t>(i)];
        for (const auto& entry : link.entries) {
            if (!has_tag(entry, hash)) continue;
            if (has_key_for(tx, table, row_in(entry), key)) return errc::exists;
        }
    }
    auto taken = PERDURE_TRY(take_row(tx, table));
    std::memcpy(taken.copy + peek(tx.where().descriptor(table).key_at), &key, sizeof key);
    const auto put = put_entry(tx, tables, into, entry_of(hash, taken.row));
    if (!put) return tx.spoil(put.error());  // Or the row would live without its entry.
    return taken;
}

result<> erase_key(transaction& tx, std::uint32_t table, const row_key& key) noexcept {
    const auto tables = PERDURE_TRY(tables_of(tx.where(), table));
    const std::uint64_t hash = hash_of(key);
    chain from;
    PERDURE_TRY(edit_chain_of(tx, tables, hash, from));
    for (int i = 0; i < from.count; ++i) {
        for (auto& entry : from.links[static_cast<std::size_t>(i)]->entries) {
            if (!has_tag(entry, hash)) continue;
            if (!has_key_for(tx, table, row_in(entry), key)) continue;
            PERDURE_TRY(free_row(tx, table, row_in(entry)));
            entry = 0;
            return {};
        }
    }
    return errc::not_found;
}

}  // namespace perdure::shm

// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <optional>
#include <perdure/shm/blob.hpp>
#include <perdure/shm/crash_point.hpp>

namespace perdure::shm {
namespace {

constexpr std::uint64_t direct_bytes = 64ULL << 10;
constexpr std::uint64_t undo_of_chunk = sizeof(undo_entry) + sizeof(blob_chunk) + 8;
constexpr std::uint64_t step_chunks_max = 64;

/// Chunks a transaction of our own writes or frees: half of its undo area.
std::uint64_t chunks_a_step(const region& where) noexcept {
    return std::clamp<std::uint64_t>(where.geometry().undo_bytes / 2 / undo_of_chunk, 1,
                                     step_chunks_max);
}

/// Chunks that are freed at once, beside a value that fills its half of the undo area.
std::uint64_t chunks_freed_at_once(const region& where) noexcept {
    return std::max<std::uint64_t>(2, where.geometry().undo_bytes / 8 / undo_of_chunk);
}

void fill(blob_chunk& chunk, std::span<const std::byte> value) noexcept {
    auto* payload = reinterpret_cast<std::byte*>(chunk.payload.data());
    std::copy(value.begin(), value.end(), payload);
    std::fill(payload + value.size(), payload + blob_chunk_payload, std::byte{0});  // V2
}

std::span<const std::byte> piece_of(std::span<const std::byte> value, std::uint64_t chunk) {
    const std::size_t from = std::min<std::size_t>(value.size(), chunk * blob_chunk_payload);
    return value.subspan(from, std::min<std::size_t>(value.size() - from, blob_chunk_payload));
}

/// The chunk that `link` leads to; its field's row is edited, so that a wrong one is garbled.
result<blob_chunk*> edit_chunk(transaction& tx, std::uint32_t heap, std::uint64_t link) noexcept {
    if (link == 0) return errc::garbled;
    auto* chunk = PERDURE_TRY(tx.edit<blob_chunk>(heap, link - 1));
    if (chunk->header.live != 1) return errc::garbled;
    return chunk;
}

/// A chunk that is going to be edited soon is under way meanwhile.
void fetch_chunk(transaction& tx, std::uint32_t heap, std::uint64_t row) noexcept {
    constexpr std::uint64_t line = 64;
    const std::uint64_t at = tx.locate(heap, row);
    if (at == 0) return;
    __builtin_prefetch(&tx.where().stripe(stripe_of(heap, row)), 1);
    for (std::uint64_t i = 0; i < sizeof(blob_chunk); i += line) {
        __builtin_prefetch(tx.where().at<std::byte>(at + i), 1);
    }
}

bool is_heap(const region& where, std::uint32_t table) noexcept {
    return table != 0 && table < table_count &&
           peek(where.descriptor(table).row_bytes) == sizeof(blob_chunk);
}

errc run_again(transaction& tx) noexcept { return tx.lost_row(); }
errc run_again(view&) noexcept { return errc::conflict; }

/// The chunk's bytes as `source` sees them, beside writers. False when it is no live chunk.
template <class Source>
bool copy_chunk(Source& source, std::uint32_t heap, std::uint64_t link, blob_chunk& out) noexcept {
    const std::uint64_t at = link == 0 ? 0 : source.locate(heap, link - 1);
    if (at == 0) return false;
    if constexpr (std::same_as<Source, transaction>) {
        if (const auto* own = source.edited(at); own != nullptr) {
            std::memcpy(&out, own, sizeof out);
            return out.header.live == 1;
        }
    }
    const auto& chunk = *source.where().template at<blob_chunk>(at);
    out.next = peek(chunk.next);
    copy_out(out.payload.data(), chunk.payload.data(), sizeof out.payload);
    return peek(chunk.header.live) == 1;
}

bool is_garbage(const staged_row& row) noexcept {
    return row.state == static_cast<std::uint32_t>(staged_state::garbage);
}

/// `self`: the slot of who asks, whose life needs no test; no_slot: it has none.
constexpr std::uint32_t no_slot = ~0U;
bool is_gone(region& where, std::uint32_t self, const staged_row& row) noexcept {
    if (row.slot >= where.geometry().slot_count) return true;
    const auto slot = static_cast<std::uint32_t>(row.slot);
    const auto& sitter = where.slot(slot);
    if (load(sitter.thread) != row.thread || load(sitter.joined_ns) != row.joined_ns) return true;
    return slot != self && try_repair(where, slot) == life::gone;
}

/// A staging row that can be freed. A hint, read beside writers: whoever acts on it looks again.
struct leftover {
    std::uint64_t row;
    staged_row seen;
};

staged_row peek_at(region& where, std::uint64_t at) noexcept {
    std::array<std::uint64_t, sizeof(staged_row) / 8> words;
    copy_out(words.data(), where.at<std::byte>(at), sizeof words);
    staged_row row;
    std::memcpy(&row, words.data(), sizeof row);
    return row;
}

std::optional<leftover> find_leftover(region& where, std::uint32_t table,
                                      std::uint32_t self) noexcept {
    const std::uint64_t end = peek(where.descriptor(table).row_high);
    for (std::uint64_t row = 0; row < end; ++row) {
        const std::uint64_t at = locate(where, table, row);
        if (at == 0 || peek(where.at<staged_row>(at)->header.live) != 1) continue;
        const auto seen = peek_at(where, at);
        if (is_garbage(seen) || is_gone(where, self, seen)) return leftover{row, seen};
    }
    return {};
}

}  // namespace

std::uint64_t blob_direct_max(const region& where) noexcept {
    return std::min({direct_bytes, where.geometry().undo_bytes / 2, record_bytes_max(where) / 2});
}

result<std::uint32_t> heap_of(region& where, std::uint32_t table) noexcept {
    const std::uint64_t at = locate(where, schemas_table, table);
    if (at == 0) return errc::unknown_table;
    schema_row row;
    reads once(where, 0);
    PERDURE_TRY(once.copy(at, sizeof row, stripe_of(schemas_table, table), &row));
    if (row.header.live != 1) return errc::unknown_table;
    if (row.heap == 0) return errc::not_found;
    if (!is_heap(where, row.heap)) return errc::garbled;
    return row.heap;
}

template <row_source Source>
result<> get_blob(Source& source, std::uint32_t heap, const blob_ref& ref,
                  std::span<std::byte> out) noexcept {
    PERDURE_ASSERT(out.size() == ref.bytes);
    std::uint64_t link = is_heap(source.where(), heap) ? ref.first : 0;
    std::size_t copied = 0;
    blob_chunk chunk;
    // Bounded by the value's length, whatever the chain looks like.
    while (copied < out.size() && copy_chunk(source, heap, link, chunk)) {
        const auto count = std::min<std::size_t>(out.size() - copied, blob_chunk_payload);
        std::memcpy(out.data() + copied, chunk.payload.data(), count);
        copied += count;
        link = chunk.next;
    }
    std::atomic_thread_fence(std::memory_order_acquire);  // The copies end before the look (V3).
    if (!source.is_fresh()) return run_again(source);
    if (copied < out.size() || link != 0) return errc::garbled;
    return {};
}

template result<> get_blob(transaction&, std::uint32_t, const blob_ref&,
                           std::span<std::byte>) noexcept;
template result<> get_blob(view&, std::uint32_t, const blob_ref&, std::span<std::byte>) noexcept;

schema staged_schema() {
    schema made;
    made.name = "staged_blobs";
    made.row_bytes = sizeof(staged_row);
    made.flags = transient;
    made.fields = {
        {"heap", field_type::u32, offsetof(staged_row, heap), 4, 0, 0},
        {"state", field_type::u32, offsetof(staged_row, state), 4, 0, 0},
        {"first", field_type::u64, offsetof(staged_row, first), 8, 0, 0},
        {"chunks", field_type::u64, offsetof(staged_row, chunks), 8, 0, 0},
        {"slot", field_type::u64, offsetof(staged_row, slot), 8, 0, 0},
        {"thread", field_type::u64, offsetof(staged_row, thread), 8, 0, 0},
        {"joined_ns", field_type::u64, offsetof(staged_row, joined_ns), 8, 0, 0},
    };
    return made;
}

result<blob_heap> blob_heap::find(region& where) {
    return blob_heap(PERDURE_TRY(find_table(where, staged_schema())));
}

result<blob_heap> blob_heap::open(session& by) {
    return blob_heap(PERDURE_TRY(open_table(by, staged_schema())));
}

/// Leaves a chain that hangs on nothing any more to sweep().
result<> blob_heap::leave(transaction& tx, std::uint32_t heap, std::uint64_t first,
                          std::uint64_t count) const noexcept {
    const auto taken = PERDURE_TRY(take_row(tx, staged_));
    auto* row = reinterpret_cast<staged_row*>(taken.copy);
    row->heap = heap;
    row->state = static_cast<std::uint32_t>(staged_state::garbage);
    row->first = first;
    row->chunks = count;
    return {};
}

/// Frees such a chain, if it is short.
result<> blob_heap::drop(transaction& tx, std::uint32_t heap, std::uint64_t first,
                         std::uint64_t count) const noexcept {
    if (count > chunks_freed_at_once(tx.where())) return leave(tx, heap, first, count);
    for (; count != 0; --count) {
        const std::uint64_t next = PERDURE_TRY(edit_chunk(tx, heap, first))->next;
        PERDURE_TRY(free_row(tx, heap, first - 1));
        first = next;
    }
    return first == 0 ? result<>() : errc::garbled;
}

result<> blob_heap::put(transaction& tx, std::uint32_t heap, blob_ref& field,
                        std::span<const std::byte> value) const noexcept {
    if (value.size() > blob_direct_max(tx.where())) return errc::transaction_too_large;
    if (!is_heap(tx.where(), heap) || field.bytes > blob_bytes_max) return errc::garbled;
    const std::uint64_t present = chunks_of(field.bytes);
    const std::uint64_t wanted = chunks_of(value.size());
    std::uint64_t* link = &field.first;
    for (std::uint64_t i = 0; i < wanted; ++i) {
        blob_chunk* chunk = nullptr;
        if (i < present) {
            chunk = PERDURE_TRY(edit_chunk(tx, heap, *link));
            if (chunk->next != 0) fetch_chunk(tx, heap, chunk->next - 1);
        } else {
            const auto taken = PERDURE_TRY(take_row(tx, heap));
            fetch_chunk(tx, heap, taken.row + 1);  // The next one, most often.
            chunk = reinterpret_cast<blob_chunk*>(taken.copy);
            *link = taken.row + 1;
        }
        fill(*chunk, piece_of(value, i));
        link = &chunk->next;
    }
    const std::uint64_t rest = *link;
    *link = 0;
    field.bytes = value.size();
    if (planted(bug::chunks_leaked)) return {};
    return drop(tx, heap, rest, present > wanted ? present - wanted : 0);
}

result<> blob_heap::abandon(transaction& tx, std::uint32_t heap, blob_ref& field) const noexcept {
    const blob_ref old = field;
    if (old.bytes > blob_bytes_max) return errc::garbled;
    field = {};
    return old.bytes == 0 ? result<>() : leave(tx, heap, old.first, chunks_of(old.bytes));
}

/// Puts a piece of a value before what is there: its chunks in ascending order of their rows.
result<> blob_heap::prepend(transaction& tx, row_id id,
                            std::span<const std::byte> piece) const noexcept {
    auto* row = reinterpret_cast<staged_row*>(PERDURE_TRY(edit_row(tx, staged_, id)));
    const std::uint64_t behind = row->first;
    std::uint64_t* link = &row->first;
    for (std::uint64_t i = 0; i < chunks_of(piece.size()); ++i) {
        const auto taken = PERDURE_TRY(take_row(tx, row->heap));
        auto* chunk = reinterpret_cast<blob_chunk*>(taken.copy);
        fill(*chunk, piece_of(piece, i));
        *link = taken.row + 1;
        link = &chunk->next;
        ++row->chunks;
    }
    *link = behind;
    return {};
}

result<staged_blob> blob_heap::stage(session& by, std::uint32_t heap,
                                     std::span<const std::byte> value, deadline until) const {
    if (value.size() > blob_bytes_max) return errc::value_too_large;
    if (!is_heap(by.where(), heap)) return errc::unknown_table;
    staged_blob made{{}, value.size()};
    const auto& self = by.self().control();
    PERDURE_TRY(by.write(
        [&](transaction& tx) -> result<> {
            const auto taken = PERDURE_TRY(take_row(tx, staged_));
            auto* row = reinterpret_cast<staged_row*>(taken.copy);
            row->heap = heap;
            row->state = static_cast<std::uint32_t>(staged_state::staging);
            row->slot = by.self().slot();
            row->thread = self.thread;
            row->joined_ns = self.joined_ns;
            made.id = {taken.row, row->header.generation};
            return {};
        },
        until));
    // From its end to its front, so that no chunk is written twice for its link's sake.
    const std::uint64_t step = chunks_a_step(by.where());
    for (std::uint64_t end = chunks_of(value.size()); end != 0;) {
        const std::uint64_t from = end - std::min(end, step);
        const auto bytes = std::min<std::uint64_t>(value.size(), end * blob_chunk_payload);
        const auto piece =
            value.subspan(from * blob_chunk_payload, bytes - from * blob_chunk_payload);
        auto grown = by.provide(heap, end - from, until);
        if (grown) {
            const auto paid =
                by.write([&](transaction& tx) { return prepend(tx, made.id, piece); }, until);
            if (!paid) grown = paid.error();
        }
        if (!grown) {
            static_cast<void>(discard(by, made));  // Else it goes with the session.
            return grown.error();
        }
        // What others left behind is freed at the pace at which chunks are taken.
        PERDURE_TRY(sweep(by, until));
        end = from;
    }
    return made;
}

result<> blob_heap::adopt(transaction& tx, std::uint32_t heap, const staged_blob& value,
                          blob_ref& field) const noexcept {
    auto* row = reinterpret_cast<staged_row*>(PERDURE_TRY(edit_row(tx, staged_, value.id)));
    if (row->state != static_cast<std::uint32_t>(staged_state::staging) || row->heap != heap ||
        row->chunks != chunks_of(value.bytes)) {
        return errc::stale_row;
    }
    if (field.bytes > blob_bytes_max) return errc::garbled;
    const blob_ref old = field;
    field = {row->first, value.bytes};
    PERDURE_TRY(free_row(tx, staged_, value.id.row()));
    return drop(tx, heap, old.first, chunks_of(old.bytes));
}

result<> blob_heap::discard(session& by, const staged_blob& value) const {
    PERDURE_TRY(by.write([&](transaction& tx) -> result<> {
        auto* row = reinterpret_cast<staged_row*>(PERDURE_TRY(edit_row(tx, staged_, value.id)));
        row->state = static_cast<std::uint32_t>(staged_state::garbage);
        return {};
    }));
    return {};
}

/// Frees chunks from the front of a chain; the staging row goes with the last.
result<> blob_heap::free_some(transaction& tx, row_id id) const noexcept {
    auto* row = reinterpret_cast<staged_row*>(PERDURE_TRY(edit_row(tx, staged_, id)));
    for (std::uint64_t i = chunks_a_step(tx.where()); i != 0 && row->chunks != 0; --i) {
        const std::uint64_t next = PERDURE_TRY(edit_chunk(tx, row->heap, row->first))->next;
        PERDURE_TRY(free_row(tx, row->heap, row->first - 1));
        row->first = next;
        --row->chunks;
    }
    return row->chunks == 0 ? free_row(tx, staged_, id.row()) : result<>();
}

result<bool> blob_heap::sweep(session& by, deadline until) const {
    const auto found = find_leftover(by.where(), staged_, by.self().slot());
    if (!found) return false;
    const auto& seen = found->seen;
    const row_id id{found->row, seen.header.generation};
    const auto freed = by.write(
        [&](transaction& tx) -> result<> {
            const auto* now = reinterpret_cast<staged_row*>(PERDURE_TRY(edit_row(tx, staged_, id)));
            // What was read as a hint may have been torn; a stager that is gone stays so.
            const bool same = now->state == seen.state && now->slot == seen.slot &&
                              now->thread == seen.thread && now->joined_ns == seen.joined_ns;
            return same ? free_some(tx, id) : errc::stale_row;
        },
        until);
    if (!freed && freed.error() != errc::stale_row) return freed.error();
    return true;
}

bool blob_heap::has_leftovers(region& where) const noexcept {
    return find_leftover(where, staged_, no_slot).has_value();
}

}  // namespace perdure::shm

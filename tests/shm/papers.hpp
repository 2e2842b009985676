// SPDX-License-Identifier: Apache-2.0
//
// A table whose rows have a blob field, and what its tests do with it.
#pragma once

#include <perdure/shm/blob.hpp>
#include <string>

namespace perdure::tests {

struct paper_row {
    shm::row_header header;
    shm::row_key key;
    shm::blob_ref text;
};
static_assert(shm::mapped<paper_row> && sizeof(paper_row) == 48);

struct papers {
    std::uint32_t table;
    std::uint32_t heap;
    shm::blob_heap blobs;

    static papers make(shm::session& self) {
        shm::schema wanted;
        wanted.name = "papers";
        wanted.row_bytes = sizeof(paper_row);
        wanted.key_at = offsetof(paper_row, key);
        wanted.fields = {{"key", shm::field_type::bytes, offsetof(paper_row, key), 16, 0, 0},
                         {"text", shm::field_type::blob, offsetof(paper_row, text), 16, 0, 0}};
        std::uint32_t number = 0;
        const auto made = self.write([&](shm::transaction& tx) -> result<> {
            number = PERDURE_TRY(shm::create_table(tx, wanted));
            return {};
        });
        static_cast<void>(made.value());
        return {number, shm::heap_of(self.where(), number).value(),
                shm::blob_heap::open(self).value()};
    }
    /// What make() has made.
    static papers find(shm::region& where) {
        const auto number = shm::find_table(where, "papers").value();
        return {number, shm::heap_of(where, number).value(), shm::blob_heap::find(where).value()};
    }

    result<paper_row*> edit(shm::transaction& tx, const shm::row_key& key) const {
        const auto there = shm::edit_key<paper_row>(tx, table, key);
        if (there || there.error() != errc::not_found) return there;
        return reinterpret_cast<paper_row*>(PERDURE_TRY(shm::insert_key(tx, table, key)).copy);
    }
    result<> put(shm::transaction& tx, const shm::row_key& key, std::string_view text) const {
        auto* row = PERDURE_TRY(edit(tx, key));
        return blobs.put(tx, heap, row->text, std::as_bytes(std::span(text)));
    }
    /// Staged or put, as its length demands.
    result<> save(shm::session& by, const shm::row_key& key, std::string_view text) const {
        const auto bytes = std::as_bytes(std::span(text));
        shm::staged_blob staged;
        const bool direct = text.size() <= shm::blob_direct_max(by.where());
        if (!direct) staged = PERDURE_TRY(blobs.stage(by, heap, bytes));
        PERDURE_TRY(by.write([&](shm::transaction& tx) -> result<> {
            auto* row = PERDURE_TRY(edit(tx, key));
            return direct ? blobs.put(tx, heap, row->text, bytes)
                          : blobs.adopt(tx, heap, staged, row->text);
        }));
        return {};
    }
    result<> erase(shm::transaction& tx, const shm::row_key& key) const {
        auto* row = PERDURE_TRY(shm::edit_key<paper_row>(tx, table, key));
        PERDURE_TRY(blobs.erase(tx, heap, row->text));
        return shm::erase_key(tx, table, key);
    }
    template <shm::row_source Source>
    result<std::string> get(Source& source, const shm::row_key& key) const {
        const auto row = PERDURE_TRY(shm::get_key<paper_row>(source, table, key));
        std::string text(row.text.bytes, '?');
        PERDURE_TRY(shm::get_blob(source, heap, row.text, std::as_writable_bytes(std::span(text))));
        return text;
    }
    /// Until nothing is left over. Answers how many steps that took.
    int sweep_all(shm::session& by) const {
        int steps = 0;
        while (blobs.sweep(by, shm::deadline::in(std::chrono::seconds(5))).value()) ++steps;
        return steps;
    }
};

/// A text of that length that says which it is in every chunk.
inline std::string text_of(std::size_t bytes, std::uint64_t which) {
    std::string text(bytes, 'a');
    for (std::size_t i = 0; i < bytes; ++i) {
        text[i] = static_cast<char>('a' + (which + i / 100 * 7 + i % 11) % 26);
    }
    return text;
}

}  // namespace perdure::tests

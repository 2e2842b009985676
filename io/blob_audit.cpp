// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <perdure/io/blob_audit.hpp>
#include <perdure/io/digest.hpp>
#include <perdure/shm/blob.hpp>

namespace perdure::io {
namespace {

constexpr std::size_t problems_max = 20;  // A heap: the rest is of the same kind.

const shm::blob_chunk* chunk_at(const table_image& heap, std::uint64_t link) noexcept {
    constexpr std::size_t bytes = sizeof(shm::blob_chunk);
    if (heap.shape.row_bytes != bytes || link == 0 || link > heap.rows.size() / bytes) {
        return nullptr;
    }
    const auto* chunk =
        reinterpret_cast<const shm::blob_chunk*>(heap.rows.data() + (link - 1) * bytes);
    return chunk->header.live == 1 ? chunk : nullptr;
}

/// Calls each(row number, row) for the live rows of a table.
template <class Each>
void for_each_live(const table_image& table, Each&& each) {
    const std::size_t bytes = table.shape.row_bytes;
    for (std::size_t at = 0; at + bytes <= table.rows.size(); at += bytes) {
        const auto* row = table.rows.data() + at;
        if (reinterpret_cast<const shm::row_header*>(row)->live == 1) each(at / bytes, row);
    }
}

/// One heap's chunks, and which of them a chain has led to.
class chunk_marks {
  public:
    chunk_marks(const table_image& heap, std::vector<std::string>& problems)
        : heap_(heap),
          problems_(problems),
          left_(problems_max),
          reached_(heap.rows.size() / sizeof(shm::blob_chunk)) {}

    void walk(std::uint64_t link, std::uint64_t chunks, const std::string& from) {
        for (; chunks != 0; --chunks) {
            const auto* chunk = chunk_at(heap_, link);
            if (chunk == nullptr) return say(from + ": its value ends too early");
            if (reached_[link - 1]) return say(from + ": shares chunk " + std::to_string(link - 1));
            reached_[link - 1] = true;
            link = chunk->next;
        }
        if (link != 0) say(from + ": its chain is longer than its value");
    }

    void look_for_lost() {
        for_each_live(heap_, [&](std::uint64_t row, const std::byte*) {
            if (!reached_[row]) say("chunk " + std::to_string(row) + " belongs to no value");
        });
    }

  private:
    void say(const std::string& what) {
        if (left_ == 0) return;
        --left_;
        problems_.push_back("table " + heap_.shape.name + ": " + what);
    }

    const table_image& heap_;
    std::vector<std::string>& problems_;
    std::size_t left_;
    std::vector<bool> reached_;
};

void walk_fields(const table_image& table, chunk_marks& marks) {
    for (const auto& field : table.shape.fields) {
        if (field.type != shm::field_type::blob) continue;
        for_each_live(table, [&](std::uint64_t number, const std::byte* row) {
            shm::blob_ref ref;
            std::memcpy(&ref, row + field.offset, sizeof ref);
            marks.walk(ref.first, shm::chunks_of(ref.bytes), "row " + std::to_string(number));
        });
    }
}

void walk_staged(const image& taken, std::uint32_t heap, chunk_marks& marks) {
    const auto wanted = shm::staged_schema();
    for (const auto& table : taken.tables) {
        if (table.shape != wanted) continue;
        for_each_live(table, [&](std::uint64_t number, const std::byte* at) {
            shm::staged_row row;
            std::memcpy(&row, at, sizeof row);
            if (row.heap != heap) return;
            marks.walk(row.first, row.chunks, "staged row " + std::to_string(number));
        });
    }
}

}  // namespace

const table_image* table_numbered(const image& taken, std::uint32_t number) noexcept {
    const auto found = std::find_if(taken.tables.begin(), taken.tables.end(),
                                    [&](const auto& each) { return each.number == number; });
    return found == taken.tables.end() ? nullptr : &*found;
}

void append_blob(const table_image* heap, const shm::blob_ref& ref,
                 std::vector<std::byte>& target) {
    std::vector<std::byte> value;
    std::uint64_t link = ref.first;
    // What is missing of a broken chain is missing from the digest; check_blobs() names it.
    while (heap != nullptr && value.size() < ref.bytes) {
        const auto* chunk = chunk_at(*heap, link);
        if (chunk == nullptr) break;
        const auto payload = std::as_bytes(std::span(chunk->payload));
        const auto count = std::min<std::uint64_t>(payload.size(), ref.bytes - value.size());
        value.insert(value.end(), payload.begin(),
                     payload.begin() + static_cast<std::ptrdiff_t>(count));
        link = chunk->next;
    }
    const auto* bytes = reinterpret_cast<const std::byte*>(&ref.bytes);
    target.insert(target.end(), bytes, bytes + sizeof ref.bytes);
    const auto digest = blake2b(value, {});
    static_assert(sizeof digest + sizeof ref.bytes == blob_digest_bytes);
    for (const auto byte : digest) target.push_back(static_cast<std::byte>(byte));
}

std::vector<std::string> check_blobs(const image& taken) {
    std::vector<std::string> problems;
    for (const auto& table : taken.tables) {
        if (table.heap == 0) continue;
        const auto* heap = table_numbered(taken, table.heap);
        if (heap == nullptr) {
            problems.push_back("table " + table.shape.name + ": the heap of its values is missing");
            continue;
        }
        chunk_marks marks(*heap, problems);
        walk_fields(table, marks);
        walk_staged(taken, table.heap, marks);
        marks.look_for_lost();
    }
    return problems;
}

}  // namespace perdure::io

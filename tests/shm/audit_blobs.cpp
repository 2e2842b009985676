// SPDX-License-Identifier: Apache-2.0
#include <perdure/shm/blob.hpp>
#include <perdure/tests/shm/audit_tables.hpp>

namespace perdure::tests {

using namespace perdure::shm;

namespace {

/// How often each chunk of a heap was reached (V1).
struct chunk_marks {
    std::uint32_t heap;
    std::vector<std::uint8_t> reached;
    std::vector<std::string>& faults;

    void fault(const char* what, std::uint64_t number) {
        faults.push_back("heap " + std::to_string(heap) + ", " + what + " " +
                         std::to_string(number));
    }

    void walk(region& where, std::uint64_t link, std::uint64_t chunks, std::uint64_t bytes) {
        for (; chunks != 0; --chunks) {
            const auto at = link == 0 ? 0 : locate(where, heap, link - 1);
            if (at == 0 || link > reached.size()) return fault("V1: a chain leads to", link);
            const auto& chunk = *where.at<blob_chunk>(at);
            if (chunk.header.live != 1) return fault("V1: a dead chunk in a chain:", link - 1);
            if (++reached[link - 1] > 1) return fault("V1: a chunk in two chains:", link - 1);
            if (chunks == 1 && bytes != 0) check_end(chunk, bytes);
            link = chunk.next;
        }
        if (link != 0) fault("V2: a chain goes on with", link - 1);
    }

    void check_end(const blob_chunk& last, std::uint64_t bytes) {
        const auto* payload = reinterpret_cast<const std::byte*>(last.payload.data());
        const auto used = (bytes - 1) % blob_chunk_payload + 1;
        for (auto i = used; i < blob_chunk_payload; ++i) {
            if (payload[i] != std::byte{0}) return fault("V2: no zeros behind a value of", bytes);
        }
    }
};

void walk_fields(region& where, const found_table& table, chunk_marks& marks) {
    const auto shape = read_schema(where, table.number).value();
    for_each_row(where, table.number, [&](std::uint64_t, const std::uint64_t* words) {
        const auto* row = reinterpret_cast<const std::byte*>(words);
        if (reinterpret_cast<const row_header*>(words)->live != 1) return;
        for (const auto& field : shape.fields) {
            if (field.type != field_type::blob) continue;
            blob_ref ref;
            std::memcpy(&ref, row + field.offset, sizeof ref);
            marks.walk(where, ref.first, chunks_of(ref.bytes), ref.bytes);
        }
    });
}

void walk_staged(region& where, chunk_marks& marks) {
    const auto table = find_table(where, staged_schema().name);
    if (!table) return;
    for_each_row(where, *table, [&](std::uint64_t, const std::uint64_t* words) {
        const auto& row = *reinterpret_cast<const staged_row*>(words);
        if (row.header.live == 1 && row.heap == marks.heap) {
            marks.walk(where, row.first, row.chunks, 0);
        }
    });
}

}  // namespace

void audit_blobs(region& where, std::vector<std::string>& faults) {
    for (const auto& table : tables_in(where)) {
        const auto number = table.shape.heap;
        if (number == 0) continue;
        const auto rows = where.descriptor(number).row_high;
        chunk_marks marks{number, std::vector<std::uint8_t>(rows), faults};
        walk_fields(where, table, marks);
        walk_staged(where, marks);
        for_each_row(where, number, [&](std::uint64_t row, const std::uint64_t* words) {
            const bool live = reinterpret_cast<const row_header*>(words)->live == 1;
            if (live && marks.reached[row] == 0) marks.fault("I10: a leaked chunk:", row);
        });
    }
}

}  // namespace perdure::tests

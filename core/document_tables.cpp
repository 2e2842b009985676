// SPDX-License-Identifier: Apache-2.0
//
// The schemas of documents, and how their tables are found or made.
#include <perdure/core/document.hpp>

namespace perdure {
namespace {

using shm::field_type;

shm::schema document_schema() {
    shm::schema made;
    made.name = "documents";
    made.row_bytes = sizeof(document_row);
    made.key_at = offsetof(document_row, key);
    made.fields = {
        {"key", field_type::bytes, offsetof(document_row, key), 16, 0, 0},
        {"collection_hash", field_type::u64, offsetof(document_row, collection_hash), 8, 0, 0},
        {"collection", field_type::text, offsetof(document_row, collection), 32, 0, 0},
        {"name_front", field_type::text, offsetof(document_row, name_front), 32, 0, 0},
        {"name_back", field_type::text, offsetof(document_row, name_back), 32, 0, 0},
        {"state", field_type::text, offsetof(document_row, state), 32, 0, 0},
        {"version", field_type::u64, offsetof(document_row, version), 8, 0, 0},
        {"oldest", field_type::u64, offsetof(document_row, oldest), 8, 0, 0},
        {"bytes", field_type::u64, offsetof(document_row, bytes), 8, 0, 0},
        {"bytes_max", field_type::u64, offsetof(document_row, bytes_max), 8, 0, 0},
        {"versions_max", field_type::u32, offsetof(document_row, versions_max), 4, 0, 0},
        {"kind", field_type::u32, offsetof(document_row, kind), 4, 0, 0},
    };
    made.indexes = {{1, 3}};  // A collection, by name.
    return made;
}

shm::schema version_schema() {
    shm::schema made;
    made.name = "document_versions";
    made.row_bytes = sizeof(document_version_row);
    made.key_at = offsetof(document_version_row, key);
    using row = document_version_row;
    made.fields = {
        {"key", field_type::bytes, offsetof(row, key), 16, 0, 0},
        {"document", field_type::bytes, offsetof(row, document), 16, 0, 0},
        {"version", field_type::u64, offsetof(row, version), 8, 0, 0},
        {"from_state", field_type::text, offsetof(row, from_state), 32, 0, 0},
        {"to_state", field_type::text, offsetof(row, to_state), 32, 0, 0},
        {"actor", field_type::bytes, offsetof(row, actor), 16, 0, 0},
        {"reason", field_type::u32, offsetof(row, reason), 4, 0, 0},
        {"value", field_type::blob, offsetof(row, value), 16, 0, 0},
    };
    return made;
}

result<std::uint32_t> find_table(shm::region& where, const shm::schema& wanted) {
    const auto there = PERDURE_TRY(shm::find_table(where, wanted.name));
    const auto found = PERDURE_TRY(shm::read_schema(where, there));
    if (found != wanted) return errc::schema_mismatch;
    return there;
}

result<std::uint32_t> open_table(shm::session& by, const shm::schema& wanted) {
    const auto there = find_table(by.where(), wanted);
    if (there || there.error() != errc::unknown_table) return there;
    const auto made = by.write([&](shm::transaction& in) -> result<> {
        PERDURE_TRY(shm::create_table(in, wanted));
        return {};
    });
    if (!made && made.error() != errc::exists) return made.error();
    return find_table(by.where(), wanted);
}

}  // namespace

result<documents> documents::open(shm::session& by) {
    PERDURE_TRY(open_table(by, document_schema()));
    PERDURE_TRY(open_table(by, version_schema()));
    PERDURE_TRY(shm::blob_heap::open(by));
    return find(by.where());
}

result<documents> documents::find(shm::region& where) {
    tables numbers;
    numbers.documents = PERDURE_TRY(find_table(where, document_schema()));
    numbers.versions = PERDURE_TRY(find_table(where, version_schema()));
    numbers.heap = PERDURE_TRY(shm::heap_of(where, numbers.versions));
    const auto blobs = PERDURE_TRY(shm::blob_heap::find(where));
    auto by_name =
        PERDURE_TRY(shm::find_tree(where, numbers.documents, {"collection_hash", "name_front"}));
    return documents(numbers, blobs, std::move(by_name));
}

}  // namespace perdure

// SPDX-License-Identifier: Apache-2.0
//
// The schemas of documents, and how their tables are found or made.
#include <perdure/core/document.hpp>
#include <perdure/shm/described.hpp>

namespace perdure {
namespace {

shm::schema document_schema() {
    // A collection, by name.
    return shm::schema_of<document_row>("documents",
                                        {.indexes = {{"collection_hash", "name_front"}}});
}

shm::schema version_schema() { return shm::schema_of<document_version_row>("document_versions"); }

}  // namespace

result<documents> documents::open(shm::session& by) {
    PERDURE_TRY(shm::open_table(by, document_schema()));
    PERDURE_TRY(shm::open_table(by, version_schema()));
    PERDURE_TRY(shm::blob_heap::open(by));
    return find(by.where());
}

std::vector<shm::schema> documents::schemas() { return {document_schema(), version_schema()}; }

result<documents> documents::find(shm::region& where) {
    tables numbers;
    numbers.documents = PERDURE_TRY(shm::find_table(where, document_schema()));
    numbers.versions = PERDURE_TRY(shm::find_table(where, version_schema()));
    numbers.heap = PERDURE_TRY(shm::heap_of(where, numbers.versions));
    const auto blobs = PERDURE_TRY(shm::blob_heap::find(where));
    auto by_name =
        PERDURE_TRY(shm::find_tree(where, numbers.documents, {"collection_hash", "name_front"}));
    return documents(numbers, blobs, std::move(by_name));
}

}  // namespace perdure

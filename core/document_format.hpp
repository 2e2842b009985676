// SPDX-License-Identifier: Apache-2.0
//
// FORMAT the rows of documents and of their versions.
//
// Invariants  O1 a document's versions are oldest to version, without a gap, each a row of its own
//             with the value; there are at most versions_max of them.
//             O2 texts are filled with zeros.  O3 bytes and state are the newest version's.
// Format      docs/formats/tables.md
#pragma once

#include <boost/describe.hpp>
#include <perdure/core/event_format.hpp>
#include <perdure/shm/hash_index.hpp>
#include <perdure/shm/schema_format.hpp>

namespace perdure {

inline constexpr std::size_t collection_bytes_max = 32;
inline constexpr std::size_t document_name_bytes_max = 64;
inline constexpr std::size_t state_bytes_max = 32;
inline constexpr std::uint32_t versions_kept_max = 64;

enum class document_kind : std::uint32_t { json = 1, binary = 2 };

using state_text = std::array<char, state_bytes_max>;

struct document_row {
    shm::row_header header;
    shm::row_key key;               ///< Of collection and name.
    std::uint64_t collection_hash;  ///< With name_front, the order that lists a collection.
    std::array<char, collection_bytes_max> collection;
    std::array<char, 32> name_front;
    std::array<char, document_name_bytes_max - 32> name_back;
    state_text state;
    std::uint64_t version;  ///< The newest; counts from 1.
    std::uint64_t oldest;   ///< The oldest that is kept.
    std::uint64_t bytes;
    std::uint64_t bytes_max;
    std::uint32_t versions_max;
    std::uint32_t kind;  ///< document_kind
};
static_assert(shm::mapped<document_row> && sizeof(document_row) == 208);
BOOST_DESCRIBE_STRUCT(document_row, (),
                      (key, collection_hash, collection, name_front, name_back, state, version,
                       oldest, bytes, bytes_max, versions_max, kind))

struct document_version_row {
    shm::row_header header;
    shm::row_key key;  ///< The document's, its lower half plus the version.
    shm::row_key document;
    std::uint64_t version;
    state_text from_state;
    state_text to_state;
    account_words actor;
    std::uint32_t reason;  ///< The game's own code.
    std::uint32_t reserved;
    shm::blob_ref value;
};
static_assert(shm::mapped<document_version_row> && sizeof(document_version_row) == 160);
BOOST_DESCRIBE_STRUCT(document_version_row, (),
                      (key, document, version, from_state, to_state, actor, reason, value))

}  // namespace perdure

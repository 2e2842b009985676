// SPDX-License-Identifier: Apache-2.0
//
// FORMAT the events of documents.
//
// Format      docs/formats/events.md; numbers as in event_format.hpp
#pragma once

#include <perdure/core/event_format.hpp>

namespace perdure {

/// Its first version follows as a document_put.
struct document_created_v1 {
    shm::transaction_key document;  ///< Its row's key.
    std::array<char, 32> collection;
    std::array<char, 64> name;
    std::uint64_t bytes_max;
    std::uint32_t versions_max;
    std::uint32_t kind;  ///< 1 json, 2 binary.
};
static_assert(shm::mapped<document_created_v1> && sizeof(document_created_v1) == 128);
BOOST_DESCRIBE_STRUCT(document_created_v1, (),
                      (document, collection, name, bytes_max, versions_max, kind))

struct document_put_v1 {
    shm::transaction_key document;
    std::uint64_t version;
    std::uint64_t bytes;
    std::array<char, 32> from_state;
    std::array<char, 32> to_state;
    account_words actor;
    std::uint32_t reason;    ///< The game's own code.
    std::uint32_t checksum;  ///< CRC-32C of the value.
};
static_assert(shm::mapped<document_put_v1> && sizeof(document_put_v1) == 120);
BOOST_DESCRIBE_STRUCT(document_put_v1, (),
                      (document, version, bytes, from_state, to_state, actor, reason, checksum))

struct document_erased_v1 {
    shm::transaction_key document;
    std::uint64_t version;  ///< The last it had.
    account_words actor;
    std::uint32_t reason;
    std::uint32_t reserved;
};
static_assert(shm::mapped<document_erased_v1> && sizeof(document_erased_v1) == 48);
BOOST_DESCRIBE_STRUCT(document_erased_v1, (), (document, version, actor, reason))

struct document_limited_v1 {
    shm::transaction_key document;
    std::uint64_t bytes_max;
    std::uint32_t versions_max;
    std::uint32_t reserved;
};
static_assert(shm::mapped<document_limited_v1> && sizeof(document_limited_v1) == 32);
BOOST_DESCRIBE_STRUCT(document_limited_v1, (), (document, bytes_max, versions_max))

}  // namespace perdure

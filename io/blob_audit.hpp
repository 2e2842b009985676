// SPDX-License-Identifier: Apache-2.0
//
// Blobs in a copy of the tables: their content, and whether every chunk stands in one chain.
//
// Promise     A chain that cannot be is named and left; nothing outside the copy is read.
// Threads     One.
// Format      docs/formats/region.md#blobs, docs/formats/hashes.md
#pragma once

#include <perdure/io/audit.hpp>

namespace perdure::io {

/// Appends what a blob field says about the world: its length and the digest of its bytes, 40 bytes
/// in all. `heap` is the table of its chunks, nullptr when it is not there.
void append_blob(const table_image* heap, const shm::blob_ref& ref, std::vector<std::byte>& target);
inline constexpr std::size_t blob_digest_bytes = 40;

/// Every live chunk stands in one chain, once; no chain is longer or shorter than its value
/// (V1 and V2 of shm/blob.hpp). Answers what is not so.
std::vector<std::string> check_blobs(const image& taken);

/// The table of that number, nullptr when the copy has none.
const table_image* table_numbered(const image& taken, std::uint32_t number) noexcept;

}  // namespace perdure::io

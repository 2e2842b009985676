// SPDX-License-Identifier: Apache-2.0
//
// One journal segment on disk: what makes its header and its blocks valid.
//
// Promise     A block is answered only if every condition of docs/formats/journal.md that can be
//             checked without its neighbours holds; else the first one that does not is named.
// Threads     Values and pure functions over a file.
// Format      journal_format.hpp, docs/formats/journal.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include <perdure/io/file.hpp>
#include <perdure/io/manifest.hpp>

namespace perdure::io {

/// A block as it lies on disk: header, payload, zero fill.
struct stored_block {
    block_header header;
    std::vector<std::byte> bytes;

    [[nodiscard]] std::span<const std::byte> payload() const noexcept {
        return std::span(bytes).subspan(sizeof(block_header), header.stored_bytes);
    }
    [[nodiscard]] block_hash hash() const noexcept;
};

/// The header page of a new segment.
[[nodiscard]] std::vector<std::byte> make_segment_page(const segment_entry& entry,
                                                       const uuid& world,
                                                       std::uint64_t segment_bytes);

/// Reads the header page; an empty cause means that it is valid.
[[nodiscard]] result<std::string_view> read_segment_header(const file& stream,
                                                           segment_header& into);

/// Whether the header is that of the segment the MANIFEST promises; empty if so.
[[nodiscard]] std::string_view compare(const segment_header& header, const segment_entry& entry,
                                       const uuid& world) noexcept;

/// Fills in both checksums. Requires: all else is set, `payload` is what will be stored.
void complete(block_header& header, std::span<const std::byte> payload) noexcept;

/// Reads the block at `offset` and answers the first reason why it is not intact, empty if it is.
/// `into` holds the block only then.
[[nodiscard]] result<std::string_view> read_block(const file& stream, const segment_header& segment,
                                                  std::uint64_t offset, stored_block& into);

/// Only the header of the block at `offset`: the first reason why it is not one, empty if it is.
[[nodiscard]] result<std::string_view> read_block_header(const file& stream,
                                                         const segment_header& segment,
                                                         std::uint64_t offset, block_header& into);

/// What lies behind the last block that follows its predecessors.
struct segment_rest {
    std::uint64_t used_end;  ///< Behind the last sector that is not zero; `offset` if all are.
    std::optional<std::uint64_t> synced_at;  ///< An intact block that proves `seq` was synced.
};

/// Looks at every block boundary from `offset` to the segment's end for an intact block that says
/// that block `seq` had been synced, or that is a later one than `seq` and stands at `offset`.
[[nodiscard]] result<segment_rest> inspect_rest(const file& stream, const segment_header& segment,
                                                std::uint64_t offset, std::uint64_t seq);

}  // namespace perdure::io

// SPDX-License-Identifier: Apache-2.0
//
// One journal segment on disk: what makes its header and its blocks valid.
//
// Promise     A block is answered only if every condition of docs/formats/journal.md that can be
//             checked without its neighbours holds; else the first one that does not is named.
//             It is the same whether the segment lies there as it is or packed.
// Threads     Values and functions over a segment_stream of their own.
// Format      journal_format.hpp, docs/formats/journal.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include <perdure/io/manifest.hpp>
#include <perdure/io/segment_stream.hpp>

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
[[nodiscard]] result<std::string_view> read_segment_header(segment_stream& stream,
                                                           segment_header& into);

/// Whether the header is that of the segment the MANIFEST promises; empty if so.
[[nodiscard]] std::string_view compare(const segment_header& header, const segment_entry& entry,
                                       const uuid& world) noexcept;

/// Fills in both checksums. Requires: all else is set, `payload` is what will be stored.
void complete(block_header& header, std::span<const std::byte> payload) noexcept;

/// Reads the block at `offset` and answers the first reason why it is not intact, empty if it is.
/// `into` holds the block only then.
[[nodiscard]] result<std::string_view> read_block(segment_stream& stream,
                                                  const segment_header& segment,
                                                  std::uint64_t offset, stored_block& into);

/// Only the header of the block at `offset`: the first reason why it is not one, empty if it is.
[[nodiscard]] result<std::string_view> read_block_header(segment_stream& stream,
                                                         const segment_header& segment,
                                                         std::uint64_t offset, block_header& into);

/// What lies behind the last block that follows its predecessors.
struct segment_rest {
    std::uint64_t used_end;  ///< Behind the last sector that is not zero; `offset` if all are.
    std::optional<std::uint64_t> synced_at;  ///< An intact block that proves `seq` was synced.
};

/// Looks at every block boundary from `offset` to the segment's end for an intact block that says
/// that block `seq` had been synced, or that is a later one than `seq` and stands at `offset`.
[[nodiscard]] result<segment_rest> inspect_rest(segment_stream& stream,
                                                const segment_header& segment, std::uint64_t offset,
                                                std::uint64_t seq);

/// Where a sealed segment's last block ends, if all of it is what the MANIFEST promises: header,
/// blocks, their chain up to the hash of the last.
class segment_walk {
  public:
    segment_walk(segment_stream stream, const segment_entry& entry, const uuid& world)
        : stream_(std::move(stream)), entry_(entry), world_(world) {}

    /// Reads on. Empty: it is as promised so far; else the first thing that is not.
    [[nodiscard]] result<std::string_view> step();
    [[nodiscard]] bool has_ended() const noexcept { return offset_ != 0 && seq_ > entry_.last_seq; }
    /// Behind the last block read.
    [[nodiscard]] std::uint64_t offset() const noexcept { return offset_; }
    [[nodiscard]] const segment_header& header() const noexcept { return header_; }
    [[nodiscard]] segment_stream& stream() noexcept { return stream_; }

  private:
    segment_stream stream_;
    segment_entry entry_;
    uuid world_;
    segment_header header_{};
    stored_block block_;
    std::uint64_t offset_ = 0;  // 0: the header is to come.
    std::uint64_t seq_ = 0;
    std::uint64_t lsn_ = 0;
    block_hash hash_{};
};

}  // namespace perdure::io

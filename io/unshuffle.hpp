// SPDX-License-Identifier: Apache-2.0
//
// The way back from codec 2: payload to records.
//
// Promise     Every length and number in the payload is checked before it is used; a payload that
//             io/shuffle did not write answers damaged. Memory is bounded by the raw length.
// Threads     One thread.
// Format      shuffle_format.hpp, docs/formats/journal.md#codec-2
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <perdure/io/codec.hpp>
#include <perdure/io/plane.hpp>

namespace perdure::io {

class unshuffler {
  public:
    /// Requires: raw.size() == content.raw_bytes. Answers damaged.
    [[nodiscard]] result<> decode(std::span<const std::byte> stored, const block_content& content,
                                  std::span<std::byte> raw);

  private:
    struct group {
        std::size_t cells_at;  ///< Where its columns begin in cells_.
        std::size_t stride;
        std::uint32_t record_bytes;
        std::uint32_t records;
        std::uint32_t placed;
        checksum_mode checksum;
    };

    [[nodiscard]] result<> read_order(stream_mode mode, const shuffle_header& header,
                                      byte_cursor& from);
    [[nodiscard]] result<> read_group(byte_cursor& from, std::uint64_t first_lsn,
                                      std::size_t& raw_left);
    [[nodiscard]] result<> read_column(const group& owner, std::size_t column, byte_cursor& from);
    [[nodiscard]] result<> fill_column(const column_header& header, const group& owner,
                                       std::size_t column, byte_cursor& from);
    [[nodiscard]] result<> place(std::span<std::byte> raw);
    [[nodiscard]] std::span<std::uint64_t> cells(const group& owner, std::size_t column) noexcept {
        return std::span(cells_).subspan(owner.cells_at + column * owner.stride, owner.stride);
    }

    stream_packer packer_;
    std::vector<group> groups_;
    std::vector<std::byte> order_;      // One a record: its group, or the number of groups.
    std::vector<std::uint64_t> lsns_;   // Of the group at hand.
    std::vector<std::uint64_t> cells_;  // The columns of all groups.
    std::vector<std::byte> planes_;
    std::vector<std::byte> loose_;
};

}  // namespace perdure::io

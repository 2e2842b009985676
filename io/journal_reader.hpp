// SPDX-License-Identifier: Apache-2.0
//
// Reads the journal block by block, over all segments that the MANIFEST promises.
//
// Promise     A block is answered only after its own checks, its place in the hash chain and, for
//             sealed segments, the end that the MANIFEST recorded. The end is one of: clean, a torn
//             tail (an unsynced write that did not finish), or an error with file, byte and cause.
//             A torn tail is never told from rot of the very last block: nothing behind it says
//             that it was synced. end() names it, so that whoever knows more can compare.
// Power loss  Changes nothing on disk.
// Threads     One thread; any number of readers beside the writer, who see a torn tail where the
//             writer is just writing.
// Format      docs/formats/journal.md
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <perdure/io/codec.hpp>
#include <perdure/io/segment.hpp>

namespace perdure::io {

/// Where the journal goes on: the place and the numbers of the block to come.
struct journal_position {
    std::size_t segment = 0;   ///< Index into manifest::segments().
    std::uint64_t offset = 0;  ///< Byte in the segment's file.
    std::uint64_t seq = 1;
    std::uint64_t lsn = 1;
    block_hash hash_before{};
};

class journal_reader {
  public:
    /// Starts at the segment that holds `from_lsn`; blocks that end below it are verified, but
    /// not answered. Answers missing, damaged, foreign, io_error. `promised` must outlive it.
    [[nodiscard]] static result<journal_reader> open(file_system& files, const manifest& promised,
                                                     std::uint64_t from_lsn,
                                                     std::optional<finding>& found);

    /// Moves to the next block. False: the journal ends here. Answers missing, damaged, io_error.
    [[nodiscard]] result<bool> next(std::optional<finding>& found);

    /// The block at hand. Requires: next() said true.
    [[nodiscard]] const stored_block& block() const noexcept { return block_; }
    /// Its records. Answers damaged if the payload does not decode.
    [[nodiscard]] result<std::span<const std::byte>> records(std::optional<finding>& found);

    /// Gives the block away, in exchange for memory to read on with, and says where it lies.
    /// Requires: next() said true. block() and records() are for nobody until the next one.
    void take_block(stored_block& block, finding& place);

    /// Where the next block is, or would be.
    [[nodiscard]] const journal_position& position() const noexcept { return position_; }
    /// Of the segment at hand. Requires: the MANIFEST names one.
    [[nodiscard]] std::uint64_t segment_bytes() const noexcept { return header_.segment_bytes; }
    /// What lies behind the last block, if it is not just zeros. Requires: next() said false.
    [[nodiscard]] const std::optional<finding>& torn_tail() const noexcept { return torn_tail_; }

  private:
    journal_reader(file_system& files, const manifest& promised, std::uint64_t from_lsn) noexcept
        : files_(&files), promised_(&promised), from_lsn_(from_lsn) {}

    [[nodiscard]] result<> look_for_unpromised(std::optional<finding>& found);
    [[nodiscard]] bool is_promised_by_now(const uuid& segment) const;
    [[nodiscard]] result<> enter_segment(std::optional<finding>& found);
    [[nodiscard]] result<bool> step(std::optional<finding>& found);
    [[nodiscard]] result<std::string_view> read_here(std::optional<finding>& found);
    [[nodiscard]] result<bool> end_here(std::string_view cause, const segment_rest& rest,
                                        std::optional<finding>& found);
    [[nodiscard]] std::string_view why_misplaced() const noexcept;
    [[nodiscard]] errc refuse(std::optional<finding>& found, errc reason, std::uint64_t offset,
                              std::string cause) const;

    file_system* files_;
    const manifest* promised_;
    std::uint64_t from_lsn_;
    segment_stream stream_;
    segment_header header_{};
    journal_position position_;
    std::uint64_t block_offset_ = 0;
    stored_block block_;
    std::vector<std::byte> raw_;
    codec_set codecs_;
    std::optional<finding> torn_tail_;
};

}  // namespace perdure::io

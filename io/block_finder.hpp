// SPDX-License-Identifier: Apache-2.0
//
// Finds the records of an LSN in the journal's files, beside a keeper that writes on.
//
// Promise     The block that holds the LSN is answered only after all checks that its segment, its
//             headers and its checksums allow; the hash chain is the business of journal_reader and
//             of verify. An LSN costs the headers of its segment once, then a binary search and,
//             unless the block is among those kept, one read.
// Death       Nothing is written.
// Threads     One thread; any number beside the writer. Ask for what is durable: a block that is
//             just being written is not_written or damaged.
// Format      docs/formats/journal.md
#pragma once

#include <memory>
#include <optional>
#include <perdure/io/codec.hpp>
#include <perdure/io/manifest.hpp>
#include <perdure/io/segment.hpp>
#include <string>
#include <vector>

namespace perdure::io {

/// A block's records; valid until so many other blocks were asked for as the finder keeps.
struct found_block {
    std::uint64_t first_lsn = 0;
    std::uint64_t last_lsn = 0;
    std::span<const std::byte> records;
};

class block_finder {
  public:
    /// Keeps `blocks_kept` decoded blocks, those asked for last. `files` must outlive it.
    block_finder(file_system& files, std::string directory, std::size_t blocks_kept);

    /// Errors: history_gone, not_written, missing, damaged, foreign, wrong_format, io_error.
    [[nodiscard]] result<found_block> find(std::uint64_t lsn);

    /// First LSN the journal still holds; 0 while it has no segment. Errors: as find.
    [[nodiscard]] result<std::uint64_t> first_lsn();

    /// Where and why a file was refused, after an error.
    [[nodiscard]] const std::optional<finding>& found() const noexcept { return found_; }

  private:
    struct block_place {
        std::uint64_t first_lsn;
        std::uint64_t offset;
    };
    /// A segment whose headers are known up to `next_offset`.
    struct known_segment {
        segment_entry entry{};
        segment_stream stream;
        segment_header header{};
        std::vector<block_place> blocks;
        std::uint64_t next_offset = block_alignment;
        std::uint64_t next_lsn = 0;
        std::uint64_t asked = 0;
    };
    struct kept_block {
        std::uint64_t first_lsn = 0;
        std::uint64_t last_lsn = 0;
        std::vector<std::byte> raw;
        std::uint64_t asked = 0;
    };

    [[nodiscard]] result<> read_manifest();
    [[nodiscard]] const segment_entry* entry_of(std::uint64_t lsn) const noexcept;
    [[nodiscard]] result<known_segment*> enter(const segment_entry& entry);
    [[nodiscard]] result<> read_header(known_segment& segment);
    [[nodiscard]] result<> learn(known_segment& segment, std::uint64_t lsn);
    [[nodiscard]] result<found_block> decode(known_segment& segment, std::uint64_t lsn);
    [[nodiscard]] errc refuse(const segment_entry& entry, std::uint64_t offset, errc reason,
                              std::string cause);

    file_system* files_;
    std::string directory_;
    std::optional<manifest> promised_;
    std::vector<known_segment> segments_;
    std::vector<kept_block> blocks_;
    codec_set codecs_;
    stored_block stored_;
    std::uint64_t clock_ = 0;  // Counts what was asked, so that the oldest may go.
    std::optional<finding> found_;
};

}  // namespace perdure::io

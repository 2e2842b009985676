// SPDX-License-Identifier: Apache-2.0
//
// How the records of a block become its payload and back: a set of codecs, each with an id that
// stands in the block.
//
// Promise     decode gives back, byte for byte, the records that encode saw, with each PADDING
//             record cut down to its bare header. A block decodes without any other block.
//             A payload that is not what encode wrote answers errc::damaged, never reads or
//             writes out of bounds and never takes more memory than the block's raw length.
// Threads     One codec object belongs to one thread; it keeps its buffers between blocks.
// Format      docs/formats/journal.md#codecs
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include <perdure/shm/error.hpp>
#include <perdure/shm/record_format.hpp>

namespace perdure::io {

enum class codec_id : std::uint16_t {
    stored = 1,    ///< The records as they are.
    shuffled = 2,  ///< Records of one shape by columns, predicted, byte planes, zstd (io/shuffle).
};

/// Where the records of one block lie: checked once, not copied. The bytes must stay as they are
/// until the block is encoded.
class record_list {
  public:
    void clear() noexcept;
    /// Takes records from the front of `bytes` until they end or `raw_bytes_max` would be
    /// exceeded; answers how many bytes of `bytes` they fill, 0 if the first is too large.
    /// Answers garbled for a record whose length, state, LSN or checksum is not
    /// what F1 to F4 (shm/record_format.hpp) and density demand.
    [[nodiscard]] result<std::size_t> add(std::span<const std::byte> bytes, std::uint64_t first_lsn,
                                          std::size_t raw_bytes_max);

    [[nodiscard]] std::size_t size() const noexcept { return records_.size(); }
    [[nodiscard]] const std::byte* operator[](std::size_t i) const noexcept { return records_[i]; }
    /// What the record takes in the block: PADDING counts as its header alone.
    [[nodiscard]] std::uint32_t bytes(std::size_t i) const noexcept { return bytes_[i]; }
    [[nodiscard]] std::span<const std::byte* const> records() const noexcept { return records_; }
    [[nodiscard]] std::size_t raw_bytes() const noexcept { return raw_bytes_; }
    [[nodiscard]] std::uint64_t first_lsn() const noexcept { return first_lsn_; }
    /// The records as a block holds them. Requires: into.size() == raw_bytes().
    void copy_to(std::span<std::byte> into) const noexcept;
    /// Earliest and latest wall clock among the transactions; both 0 if there is none.
    [[nodiscard]] std::uint64_t wall_ns_first() const noexcept { return wall_ns_first_; }
    [[nodiscard]] std::uint64_t wall_ns_last() const noexcept { return wall_ns_last_; }

  private:
    [[nodiscard]] bool are_checksums_right(std::size_t from) const noexcept;

    std::vector<const std::byte*> records_;
    std::vector<std::uint32_t> bytes_;
    std::size_t raw_bytes_ = 0;
    std::uint64_t first_lsn_ = 0;
    std::uint64_t wall_ns_first_ = 0;
    std::uint64_t wall_ns_last_ = 0;
};

/// What a block header says about its content before it is decoded.
struct block_content {
    std::uint64_t first_lsn;
    std::uint64_t last_lsn;
    std::uint32_t raw_bytes;
};

class codec {
  public:
    codec() = default;
    codec(const codec&) = delete;
    codec& operator=(const codec&) = delete;
    virtual ~codec() = default;

    [[nodiscard]] virtual codec_id id() const noexcept = 0;
    /// Fills the front of `into` and answers how much; 0 if this codec gains nothing here or
    /// `into` is too small, so that the caller stores the records as they are.
    [[nodiscard]] virtual std::size_t encode(const record_list& records,
                                             std::span<std::byte> into) = 0;
    /// Requires: raw.size() == content.raw_bytes. Answers damaged.
    [[nodiscard]] virtual result<> decode(std::span<const std::byte> stored,
                                          const block_content& content,
                                          std::span<std::byte> raw) = 0;
};

/// A codec by its number in a block header; nullptr for a number this build does not know.
[[nodiscard]] std::unique_ptr<codec> make_codec(codec_id id);

/// One codec of each number that was met.
class codec_set {
  public:
    /// As codec::decode. Answers wrong_format, too: a number this build does not know.
    [[nodiscard]] result<> decode(codec_id id, std::span<const std::byte> stored,
                                  const block_content& content, std::span<std::byte> raw);
    /// What such an answer means, for a finding.
    [[nodiscard]] static std::string_view why(errc answer) noexcept;

  private:
    std::vector<std::unique_ptr<codec>> known_;
};

/// Walks decoded records: each whole, checksums right, LSNs dense from first to last, nothing left
/// over.
/// Answers damaged.
[[nodiscard]] result<> check_records(std::span<const std::byte> raw, const block_content& content);

/// The header of the record that starts at `at`; at least 16 bytes must be there.
[[nodiscard]] shm::record_header header_at(const std::byte* at) noexcept;

}  // namespace perdure::io

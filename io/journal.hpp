// SPDX-License-Identifier: Apache-2.0
//
// Appends committed records to the journal and makes them durable.
//
// Promise     When sync() succeeds, everything appended before survives power loss: records up
//             to durable_lsn(). A reader afterwards finds all of them, and behind them at most
//             what was appended later, as a prefix.
// Death       A writer killed anywhere leaves at worst a torn tail; the next open() erases it.
// Power loss  The same. Sectors of a synced block are never written again.
// Threads     One writer, by the keeper's lease. append() must not run beside sync().
// Invariants  W1 after one failed write or sync nothing is written any more, and durable_lsn()
//                stays where it is.  W2 synced_seq in a block was synced before it was written.
//             W3 the MANIFEST names a segment before its first block is written.
//             W4 a full disk is met while space is taken, before anything is written into it: then
//                disk_full is answered, nothing has happened, and the same may be tried again.
// Format      docs/formats/journal.md
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <perdure/io/codec.hpp>
#include <perdure/io/journal_reader.hpp>
#include <perdure/io/manifest.hpp>

namespace perdure::io {

struct journal_options {
    std::uint64_t segment_bytes = 64ULL << 20;  ///< A multiple of 4096, at least 8192.
    codec_id codec = codec_id::shuffled;
    std::uint64_t epoch = 0;  ///< Fencing epoch, stands in every block.
    /// Asked before each write and sync; an error stops the writer for good.
    std::function<result<>()> fence{};
};

class journal_writer {
  public:
    /// Verifies the last segment, erases a torn tail and goes on behind the last block; makes the
    /// first segment where there is none. What it finds intact is synced before it returns.
    /// Answers missing, damaged, disk_full, io_error. `files` and `promised` must outlive it.
    [[nodiscard]] static result<std::unique_ptr<journal_writer>> open(
        file_system& files, manifest& promised, journal_options options,
        std::optional<finding>& found);

    /// Writes records as they stand in the ring, PADDING of any length included, as one or more
    /// blocks. Requires: `records` stays unchanged during the call.
    /// Answers garbled (nothing of the offending block is written), durability_lost, lease_lost,
    /// disk_full, io_error. After disk_full without failed() go on from next_lsn() (W4).
    result<> append(std::span<const std::byte> records, std::uint64_t first_lsn);

    /// Makes everything appended durable. Answers durability_lost, lease_lost, io_error.
    result<> sync();

    /// Zero-fills up to `bytes` of the segment to come; false when it is ready. append() does it in
    /// step with what it writes; an idle keeper may do more.
    result<bool> prepare(std::uint64_t bytes);

    [[nodiscard]] std::uint64_t next_lsn() const noexcept { return position_.lsn; }
    [[nodiscard]] std::uint64_t durable_lsn() const noexcept { return durable_lsn_; }
    /// Why the writer has stopped for good; no value while it works.
    [[nodiscard]] std::optional<errc> failed() const noexcept { return failed_; }
    /// Bytes written into blocks, zero fill included, since open().
    [[nodiscard]] std::uint64_t written_bytes() const noexcept { return written_bytes_; }

  private:
    journal_writer(file_system& files, manifest& promised, journal_options options);

    [[nodiscard]] result<> continue_last(std::optional<finding>& found);
    [[nodiscard]] result<> erase_rest(std::uint64_t used_end);
    [[nodiscard]] result<> append_block(std::span<const std::byte>& records);
    [[nodiscard]] result<> write_block(std::size_t stored, codec_id encoded_by);
    [[nodiscard]] std::size_t encode(codec_id& encoded_by);
    [[nodiscard]] result<> sync_now();
    [[nodiscard]] result<> start_spare(std::uint64_t segment_bytes);
    [[nodiscard]] result<bool> fill_spare(std::uint64_t bytes);
    [[nodiscard]] result<> rotate(std::uint64_t segment_bytes_min);
    [[nodiscard]] result<> grow(std::uint64_t segment_bytes);
    [[nodiscard]] result<> may_write() const;
    [[nodiscard]] result<> drop_spare(errc why);
    template <class Work>
    [[nodiscard]] auto guarded(Work&& work) -> decltype(work());

    file_system& files_;
    manifest& promised_;
    journal_options options_;
    file stream_;
    segment_entry entry_{};            // Of the segment that is written.
    std::uint64_t segment_bytes_ = 0;  // Its file's length; 0 before the first segment.
    journal_position position_;
    std::uint64_t synced_seq_ = 0;
    std::uint64_t durable_lsn_ = 0;
    std::uint64_t written_bytes_ = 0;
    std::optional<errc> failed_;
    bool is_full_ = false;  // W4: what is being answered is no failure.

    file spare_;
    std::uint64_t spare_bytes_ = 0;  // Length it shall have; 0 while there is none.
    std::uint64_t spare_filled_ = 0;
    std::uint64_t spare_due_ = 0;  // How much should be filled by now, beyond spare_filled_.

    std::unique_ptr<codec> stored_codec_;
    std::unique_ptr<codec> codec_;
    record_list list_;
    std::vector<std::byte> buffer_;  // One block, header first.
};

}  // namespace perdure::io

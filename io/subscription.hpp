// SPDX-License-Identifier: Apache-2.0
//
// Reads committed records from any LSN on: from the ring while they are there, else from the
// journal's files, and from the ring again when it has caught up.
//
// Promise     Each LSN from the first on is answered once, in order, whoever writes, drains or dies
//             meanwhile. With delivery::durable nothing is answered that a power loss could take
//             back.
// Death       A reader holds nothing that others wait for. It needs no write access.
// Power loss  A consumer of delivery::applied may have seen commits that the world then has not;
//             their LSNs are given out again, to others. Nothing that left the machine may depend
//             on them.
// Threads     One thread. Region and file calls must outlive it.
// Invariants  N1 next_lsn() is the LSN of the first record not answered yet.
#pragma once

#include <memory>
#include <perdure/io/block_finder.hpp>
#include <perdure/shm/record_source.hpp>
#include <perdure/shm/ring_reader.hpp>

namespace perdure::io {

enum class delivery {
    applied,  ///< As soon as it is committed.
    durable,  ///< Not before it survives power loss.
};

class subscription final : public shm::record_source {
  public:
    /// `from_lsn` 0 or 1: from the beginning of time. Nothing is opened before next().
    subscription(const shm::region& where, kernel_calls& calls, const std::string& directory,
                 std::uint64_t from_lsn, delivery level);

    /// At most some hundred KiB, or a block of the journal. Errors: history_gone, missing, damaged,
    /// garbled, io_error.
    result<shm::record_batch> next() override;
    void seek(std::uint64_t lsn) noexcept override { next_lsn_ = lsn == 0 ? 1 : lsn; }

    /// Waits until next() has something to answer; false when the time is over.
    bool wait(shm::deadline until) const noexcept;

    [[nodiscard]] std::uint64_t next_lsn() const noexcept { return next_lsn_; }
    /// Records answered out of files and out of the ring so far.
    [[nodiscard]] std::uint64_t from_files() const noexcept { return from_files_; }
    [[nodiscard]] std::uint64_t from_ring() const noexcept { return from_ring_; }
    /// Where and why a file was refused, after an error.
    [[nodiscard]] const std::optional<finding>& found() const noexcept { return finder_.found(); }

  private:
    [[nodiscard]] std::uint64_t last_deliverable() const noexcept;
    [[nodiscard]] bool has_more() const noexcept;
    [[nodiscard]] result<shm::record_batch> read_ring(std::uint64_t last_lsn);
    [[nodiscard]] result<shm::record_batch> read_files(std::uint64_t last_lsn);

    const shm::region* where_;
    std::unique_ptr<file_system> files_;
    block_finder finder_;
    shm::ring_reader ring_;
    std::vector<std::byte> buffer_;
    std::uint64_t next_lsn_;
    delivery level_;
    std::uint64_t from_files_ = 0;
    std::uint64_t from_ring_ = 0;
};

}  // namespace perdure::io

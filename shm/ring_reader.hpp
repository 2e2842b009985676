// SPDX-License-Identifier: Apache-2.0
//
// Reads committed records out of the ring beside producers and the drain, from any attached
// process, also where the region is mapped read-only.
//
// Promise     What read() answers was whole and final when it was copied, LSNs dense. A record
//             that may have been overwritten meanwhile is not answered: the reader says lost.
// Death       A dead producer's claim holds the reader up until somebody repairs it, as it does the
//             drain. A reader that dies leaves nothing.
// Threads     One thread a reader; no lock, no store into the region.
// Invariants  V1 what stands at a position p is untouched while head <= p, and also as long as
//                p + ring bytes > tail + record_bytes_max + 16: the claim at the tail, which is the
//                only one that stores beyond it, reaches no further. So a reader may follow up to
//                three quarters of the ring behind the tail, wherever the head is.
// Format      record_format.hpp, docs/formats/region.md#ring
#pragma once

#include <perdure/shm/ring.hpp>

namespace perdure::shm {

enum class ring_place {
    here,   ///< The reader stands at the LSN.
    ahead,  ///< Nobody has claimed it yet; the reader stands as near as it can.
    gone,   ///< It is not in the ring any more.
};

class ring_reader {
  public:
    explicit ring_reader(const region& where) noexcept : where_(&where) {}

    /// Goes to `lsn`. Errors: garbled.
    result<ring_place> seek(std::uint64_t lsn) noexcept;

    /// Copies whole records from `lsn` on to `target`, none above `last_lsn`, at least `bytes_max`
    /// bytes of them if there are as many, and at most a record more. Answers how many bytes; 0:
    /// the next one is not committed yet. Errors: not_found when it is not in the ring any more,
    /// garbled.
    result<std::size_t> read(std::uint64_t lsn, std::uint64_t last_lsn, std::size_t bytes_max,
                             std::vector<std::byte>& target);

    /// LSN behind what read() answered.
    [[nodiscard]] std::uint64_t next_lsn() const noexcept { return lsn_; }
    /// True when read() would answer something.
    [[nodiscard]] bool is_ready() const noexcept;

  private:
    [[nodiscard]] bool is_intact(std::uint64_t position) const noexcept;
    [[nodiscard]] bool set_anchor() noexcept;
    [[nodiscard]] errc judge(std::uint64_t position) const noexcept;

    const region* where_;
    std::uint64_t position_ = 0;
    std::uint64_t lsn_ = 0;  ///< Of the record at position_; 0: not known yet.
};

}  // namespace perdure::shm

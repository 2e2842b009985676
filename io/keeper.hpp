// SPDX-License-Identifier: Apache-2.0
//
// Drains the ring into the journal: group commit, the durable mark, the sweep of the dead.
//
// Promise     durable_lsn moves only after a sync that covers it ended with success. The head of
//             the ring moves only behind it, so what is not yet on disk is still in the region.
// Death       Killed anywhere, a keeper leaves the ring as it was and at worst a torn block; the
//             next holder of the lease erases that and goes on from the head.
// Power loss  As journal.hpp.
// Threads     One at a time holds the lease; help() may be called by any thread of the process.
// Invariants  K1 nothing is written unless the region's fencing epoch is this keeper's.
//             K2 a failed write or sync freezes the durable mark for good; nobody retries it. A
//                disk that is too full to begin a write only stops it, until there is room.
//             K3 the head never passes a record that is CLAIMED.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <perdure/io/checkpointer.hpp>
#include <perdure/io/journal.hpp>
#include <perdure/io/lease.hpp>
#include <perdure/shm/page_reserve.hpp>
#include <perdure/shm/session.hpp>

namespace perdure::io {

struct keeper_options {
    std::uint64_t segment_bytes = 64ULL << 20;
    std::optional<checkpointer_options> checkpoints{};  ///< None: it takes none.
};

class keeper final : public shm::drain {
  public:
    /// Several blocks a sync: a sync takes as long for eight megabytes as for one (perf/durable).
    static constexpr std::uint64_t round_bytes_max = 8 * block_raw_bytes;

    keeper(file_system& files, std::string directory, keeper_options options);
    keeper(const keeper&) = delete;
    keeper& operator=(const keeper&) = delete;
    ~keeper();

    /// Takes the lease, fences whoever had it, opens the journal and agrees with it about what is
    /// durable. Errors: lease_held, lease_lost (the region is not the world's newest), damaged,
    /// missing, disk_full, io_error, durability_lost.
    result<> take(shm::region& where);

    /// One round: what is whole in the ring, up to a block, written and synced. Answers the
    /// records. Errors: durability_lost, lease_lost, garbled; all final. And disk_full: what had
    /// room is durable, and the rest may be tried again.
    result<std::uint64_t> drain_once(shm::region& where);

    /// Gives the lease back; the journal stays open for the next help().
    void rest() noexcept;

    /// shm::drain: empties the ring once, if nobody else keeps the world.
    result<> help(shm::region& where) noexcept override;

    /// Keeps the world until `stop` answers true, asked at least ten times a second. Waits for the
    /// lease first. Errors: as take and drain_once, but for lease_held.
    result<> run(shm::region& where, const std::function<bool()>& stop);

    /// Takes a checkpoint now, if anything has changed, where nobody else keeps the world. False:
    /// nothing has. Errors: as take, drain_once and checkpoint_taker::take.
    result<bool> checkpoint(shm::region& where, bool full);

    /// Where and why the journal was refused, after an error.
    [[nodiscard]] const std::optional<finding>& found() const noexcept { return found_; }

  private:
    result<> open_journal(shm::region& where);
    result<> is_newest(shm::region& where);
    result<> agree(shm::region& where);
    result<> drain_rest(shm::region& where);
    result<> freeze(shm::region& where, errc cause) noexcept;
    result<> refuse_for_now(shm::region& where) noexcept;
    void take_on(shm::region& where) noexcept;
    result<std::uint64_t> write_out(shm::region& where, std::uint64_t end, std::uint64_t first_lsn);
    result<std::uint64_t> ready_end(shm::region& where, std::uint64_t& first_lsn);
    void publish(shm::region& where, std::uint64_t lsn) noexcept;
    void gather(shm::region& where, std::uint64_t drained) const noexcept;
    void idle(shm::region& where) noexcept;
    void doze(shm::region& where) noexcept;
    bool get_ahead(shm::region& where, shm::page_reserve& reserve) const noexcept;
    [[nodiscard]] checkpointer::moment moment_of(shm::region& where) noexcept;
    result<bool> checkpoint_by(shm::region& where, shm::participant& self, bool full,
                               std::string_view trigger);
    result<> look_after(shm::region& where);
    void keep_on(shm::region& where, const std::function<bool()>& stop, result<>& ended);

    std::mutex turn_;  // Of help(), which comes from any thread, and of run().
    file_system* files_;
    std::string directory_;
    keeper_options options_;
    lease lease_;
    std::optional<manifest> manifest_;
    std::unique_ptr<journal_writer> writer_;
    std::unique_ptr<checkpointer> checkpoints_;
    std::optional<finding> found_;
    std::vector<std::byte> wrapped_;
    std::uint64_t epoch_ = 0;
    std::uint32_t woken_ = 0;  // How many slept until the last sync had ended.
    std::uint32_t sleepers_ =
        0;  // The mark's count of them then: the dead and the slow stand in it.
    std::uint64_t sync_ns_ = 0;  // How long it took.
};

}  // namespace perdure::io

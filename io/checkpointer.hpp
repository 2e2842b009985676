// SPDX-License-Identifier: Apache-2.0
//
// The keeper's second pair of hands: takes checkpoints while the keeper drains, and clears away
// what they made superfluous.
//
// Promise     A checkpoint is published once it is whole, verified and named; then, and not before,
//             older ones and segments go. One that fails is told of, leaves nothing, and is tried
//             again when the next is due: never by the journal's or the writers' expense.
// Death       As checkpoint.hpp; what was retired in the MANIFEST and not unlinked goes later.
// Power loss  The same.
//             While the disk is nearly full, packing ends first, then the oldest history goes.
// Threads     All calls by the keeper's thread; one more takes the checkpoint meanwhile, and packs
//             and reads again what lies on the disk while there is nothing to take.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <perdure/io/checkpoint.hpp>
#include <perdure/io/room.hpp>
#include <perdure/io/scrubber.hpp>
#include <perdure/io/segment_packer.hpp>
#include <thread>

namespace perdure::io {

/// What became of a checkpoint, for the log and the catalog.
struct checkpoint_news {
    bool is_valid = false;
    std::string_view trigger;
    checkpoint_report report;  ///< When it is valid.
    errc refused{};            ///< When it is not.
    std::string cause;
    std::vector<checkpoint_entry> retired;
};

struct checkpointer_options {
    checkpoint_policy policy;
    std::function<void(const checkpoint_news&)> tell;
    /// LSN that the slowest cursor has read; what is behind it stays.
    std::function<std::uint64_t()> oldest_cursor;
    /// Told when the disk has become fuller or emptier, and of what went for that.
    std::function<void(const room_news&)> room_changed{};
};

class checkpointer {
  public:
    /// What the keeper knows at the moment.
    struct moment {
        shm::region& where;
        manifest& promised;
        std::uint64_t epoch;
        std::uint64_t written_bytes;  ///< Into the journal since the keeper began.
        bool scrubs = false;          ///< It stays: what is on the disk may be read again.
    };

    checkpointer(kernel_calls& calls, file_system& files, std::string directory,
                 checkpointer_options options);
    checkpointer(const checkpointer&) = delete;
    checkpointer& operator=(const checkpointer&) = delete;
    ~checkpointer();

    /// Says what there is, removes drafts and what was retired. Requires: the lease was taken just
    /// now, and a dead keeper's capture abandoned.
    void begin(const moment& now);

    /// Publishes what has become ready, begins what is due. Answers io_error, disk_full: the
    /// MANIFEST could not be written, which is final where it says so (manifest::is_failed).
    result<> tick(const moment& now);

    /// Lets the oldest history go that nobody needs; false: there is none. Errors: as tick().
    result<bool> make_room(const moment& now);
    /// Says how the room is, in the region and to whom the options name.
    void tell_room(const moment& now, room_state state, const removals& gone);

    /// Takes one on this thread, by `self`, if anything has changed: at the end, or where nobody
    /// else keeps the world. `drain` makes all records durable. False: nothing has changed.
    /// Errors: as checkpoint_taker::take and tick().
    struct now_order {
        bool full = false;
        std::string_view trigger;
        std::function<result<>(std::uint64_t lsn)> await_durable;
    };
    result<bool> take_now(const moment& now, shm::participant& self, const now_order& how);

    /// Ends what is under way and waits for it.
    void stop() noexcept;

    [[nodiscard]] const checkpoint_policy& policy() const noexcept { return options_.policy; }
    [[nodiscard]] const std::optional<finding>& found() const noexcept { return found_; }

  private:
    enum class stage { idle, ordered, working, ready };
    struct outcome {
        result<checkpoint_report> report = errc::not_found;
        std::string cause;
    };

    void work(shm::region& where);
    void start(const moment& now);
    [[nodiscard]] static std::chrono::milliseconds pause_beside() noexcept;
    void work_beside(scrubber& again, segment_packer& packer, std::unique_lock<std::mutex>& mine,
                     std::uint64_t now_ns);
    result<> watch_room(const moment& now);
    result<> let_go(const moment& now, const removals& goes);
    void tell_rot(shm::region& where);
    [[nodiscard]] checkpoint_order order_for(const moment& now, checkpoint_due due) const;
    [[nodiscard]] checkpoint_situation look(const moment& now) const;
    [[nodiscard]] outcome take(checkpoint_taker& taker, const checkpoint_order& order,
                               file_system& files);
    result<> settle(const moment& now, checkpoint_taker& taker, outcome&& made);
    result<> clear_away(const moment& now, std::vector<checkpoint_entry>& retired);
    void sweep(const manifest& promised);

    kernel_calls* calls_;
    file_system* files_;
    std::string directory_;
    checkpointer_options options_;
    std::optional<finding> found_;

    std::uint64_t begun_ns_ = 0;  // Wall clock.
    std::uint64_t serving_ = 0;   // The request that is dealt with.
    std::string_view trigger_;
    std::uint64_t written_at_ = 0;  // written_bytes at the last checkpoint.
    std::uint64_t retry_ns_ = 0;    // Not before, after a failure.
    unsigned given_up_ = 0;         // Captures in a row.
    std::uint64_t looked_ns_ = 0;   // At the disk's room.

    std::mutex mutex_;  // Of what both threads touch:
    std::condition_variable changed_;
    stage stage_ = stage::idle;
    bool stops_ = false;
    checkpoint_order order_;
    outcome made_;
    checkpoint_taker* taker_ = nullptr;
    std::vector<finding> rotten_;  // Found beside checkpoints and not told yet.
    std::uint64_t rotten_places_ = 0;
    bool is_all_read_ = false;  // Once: before, what another keeper has found counts as well.
    std::uint64_t epoch_ = 0;
    bool is_tight_ = false;         // Nothing is packed.
    std::uint64_t pack_at_ns_ = 0;  // Not before.
    std::thread hands_;
};

/// Asks whoever keeps the world for a checkpoint, waits for nothing: the number of the request.
std::uint64_t request_checkpoint(shm::region& where, bool full) noexcept;

/// Asks whoever keeps the world for a checkpoint and waits for it. False: nothing had changed.
/// Errors: lease_held (nobody keeps it, or no more: try its lease again), stalled, and what refused
/// the checkpoint.
result<bool> ask_checkpoint(shm::region& where, bool full, shm::deadline until) noexcept;

}  // namespace perdure::io

// SPDX-License-Identifier: Apache-2.0
//
// The face: a world is a directory, opened by any number of processes, changed in transactions.
//
// Promise     open() answers an attached world in the state of the last commit if any process of
//             this boot had it open, else in the state of the last durable commit; or it throws and
//             says why.
// Death       Any process may be killed at any instruction; the next one to meet its locks repairs.
// Power loss  What was waited for with durability::durable is there afterwards.
// Threads     A world may be shared by threads; each writing thread joins with a session of its
//             own.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <perdure/core/clock.hpp>
#include <perdure/core/condition.hpp>
#include <perdure/core/document.hpp>
#include <perdure/core/ledger.hpp>
#include <perdure/core/projection.hpp>
#include <perdure/core/stake.hpp>
#include <perdure/io/checkpointer.hpp>
#include <perdure/io/file.hpp>
#include <perdure/io/historian.hpp>
#include <perdure/io/past.hpp>
#include <perdure/io/snapshot.hpp>
#include <perdure/io/subscription.hpp>
#include <string>
#include <vector>

namespace perdure {

namespace io {
class config;
}

using io::subscription;
using shm::receipt;
using shm::session;
using shm::view;

enum class durability {
    applied,  ///< Survives the death of any set of processes: true when write() has answered.
    durable,  ///< Survives power loss.
};

struct world_options {
    std::string region_directory;  ///< Empty: /dev/shm, or the world if that is too small.
    std::uint64_t capacity_bytes = 8ULL << 30;
    std::uint64_t ring_bytes = 32ULL << 20;
    std::uint64_t undo_bytes = 128ULL << 10;
    std::uint32_t slot_count = 64;
    std::uint64_t segment_bytes = 64ULL << 20;
    std::uint64_t keys_kept = 10'000'000;             ///< Commits an idempotency key is known for.
    clock_settings clock{};                           ///< What start_clock() gives it.
    std::optional<std::uint32_t> group;               ///< access.group: a group that may attach.
    shm::access group_may = shm::access::read_write;  ///< access.rights: what for.
    std::string boot_id;  ///< Empty: the kernel's. Another one is another boot.
    /// How long open() waits for a process that recovers the world, or keeps it without its region.
    std::chrono::milliseconds patience = std::chrono::minutes(1);
    bool may_recover = true;  ///< False: only attach to a region that is there.
    shm::access mode = shm::access::read_write;
    io::kernel_calls* calls = nullptr;    ///< How files are reached; nullptr: Linux itself.
    io::checkpoint_policy checkpoints{};  ///< When keep() takes them, and what it keeps of them.
    std::uint64_t shadow_bytes = 0;       ///< Of a new region: checkpoint.shadow.
    /// Told of every checkpoint that keep() has taken or failed to take, on its thread.
    std::function<void(const io::checkpoint_news&)> checkpoint_taken;
    /// Told by keep() when the disk has become fuller or emptier, and what went for that.
    std::function<void(const io::room_news&)> room_changed{};
    /// Asked of a recovered region before it is accepted, besides what the world asks itself: ""
    /// or what is wrong with it.
    std::vector<io::region_validator> validators;
};

/// What a configuration says of a world. Throws failure: bad_setting.
world_options options_from(const io::config& config);

/// What open() had to do, for people and for status.
struct opening {
    bool recovered = false;  ///< The region was rebuilt from the journal.
    std::string reason;      ///< Why: "no region", "another boot", ...
    std::string torn_tail;   ///< What lay behind the last block, empty when nothing did.
    std::uint64_t last_lsn = 0;
    std::uint64_t transactions = 0;    ///< That were replayed.
    std::uint64_t checkpoint_lsn = 0;  ///< Of the checkpoint it began with, 0 = none.
    std::uint64_t rows = 0;            ///< Loaded from checkpoints.
    std::vector<io::recovery_attempt> tried;
    std::vector<io::recovered_component> components;  ///< One behind those it needs.
    double load_ms = 0;
    double replay_ms = 0;
    double index_ms = 0;
    double milliseconds = 0;
};

/// What verify() found. Hashes are BLAKE2b-256 in hexadecimal (docs/formats/hashes.md).
struct verdict {
    bool sound = false;      ///< No problem found.
    bool conserved = false;  ///< Every asset's balances add up to its supply.
    std::string state_hash;
    std::string image_hash;
    std::uint64_t last_lsn = 0;
    std::uint64_t durable_lsn = 0;
    std::vector<std::string> problems;
};

class world {
  public:
    /// Makes the directory with an empty world. Throws failure: exists, disk_full, io_error.
    static void create(const std::string& directory);
    /// Opens it as its world.toml and the PERDURE_ variables say.
    /// Throws failure: bad_setting, missing, damaged, foreign, wrong_format, no_memory, io_error.
    static world open(const std::string& directory);
    static world open(const std::string& directory, const world_options& options);
    /// The world as it was, in memory of its own: for looking; what is written there is lost.
    /// Throws failure: also not_found, history_gone.
    static world recall(const std::string& directory, const world_options& options,
                        const io::past_point& point);

    world(const world&) = delete;
    world& operator=(const world&) = delete;
    world(world&&) noexcept;
    world& operator=(world&&) noexcept;
    ~world();

    /// One per writing thread, stays on it. Throws failure: no_slot, read_only, forked.
    session join();

    /// For threads that only read, also where the region may only be read.
    [[nodiscard]] shm::reader reader() const { return shm::reader(region()); }

    /// Errors: stalled, durability_lost, garbled (a receipt of another incarnation).
    result<> wait(session& by, const receipt& paid, durability level,
                  shm::deadline until = shm::deadline::in(std::chrono::seconds(30)));

    /// Committed records from an LSN on, as projections and other consumers read them. Must not
    /// outlive the world. What leaves the machine follows what is durable.
    [[nodiscard]] subscription follow(std::uint64_t from_lsn, durability level) const;

    /// All rows of tables as of one moment, copied beside writers, who are never stopped: for sums,
    /// reports, exports. Takes memory for the tables. Requires: this thread is in no transaction.
    /// Throws failure: unknown_table, stalled, busy, history_gone, damaged, io_error.
    [[nodiscard]] io::snapshot snapshot(const io::snapshot_order& order = {}) const;

    /// What events are declared; empty in a world that was made before there were any.
    [[nodiscard]] const event_catalogue& events() const noexcept;
    /// What empties the ring where nobody keeps the world: for waits that no session makes
    /// (io/async_wait.hpp). Lives as long as the world.
    [[nodiscard]] shm::drain& drain() const noexcept;

    /// Touches the region's memory once, so that no transaction meets a page fault.
    void warm() const noexcept;

    [[nodiscard]] const ledger& books() const noexcept;
    [[nodiscard]] const perdure::documents& documents() const noexcept;
    [[nodiscard]] const world_clock& clock() const noexcept;
    [[nodiscard]] const perdure::stakes& stakes() const noexcept;
    /// Lets world time go on, as the options say; it does while somebody keeps the world. Errors:
    /// as world_clock::start and session::write.
    result<receipt> start_clock(session& by);
    [[nodiscard]] const opening& opened() const noexcept;
    [[nodiscard]] condition status() const;
    /// What became of what this process told to catalog.db: of checkpoints, recoveries, components
    /// and validations. Nothing depends on it.
    [[nodiscard]] io::historian::tally history() const;
    [[nodiscard]] shm::region& region() const noexcept;
    [[nodiscard]] const std::string& directory() const noexcept;

    /// Reads everything behind the gate and checks it; waits for the gate until the deadline.
    /// Throws failure when it cannot: stalled, no_memory, io_error.
    /// Deep: also every checkpoint, and the state built again from files, twice.
    struct verify_options {
        bool deep = false;
        shm::deadline until = shm::deadline::in(std::chrono::seconds(30));
    };
    verdict verify(session& by, const verify_options& how);
    verdict verify(session& by) { return verify(by, {}); }

    /// Has a checkpoint taken by whoever keeps the world, or takes it where nobody does. False:
    /// nothing has changed since the last one. Throws failure: stalled, lease_held (by somebody who
    /// keeps nothing), disk_full, io_error, ...
    bool checkpoint(bool full, shm::deadline until = shm::deadline::in(std::chrono::minutes(10)));

    /// The keeper's work until `stop` says true, asked at least ten times a second: drains, syncs,
    /// sweeps, ends the ticks of a live clock. Waits for the lease first (a standby). Throws
    /// failure: durability_lost, lease_lost, ...
    void keep(const std::function<bool()>& stop);

  private:
    struct parts;
    explicit world(std::unique_ptr<parts> made) noexcept;
    std::unique_ptr<parts> parts_;
};

}  // namespace perdure

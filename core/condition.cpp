// SPDX-License-Identifier: Apache-2.0
#include <perdure/core/condition.hpp>

#include <algorithm>

#include <perdure/shm/capture.hpp>
#include <perdure/shm/participant.hpp>
#include <perdure/shm/ring.hpp>

namespace perdure {
namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr int region_alarm = 40;  // Its health when nine tenths are taken.

/// 100 up to `good`, from there down to `least` at `bad`.
int falling(std::uint64_t value, std::uint64_t good, std::uint64_t bad, int least = 0) noexcept {
    if (value <= good) return 100;
    if (value >= bad) return least;
    const auto way = static_cast<double>(value - good) / static_cast<double>(bad - good);
    return 100 - static_cast<int>(way * (100 - least));
}

std::string duration(std::uint64_t ns) {
    const std::uint64_t seconds = ns / second_ns;
    if (seconds < 120) return std::to_string(seconds) + " s";
    if (seconds < 7200) return std::to_string(seconds / 60) + " min";
    return std::to_string(seconds / 3600) + " h";
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
    return std::to_string(whole == 0 ? 0 : part * 100 / whole) + " %";
}

std::string named(std::uint64_t code) {
    const auto reason = static_cast<errc>(code);
    return std::string(name(reason)) + ": " + std::string(remedy(reason));
}

// As io::room_state says it.
constexpr std::uint32_t room_roomy = 1;
constexpr std::uint32_t room_tight = 2;

/// What a disk that fills does to the journal.
void tell_room(const condition& now, component& out) {
    const std::string free = std::to_string(now.free_bytes >> 20) + " MiB of the disk are free";
    out.note += "; " + free;
    if (now.refusing != 0) {
        out.state = "refusing";
        out.health = std::min(out.health, 10);
        out.alarm = "nothing becomes durable until there is room: " + named(now.refusing);
    } else if (now.room == room_tight) {
        out.health = std::min(out.health, 80);
        out.note += ", nothing is packed";
    } else {
        out.health = std::min(out.health, 50);
        out.note += ", old history goes";
        out.alarm = free + ", and the oldest history goes for that: free space";
    }
}

component journal_of(const condition& now) {
    component out{"journal", "written"};
    const auto behind = now.last_lsn - std::min(now.last_lsn, now.durable_lsn);
    out.note = std::to_string(behind) + " commits are not durable yet, " +
               percent(now.lag_bytes, now.ring_bytes) + " of the ring";
    if (now.fault != 0) {
        out.state = "failed";
        out.health = 0;
        out.alarm =
            "nothing becomes durable any more: " + std::string(name(static_cast<errc>(now.fault))) +
            ". " + std::string(remedy(errc::durability_lost));
    } else if (behind != 0) {
        out.state = "behind";
        // A full ring makes writers wait for the disk, and loses nothing.
        out.health = falling(now.lag_bytes, now.ring_bytes / 2, now.ring_bytes, 50);
    }
    if (now.fault == 0 && now.room > room_roomy) tell_room(now, out);
    return out;
}

component checkpoint_of(const condition& now) {
    const auto& mark = now.checkpoint;
    component out{"checkpoint", "current", 100, "nothing has changed since the newest"};
    const std::uint64_t since = mark.lsn != 0 ? mark.wall_ns : now.keeper_since_ns;
    const std::uint64_t age = since == 0 || since > now.wall_ns ? 0 : now.wall_ns - since;
    if (now.last_lsn > mark.lsn) {
        out.state = mark.lsn == 0 ? "waiting" : "aging";
        out.note = mark.lsn == 0 ? "none yet" : "the newest is " + duration(age) + " old";
        if (const auto every = now.checkpoint_every_ns; every != 0) {
            out.note += ", one is due every " + duration(every);
            out.health = falling(age, every, 3 * every);
            if (age > 2 * every) {
                out.state = "late";
                out.alarm = (mark.lsn == 0 ? "none for " + duration(age) : out.note) +
                            (now.keeper_pid == 0
                                 ? ": start `perdure serve`, nobody keeps the world"
                                 : ": look into the keeper's log, then `perdure checkpoint`");
            }
        }
    }
    if (mark.refused != 0) {
        out.state = "failed";
        out.health = std::min(out.health, 50);
        out.note += "; the last one failed";
        out.alarm = "the last one failed, " + named(mark.refused) +
                    (out.alarm.empty() ? " The keeper tries again" : "; " + out.alarm);
    }
    return out;
}

component files_of(const condition& now) {
    component out{"files", "sound", 100, "no damage is known"};
    if (now.rotten == 0) return out;
    out.state = "damaged";
    out.health = 30;
    out.note = std::to_string(now.rotten) + (now.rotten == 1 ? " place" : " places") +
               " of the checkpoints and the journal on the disk cannot be read as written";
    out.alarm = out.note +
                ": `perdure verify --deep` names them, then see \"A checkpoint is "
                "damaged, or rot was found\" in docs/operations.md";
    return out;
}

component region_of(const condition& now) {
    component out{"region", "roomy"};
    out.note = percent(now.region_bytes, now.capacity_bytes) + " of its capacity is taken";
    out.health = falling(now.region_bytes, now.capacity_bytes / 4 * 3, now.capacity_bytes);
    if (out.health < 100) out.state = "tight";
    if (out.health <= region_alarm) {
        out.alarm = out.note + ": raise region.capacity and restart";
    }
    return out;
}

component keeper_of(const condition& now) {
    component out{"keeper", "keeping"};
    out.note =
        "process " + std::to_string(now.keeper_pid) + ", epoch " + std::to_string(now.keeper_epoch);
    if (now.keeper_pid != 0) return out;
    out.state = "none";
    out.note = "none, and none is needed";
    if (now.lag_bytes == 0 && now.participants == 0) return out;
    out.health = 70;
    out.note = "none: whoever waits for durability writes the journal, and nobody checkpoints";
    if (now.participants == 0) {
        out.health = 50;
        out.alarm = "none, and commits that are not durable: start `perdure serve`";
    }
    return out;
}

}  // namespace

condition look_at(shm::region& where, std::uint64_t every_ns) {
    const auto& header = where.header();
    condition out;
    out.last_lsn = shm::next_lsn(where) - 1;
    out.durable_lsn = shm::load(header.durable.lsn);
    out.ring_bytes = where.geometry().ring_bytes;
    out.lag_bytes = shm::load(header.producer.tail) - shm::load(header.head.value);
    out.region_bytes = shm::load(header.committed_bytes.value);
    out.capacity_bytes = where.geometry().capacity_bytes;
    out.repairs = shm::load(header.counters.repairs);
    out.repairs_undone = shm::load(header.counters.repairs_undone);
    out.incarnation = where.geometry().incarnation;
    out.generation = where.geometry().generation;
    out.keeper_epoch = shm::load(header.keeper.epoch);
    out.fault = shm::load(header.durable.failed);
    out.refusing = shm::load(header.durable.refusing);
    out.room = shm::load(header.durable.room);
    out.free_bytes = shm::load(header.durable.free_bytes);
    out.rotten = shm::load(header.durable.rotten);
    shm::copy_out(&out.checkpoint, &header.checkpoint, sizeof out.checkpoint);
    shm::copy_out(&out.captures, &header.captures, sizeof out.captures);
    out.dirty_bytes = shm::dirty_pages(where) * shm::page_bytes;
    out.wall_ns = where.waits().wall_ns();
    const auto sitter = shm::load(header.keeper.slot);
    for (std::uint32_t i = 0; i < where.geometry().slot_count; ++i) {
        const auto& slot = where.slot(i);
        const auto pid = shm::load(slot.pid);
        if (pid == 0) continue;
        // A reader cannot test a life lock; what it shows may be a dead one not yet swept.
        if (where.writable() && shm::try_repair(where, i) == shm::life::gone) continue;
        out.sitting.push_back({i, pid, shm::load(slot.thread), shm::load(slot.active) != 0});
        if (sitter != i + 1) continue;
        out.keeper_pid = shm::load(header.keeper.pid);
        out.keeper_since_ns = shm::load(slot.joined_ns);
    }
    out.participants = static_cast<std::uint32_t>(out.sitting.size());
    const auto& mark = out.checkpoint;
    const bool is_untold = mark.lsn == 0 || out.keeper_pid == 0;
    out.checkpoint_every_ns = mark.next_ns > mark.wall_ns ? mark.next_ns - mark.wall_ns
                              : is_untold                 ? every_ns
                                                          : 0;
    return out;
}

std::vector<component> components_of(const condition& now) {
    return {journal_of(now), checkpoint_of(now), files_of(now), region_of(now), keeper_of(now)};
}

}  // namespace perdure

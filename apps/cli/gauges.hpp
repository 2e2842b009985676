// SPDX-License-Identifier: Apache-2.0
//
// A world's figures at one moment, read out of the region by somebody who only reads.
//
// Promise     Works without a keeper and while processes are stopped; never waits for anybody.
// Threads     One thread.
#pragma once

#include <boost/json/fwd.hpp>
#include <perdure/apps/tables/reader.hpp>
#include <perdure/core/world.hpp>

namespace perdure::apps {

struct participant_gauge {
    std::uint32_t slot = 0;
    std::uint64_t pid = 0;
    std::uint64_t thread = 0;
    std::uint64_t commits = 0;
    std::uint64_t seconds = 0;  ///< Since it joined.
    bool active = false;        ///< In a transaction.
    bool fenced = false;        ///< Its undo was garbled; nobody sits there until a rebuild.
    std::string process;        ///< "lives", "stopped" or "gone", as /proc says.
};

struct table_gauge {
    std::string name;
    std::uint64_t rows = 0;   ///< Handed out; freed ones are among them.
    std::uint64_t bytes = 0;  ///< Of the rows; indexes have tables of their own.
};

struct gauges {
    std::uint64_t at_ns = 0;
    std::uint64_t last_lsn = 0;
    std::uint64_t durable_lsn = 0;
    std::uint64_t ring_used = 0;
    std::uint64_t ring_bytes = 0;
    std::uint64_t region_bytes = 0;
    std::uint64_t capacity_bytes = 0;
    std::uint64_t repairs = 0;
    std::uint64_t repairs_undone = 0;
    std::uint64_t garbled = 0;
    std::uint64_t last_error = 0;  ///< errc of the last broken structure.
    std::uint64_t gate_wait_ns_max = 0;
    std::uint64_t incarnation = 0;
    std::uint64_t fault = 0;  ///< errc that froze durability.
    std::uint64_t keeper_epoch = 0;
    std::uint32_t keeper_pid = 0;  ///< 0: nobody has signed.
    std::string keeper_process;    ///< As of a participant.
    std::uint32_t gate_slot = 0;   ///< Slot + 1 of who has closed the gate.
    std::vector<participant_gauge> participants;
    std::vector<table_gauge> tables;
};

/// Throws failure: busy, bad_schema.
[[nodiscard]] gauges read_gauges(world_reader& in);

/// "lives", "stopped" or "gone".
[[nodiscard]] std::string process_state(std::uint64_t pid);

/// A keeper that is stopped answers nobody, and nobody can take its place. Throws failure: stalled.
void expect_running_keeper(const world& in);

/// Rates are per second between the two looks.
[[nodiscard]] boost::json::object as_json(const gauges& now, const gauges& before);

}  // namespace perdure::apps

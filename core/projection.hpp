// SPDX-License-Identifier: Apache-2.0
//
// Projections: events folded into tables, each exactly once.
//
// Promise     Cursor and results move in one transaction, so that the results are those of all
//             events up to the cursor and of no other, whoever dies where and however many
//             processes step the same projection. A rebuild leads to the same results while the
//             world runs; who reads them meanwhile sees in the cursor's row that they lack some.
// Death       The next step of whichever process goes on from the cursor; a rebuild too.
// Power loss  Cursor and results come back together. Follow what is durable if anything outside
//             of the world depends on the results.
// Threads     One object, one thread.
// Invariants  Q1 a step without a matching event commits nothing, unless the cursor has fallen
//                cursor_lag_max records behind: or a projection would follow its own commits.
//             Q2 nobody else writes the tables of a projection.
// Format      cursor_format.hpp, docs/formats/projections.md#cursors
#pragma once

#include <functional>
#include <perdure/core/cursor_format.hpp>
#include <perdure/core/event_filter.hpp>
#include <perdure/shm/record_source.hpp>

namespace perdure {

/// An event with the record that it stands in.
struct recorded_event {
    std::uint64_t lsn;
    std::uint64_t wall_ns;
    std::uint64_t world_time;
    std::optional<shm::transaction_key> key;
    shm::event_view event;
};

struct projection_rule {
    std::string name;  ///< Up to 39 bytes; whose cursor it is.
    event_filter wanted;
    /// Folds one event in. May run more than once and must act through the transaction alone.
    std::function<result<>(shm::transaction&, const recorded_event&)> fold;
    /// The tables that hold the results; a rebuild empties them.
    std::vector<std::uint32_t> results;
};

/// What a step has done.
struct projection_step {
    std::uint64_t lsn = 0;      ///< Everything up to it has been looked at.
    std::uint64_t applied = 0;  ///< Events folded in by this step.
    bool idle = false;          ///< There is nothing more at the moment.
};

class projection {
  public:
    static constexpr std::uint64_t cursor_lag_max = 4096;
    static constexpr std::size_t events_a_step = 256;

    /// Finds or makes the table of cursors and this one's row, at LSN 0.
    /// Errors: bad_schema (the name), exists (another name of one hash), as shm::create_table.
    static result<projection> open(shm::session& by, const event_catalogue& catalogue,
                                   projection_rule rule);

    /// A bounded piece of work: reads on, folds what matches, moves the cursor; or empties a part
    /// of the results. `from` is asked by this projection alone.
    /// Errors: fold's own, stalled, and the source's; nothing has changed then.
    result<projection_step> step(shm::session& by, shm::record_source& from);

    /// From the next step on, of whichever process, the results are built anew from LSN 1.
    result<> rebuild(shm::session& by) const;

    /// The cursor's row as it is now. Errors: as session::read.
    result<cursor_row> cursor(shm::session& by) const;

  private:
    projection(const event_catalogue& catalogue, projection_rule rule, std::uint32_t cursors,
               shm::row_key key)
        : catalogue_(&catalogue), rule_(std::move(rule)), cursors_(cursors), key_(key) {}

    result<cursor_row*> edit_cursor(shm::transaction& in, const cursor_row& known) const noexcept;
    result<> gather(shm::record_source& from);
    result<> commit(shm::session& by, const cursor_row& known);
    result<projection_step> empty(shm::session& by, const cursor_row& known);

    const event_catalogue* catalogue_;
    projection_rule rule_;
    std::uint32_t cursors_;
    shm::row_key key_;
    std::uint64_t left_at_ = 0;                            // Where this process left the cursor.
    std::uint64_t scanned_ = 0;                            // Looked at, from there on.
    bool is_placed_ = false;                               // The source stands behind scanned_.
    shm::record_walk rest_{std::span<const std::byte>()};  // Of the batch at hand.
    std::vector<recorded_event> due_;
    std::size_t events_max_ = events_a_step;
    std::uint64_t emptied_for_ = 0;  // Emptying: the cursor row's LSN when this walk began,
    std::size_t table_ = 0;          // which of the results it is at, and at which row.
    std::uint64_t row_ = 0;
};

/// The lowest LSN that a cursor stands at, ~0 where there is none: what is behind it has been read
/// by all. 0 while that cannot be known, because somebody writes a cursor. `table` is where cursors
/// are, 0 until it was found: who asks again keeps it, and waits for no writer of schemas.
std::uint64_t slowest_cursor(shm::region& where, std::uint32_t& table);

/// The cursors' table number; made if it is not there. Errors: schema_mismatch, as create_table.
result<std::uint32_t> open_cursors(shm::session& by);

}  // namespace perdure

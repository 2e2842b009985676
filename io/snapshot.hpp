// SPDX-License-Identifier: Apache-2.0
//
// All rows of tables as they were behind one record, for long scans: copied beside writers, then
// brought to one moment by the records that were committed meanwhile.
//
// Promise     What lsn() names is the last record whose changes are in; those of every record
//             before it are, too, and of none behind it: the same bytes as a replay up to it.
//             Writers are never stopped, and no gate is closed. It needs no keeper, no lease and no
//             right to write. What is read later costs nobody anything: it is memory of the caller.
// Death       A row whose writer died is waited for until somebody repairs it; who may write does.
//             Killed, a snapshot leaves nothing.
// Power loss  It may show commits that were not durable yet. Nothing that leaves the machine may
//             depend on it before a wait for its LSN has ended.
// Threads     take(): any thread without an open transaction. Then constant: any number may read.
// Invariants  T1 a row is copied when nobody owns it, with its LSN: so every record up to the first
//             LSN, taken before the first copy, is in the copies.  T2 each further record is
//             applied in order to rows that show an older LSN, which must be the one it names; a
//             record that is missing or applied twice is noticed, and refused.
#pragma once

#include <chrono>
#include <cstring>
#include <perdure/io/audit.hpp>
#include <perdure/shm/park.hpp>

namespace perdure::io {

struct snapshot_order {
    std::vector<std::string> tables{};  ///< With their long values; empty: all.
    shm::deadline until = shm::deadline::in(std::chrono::seconds(60));
};

class snapshot {
  public:
    /// Requires: the region is the world's in `directory`. Errors: unknown_table, stalled (somebody
    /// keeps a row or an LSN for himself; in a region that may only be read, busy), history_gone,
    /// broken_chain, damaged, garbled, io_error, forked.
    static result<snapshot> take(shm::region& where, kernel_calls& calls,
                                 const std::string& directory, const snapshot_order& order = {});

    /// Of the last record whose changes it shows.
    [[nodiscard]] std::uint64_t lsn() const noexcept { return content_.last_lsn; }
    /// Tables in the order of their numbers, rows by their numbers; examine() sums and hashes it.
    [[nodiscard]] const image& content() const noexcept { return content_; }
    /// nullptr: it was not asked for.
    [[nodiscard]] const table_image* table(std::string_view name) const noexcept;
    /// Records that were committed while rows were copied.
    [[nodiscard]] std::uint64_t replayed() const noexcept { return replayed_; }

    /// Calls look(const Row&) with every live row. Requires: Row is the table's row.
    template <shm::mapped Row, class Look>
    static void each_row(const table_image& of, Look&& look) {
        PERDURE_ASSERT(of.shape.row_bytes == sizeof(Row));
        for (std::size_t at = 0; at < of.rows.size(); at += sizeof(Row)) {
            Row row;
            std::memcpy(&row, of.rows.data() + at, sizeof row);
            if (row.header.live == 1) look(row);
        }
    }

  private:
    image content_;
    std::uint64_t replayed_ = 0;
};

}  // namespace perdure::io

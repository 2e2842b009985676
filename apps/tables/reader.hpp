// SPDX-License-Identifier: Apache-2.0
//
// A world looked at from outside: attached for reading alone, by schema alone.
//
// Promise     Each row is seen as it was at one moment; nobody who writes waits for the reader. It
//             works without a keeper, without the lease, and for users who may only read. With --at
//             or --lsn the world is another one: the state of that moment, in memory of its own.
//             After freeze() all rows are those of one moment.
// Death       A row held by a process that died in a transaction is repaired by a second, writing
//             attach where this user may have one; else it is refused by name, with who holds it.
// Threads     One thread.
#pragma once

#include <memory>
#include <perdure/apps/cli/command.hpp>
#include <perdure/apps/tables/value.hpp>
#include <perdure/io/snapshot.hpp>
#include <perdure/shm/reader.hpp>

namespace perdure::apps {

/// A table that holds rows of its own, no index.
struct stored_table {
    std::uint32_t number = 0;
    shm::schema shape;
};

class world_reader {
  public:
    /// Throws failure: missing (no world, or none that is open), foreign, wrong_format, damaged,
    /// bad_setting.
    explicit world_reader(const world_choice& where);

    [[nodiscard]] shm::region& region() const noexcept { return *region_; }
    /// LSN of the last commit; of the frozen moment.
    [[nodiscard]] std::uint64_t last_lsn() const noexcept;
    /// From here on read() and row_end() show these tables, or all where none is named, as they are
    /// now, while the world goes on. Throws failure: busy, unknown_table, history_gone, ...
    void freeze(const std::vector<std::string>& tables);
    /// In the order of their numbers. Throws failure: busy, bad_schema.
    [[nodiscard]] std::vector<stored_table> tables();
    /// Throws failure: unknown_table, with the nearest name; as tables().
    [[nodiscard]] stored_table table_named(std::string_view name);

    /// False when no row of that number is live. Throws failure: busy, garbled.
    bool read(const stored_table& of, std::uint64_t row, stored_row& into);
    /// The same by primary key. Requires: the table has one.
    bool find(const stored_table& of, const shm::row_key& key, stored_row& into);
    /// Calls `look(view&)`, which answers a result, until all it has read was true at one moment.
    /// Throws failure: busy, what it answers.
    template <class Look>
    auto glance(const std::string& thing, Look&& look) {
        auto seen = patiently(thing, look);
        if (!seen) refuse(thing, seen.error());
        return *seen;
    }
    /// Throws failure: busy, garbled. Requires: the schema lists that index.
    [[nodiscard]] shm::index_shape index_shape(const stored_table& of, std::size_t number);
    /// Rows of the table have numbers below it.
    [[nodiscard]] std::uint64_t row_end(const stored_table& of) const noexcept;

  private:
    // A transaction holds its rows for microseconds: who has them longer is stopped, or dead.
    static constexpr auto patience = shm::deadline::in(std::chrono::milliseconds(500));

    /// reader_.read(), with a repair where somebody dead is in the way.
    template <class Look>
    auto patiently(const std::string& thing, Look&& look) {
        for (;;) {
            auto seen = reader_.read(look, patience);
            if (seen || seen.error() != errc::busy) return seen;
            if (!try_repair()) refuse_held(thing);
        }
    }
    bool try_repair() noexcept;
    [[noreturn]] static void refuse(const std::string& thing, errc reason);
    [[noreturn]] void refuse_held(const std::string& thing);
    std::unique_ptr<shm::region> attach(shm::access mode);
    std::unique_ptr<shm::region> recall();

    world_choice where_;
    std::unique_ptr<shm::region> region_;
    shm::reader reader_;
    std::optional<io::snapshot> still_;  ///< After freeze().
    bool repaired_ = false;
};

/// Goes once through all rows that are there when it begins; rows that come later may be missed.
class table_scan {
  public:
    table_scan(world_reader& in, const stored_table& of)
        : in_(&in), of_(&of), end_(in.row_end(of)) {}
    /// False at the end. Throws failure: as world_reader::read.
    bool next(stored_row& into) {
        while (at_ < end_) {
            if (in_->read(*of_, at_++, into)) return true;
        }
        return false;
    }
    /// How far it is, of 1.
    [[nodiscard]] double progress() const noexcept {
        return end_ == 0 ? 1.0 : static_cast<double>(at_) / static_cast<double>(end_);
    }

  private:
    world_reader* in_;
    const stored_table* of_;
    std::uint64_t at_ = 0;
    std::uint64_t end_;
};

}  // namespace perdure::apps

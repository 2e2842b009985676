// SPDX-License-Identifier: Apache-2.0
//
// What was committed, record by record as the ring showed it, and what the world was behind each:
// by the model, and row by row.
#pragma once

#include <perdure/tests/shm/audit.hpp>
#include <perdure/tests/simulation/model.hpp>

namespace perdure::tests {

class chronicle {
  public:
    /// A new world: what is in it without any record.
    void be_born(shm::region& where) { born_ = past_image_ = image_of(where); }
    /// A region whose next record is the one behind last_lsn().
    void begin(shm::region& where);
    /// Notes what is final in the ring and was not noted. Answers the first fault, "" if none.
    std::string note(shm::region& where);
    /// Power was lost, and with it what lies behind `lsn`.
    void forget_behind(std::uint64_t lsn);

    [[nodiscard]] std::uint64_t last_lsn() const noexcept { return entries_.size(); }
    /// As it is behind last_lsn().
    [[nodiscard]] const model& now() const noexcept { return now_; }
    /// Compares a region with what was behind `lsn`. Requires: nobody is at work in it.
    [[nodiscard]] std::string difference(shm::region& where, std::uint64_t lsn);

    /// Number for a deed that begins.
    std::uint64_t next_deed() noexcept { return ++deeds_; }
    /// A deed was answered for: it stands at this LSN, or nowhere. Answers a fault in words.
    std::string is_done(std::uint64_t who, std::uint64_t lsn);
    std::string is_refused(std::uint64_t who);

  private:
    struct entry {
        record_bytes record;
        std::optional<told> what;
    };
    [[nodiscard]] static std::optional<told> told_in(std::span<const std::byte> record);
    void move_past_to(std::uint64_t lsn);

    row_image born_;
    std::vector<entry> entries_;  // The first is LSN 1.
    std::set<std::uint64_t> done_;
    std::set<std::uint64_t> refused_;
    std::map<std::uint64_t, std::uint64_t> awaited_;  // By LSN: deeds answered before their turn.
    std::uint64_t deeds_ = 0;
    std::uint64_t noted_ = 0;  // Position in the ring.
    model now_;
    // A state that was asked for, from which later ones are quickly reached.
    std::uint64_t past_lsn_ = 0;
    model past_;
    row_image past_image_;
    std::string past_fault_;
};

}  // namespace perdure::tests

// SPDX-License-Identifier: Apache-2.0
//
// A life under one seed: tellers and a keeper at work, deaths, faults of the disk, power losses,
// clocks that jump; and what must hold meanwhile and afterwards.
#pragma once

#include <perdure/tests/simulation/keeping.hpp>

namespace perdure::tests {

class life {
  public:
    life(std::uint64_t seed, tally& counts);
    ~life();
    life(const life&) = delete;
    life& operator=(const life&) = delete;

    /// Answers the first fault, "" when there is none.
    std::string live();
    /// A number for all that happened: the same seed, the same number.
    [[nodiscard]] std::uint64_t trace() const noexcept { return at_.by.trace(); }

  private:
    struct outcome;
    void set_up(std::uint64_t seed);
    void populate();
    void begin_region();
    /// Each step, and each crash point.
    void look();
    void note_durable();
    void meet_disaster();
    void plan_fault();
    void kill_all();
    void attend();
    void kill(std::uint32_t process);
    void kill_one(bool keeper);
    void lose_power();
    void accept(outcome&& got);
    [[nodiscard]] outcome recover(simulated_disk& disk, std::uint64_t lsn_max);
    void come_to_rest();
    void check_image();
    void check_moment();

    site at_;
    std::vector<std::unique_ptr<keeping>> keepers_;
    std::vector<std::uint32_t> tellers_;  // Processes.
    std::uint32_t processes_ = 0;
    std::uint64_t deeds_left_ = 0;
    std::uint64_t tellers_max_ = 3;
    std::uint64_t danger_ = 0;  // One in so many steps brings something.
    std::uint64_t heals_at_ = 0;
    std::uint64_t durable_ = 0;  // LSN.
    std::uint64_t epoch_ = 0;
    std::vector<std::pair<std::size_t, std::uint64_t>> acks_;  // Changes of the disk, and the LSN.
};

}  // namespace perdure::tests

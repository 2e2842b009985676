// SPDX-License-Identifier: Apache-2.0
//
// What the demo shows: live figures while it plays, and its end in five lines or one JSON object.
//
// Threads     The parent's main thread.
#pragma once

#include <string>
#include <vector>

#include <perdure/apps/demo/stage.hpp>
#include <perdure/apps/demo/then.hpp>

namespace perdure::apps {

/// Everything the end is judged by.
struct demo_outcome {
    std::uint64_t acked_applied = 0;
    std::uint64_t lost_by_kills = 0;
    std::uint64_t acked_durable = 0;
    std::uint64_t lost_by_machine_crash = 0;
    std::uint64_t applied_not_yet_durable = 0;
    std::uint64_t undurable_kept = 0;
    std::uint64_t worker_kills = 0;
    std::uint64_t keeper_kills = 0;
    std::uint64_t kills_in_transaction = 0;
    std::vector<double> takeovers_us;  ///< Sorted at the end.
    std::uint64_t dropped_writes = 0;
    std::uint64_t dropped_bytes = 0;
    double recovery_ms = 0;
    std::uint64_t recovered_transactions = 0;
    std::uint64_t recovered_rows = 0;  ///< Of the checkpoint that it began with.
    std::uint64_t checkpoint_lsn = 0;  ///< Of the newest before the crash.
    std::uint64_t captures = 0;
    double cut_us_max = 0;
    restored_past then;
    bool conserved = false;
    std::vector<std::string> problems;

    [[nodiscard]] bool nothing_lost() const noexcept {
        return lost_by_kills == 0 && lost_by_machine_crash == 0 && conserved && problems.empty() &&
               then.misplaced == 0 && then.conserved;
    }
    [[nodiscard]] double takeover_us(double share) const noexcept;
};

void print_end(const demo_outcome& outcome);
void print_json(const demo_outcome& outcome);

/// A moment of the play.
struct demo_moment {
    double seconds;
    double seconds_planned;
    pid_t keeper;
    std::array<pid_t, demo_workers> workers;
    std::uint64_t applied;
    std::uint64_t durable;
    condition world;
    const demo_outcome* so_far;
};

/// Redraws its lines at a terminal, adds a line elsewhere; all on standard error.
class live_figures {
  public:
    explicit live_figures(const board& seen);
    void show(const demo_moment& now);

  private:
    [[nodiscard]] double quantile(latency_counts board_row::*which, double share) const;

    const board* board_;
    bool at_terminal_;
    bool drawn_ = false;
    double seconds_before_ = 0;
    std::uint64_t applied_before_ = 0;
    board before_{};
};

}  // namespace perdure::apps

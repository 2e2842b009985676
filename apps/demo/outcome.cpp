// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/demo/outcome.hpp>

#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>
#include <boost/json.hpp>
#include <perdure/apps/cli/console.hpp>

namespace perdure::apps {

double demo_outcome::takeover_us(double share) const noexcept {
    if (takeovers_us.empty()) return 0;
    const auto last = static_cast<double>(takeovers_us.size() - 1);
    return takeovers_us[static_cast<std::size_t>(last * share)];
}

// Every line fits into 80 columns.
void print_end(const demo_outcome& o) {
    const auto none_or = [](std::uint64_t lost) { return lost == 0 ? "none" : grouped(lost); };
    print(
        fmt::format("killed     {} workers, {} inside a transaction, {} keepers, then the machine",
                    o.worker_kills, o.kills_in_transaction, o.keeper_kills));
    print(fmt::format("at stake   {} trades acknowledged, {} as durable; {} not synced",
                      grouped(o.acked_applied), grouped(o.acked_durable),
                      rounded_bytes(o.dropped_bytes)));
    print(fmt::format("by kills   {} of {} trades lost; takeover p50 {}, max {}",
                      none_or(o.lost_by_kills), grouped(o.acked_applied),
                      rounded_time(o.takeover_us(0.5) * 1e3),
                      rounded_time(o.takeover_us(1) * 1e3)));
    print(fmt::format("by crash   {} of {} durable trades lost; {} of {} others came back",
                      none_or(o.lost_by_machine_crash), grouped(o.acked_durable),
                      grouped(o.undurable_kept), grouped(o.applied_not_yet_durable)));
    print(fmt::format("saved      {} checkpoints begun under load; writers held up for {} at most",
                      o.captures, rounded_time(o.cut_us_max * 1e3)));
    print(fmt::format("now        {}: {} rows back in {}, money {}",
                      o.nothing_lost() ? "all is well" : "SOMETHING WAS LOST",
                      grouped(o.recovered_rows), rounded_time(o.recovery_ms * 1e6),
                      o.conserved ? "conserved" : "NOT CONSERVED"));
    print(fmt::format("and then   its middle restored in {}: {} trades misplaced, money {}",
                      rounded_time(o.then.milliseconds * 1e6),
                      o.then.misplaced == 0 ? "no" : grouped(o.then.misplaced),
                      o.then.conserved ? "conserved" : "NOT CONSERVED"));
}

void print_json(const demo_outcome& o) {
    print(boost::json::object{{"acked_applied", o.acked_applied},
                              {"lost_by_kills", o.lost_by_kills},
                              {"acked_durable", o.acked_durable},
                              {"lost_by_machine_crash", o.lost_by_machine_crash},
                              {"applied_not_yet_durable", o.applied_not_yet_durable},
                              {"kills", o.worker_kills + o.keeper_kills},
                              {"kills_in_transaction", o.kills_in_transaction},
                              {"takeover_p50_us", o.takeover_us(0.5)},
                              {"takeover_max_us", o.takeover_us(1)},
                              {"recovery_ms", o.recovery_ms},
                              {"recovered_rows", o.recovered_rows},
                              {"recovered_transactions", o.recovered_transactions},
                              {"checkpoint_lsn", o.checkpoint_lsn},
                              {"checkpoints_begun", o.captures},
                              {"cut_max_us", o.cut_us_max},
                              {"restored_lsn", o.then.lsn},
                              {"restored_ms", o.then.milliseconds},
                              {"restored_misplaced", o.then.misplaced},
                              {"restored_conserved", o.then.conserved},
                              {"conserved", o.conserved}});
}

live_figures::live_figures(const board& seen)
    : board_(&seen), at_terminal_(is_terminal(STDERR_FILENO)) {}

double live_figures::quantile(latency_counts board_row::*which, double share) const {
    std::array<std::uint64_t, latency_counts::buckets> counts{};
    std::uint64_t total = 0;
    for (std::size_t row = 0; row < demo_workers; ++row) {
        for (std::size_t i = 0; i < counts.size(); ++i) {
            auto& now = (const_cast<board&>(*board_).rows[row].*which).counts[i];
            const std::uint64_t more = std::atomic_ref(now).load(std::memory_order_relaxed) -
                                       (before_.rows[row].*which).counts[i];
            counts[i] += more;
            total += more;
        }
    }
    std::uint64_t wanted = static_cast<std::uint64_t>(static_cast<double>(total) * share);
    for (std::size_t i = 0; i < counts.size(); ++i) {
        if (counts[i] > wanted) return latency_counts::upper_end(i);
        wanted -= counts[i];
    }
    return 0;
}

namespace {

std::string saved_line(const condition& now) {
    if (now.checkpoint.lsn == 0) return "  saved    no checkpoint yet";
    return fmt::format("  saved    checkpoint of LSN {}, {} begun; writers held up {} at most",
                       grouped(now.checkpoint.lsn), now.captures.captures,
                       rounded_time(static_cast<double>(now.captures.cut_ns_max)));
}

}  // namespace

void live_figures::show(const demo_moment& now) {
    const double seconds = now.seconds - seconds_before_;
    const double rate =
        static_cast<double>(now.applied - applied_before_) / std::max(seconds, 0.01);
    const std::uint64_t behind =
        now.world.last_lsn - std::min(now.world.last_lsn, now.world.durable_lsn);
    const std::string p50 = rounded_time(quantile(&board_row::commit, 0.5));
    const std::string p99 = rounded_time(quantile(&board_row::commit, 0.99));
    const std::string durable = rounded_time(quantile(&board_row::durable, 0.5));
    if (!at_terminal_) {
        tell(
            fmt::format("{:5.1f} s  {:>7} trades/s  commit p50 {} p99 {}  durable p50 {}, {} "
                        "commits behind  killed {} workers {} keepers",
                        now.seconds, grouped(static_cast<std::uint64_t>(rate)), p50, p99, durable,
                        grouped(behind), now.so_far->worker_kills, now.so_far->keeper_kills));
    } else {
        // Up over the last drawing. Each line is cleared to its end, and cut where a small terminal
        // would wrap it: then the next drawing would miss its lines.
        std::string text = drawn_ ? "\x1b[?7l\x1b[8A" : "\x1b[?7l";
        const auto line = [&text](const std::string& content) { text += content + "\x1b[K\n"; };
        line(fmt::format("\x1b[1mperdure demo\x1b[0m  {:.1f} s of {:.0f} s", now.seconds,
                         now.seconds_planned));
        line(fmt::format("  workers  {}   killed {}, {} inside a transaction",
                         fmt::join(now.workers, " "), now.so_far->worker_kills,
                         now.world.repairs_undone));
        line(fmt::format("  keeper   {}   killed {}", now.keeper, now.so_far->keeper_kills));
        line(fmt::format("  trades   {}/s", grouped(static_cast<std::uint64_t>(rate))));
        line(fmt::format("  commit   p50 {}   p99 {}", p50, p99));
        line(fmt::format("  durable  p50 {} after the commit; {} commits behind, {} of ring",
                         durable, grouped(behind), rounded_bytes(now.world.lag_bytes)));
        line(saved_line(now.world));
        line(fmt::format("  books    {} acknowledged as applied, {} as durable",
                         grouped(now.applied), grouped(now.durable)));
        text.pop_back();
        tell(text + "\x1b[?7h");
        drawn_ = true;
    }
    seconds_before_ = now.seconds;
    applied_before_ = now.applied;
    before_ = *board_;
}

}  // namespace perdure::apps

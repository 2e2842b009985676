// SPDX-License-Identifier: Apache-2.0
//
// The books kept outside: every acknowledgement that came over a pipe, to be compared with the
// world.
//
// Threads     The parent's main thread.
#pragma once

#include <map>
#include <vector>

#include <perdure/apps/demo/stage.hpp>

namespace perdure::apps {

class outside_books {
  public:
    void note(const acknowledgement& told);

    [[nodiscard]] std::uint64_t applied() const noexcept { return applied_; }
    [[nodiscard]] std::uint64_t durable() const noexcept { return durable_; }
    /// The highest LSN that somebody was told is durable.
    [[nodiscard]] std::uint64_t durable_lsn() const noexcept { return durable_lsn_; }

    struct comparison {
        std::uint64_t applied_lost = 0;    ///< Acknowledged as applied, not there with that LSN.
        std::uint64_t durable_lost = 0;    ///< Of them those acknowledged as durable.
        std::uint64_t undurable_kept = 0;  ///< Applied, never told durable, and there all the same.
    };
    /// Looks up every key. Throws failure when the world cannot be read.
    [[nodiscard]] comparison compare(session& by, const ledger& in) const;
    /// Trades on the wrong side of `lsn` in a world that ends with it: told up to there and
    /// missing, or told behind it and there. Throws failure.
    [[nodiscard]] std::uint64_t misplaced(session& by, const ledger& in, std::uint64_t lsn) const;

  private:
    struct account {
        std::vector<std::uint64_t> lsns;  ///< Of trade 1, 2, ...; 0 where none was told.
        std::uint64_t durable_trade = 0;  ///< The last one told durable, and with it all before.
    };
    /// LSN of the trade's key, 0 when the world has none.
    [[nodiscard]] static std::uint64_t lsn_of(session& by, const ledger& in, std::uint32_t worker,
                                              std::uint64_t trade);

    std::map<std::uint32_t, account> workers_;
    std::uint64_t applied_ = 0;
    std::uint64_t durable_ = 0;
    std::uint64_t durable_lsn_ = 0;
};

}  // namespace perdure::apps

// SPDX-License-Identifier: Apache-2.0
//
// How an account came to what it has of an asset: the changes of its balance row and of that row's
// shards, back along the LSNs that each record keeps of the row before, as one history.
//
// Promise     Every change since the rows were taken is answered, newest first, those of one record
//             together; or broken_chain. What lay in shards that are gone shows as what was taken
//             into them and what came back.
// Threads     One thread.
#pragma once

#include <perdure/core/ledger.hpp>
#include <perdure/io/row_history.hpp>

namespace perdure::apps {

/// The rows a position lies in, at one moment, and what they add up to.
struct position_rows {
    struct place {
        std::uint32_t table;
        std::uint64_t row;
        std::uint64_t lsn;  ///< Of the row's last change.
    };
    std::vector<place> places;  ///< The balance row's first.
    position now;
    std::uint64_t lsn = 0;  ///< Of the last change.

    /// Errors: not_found, as get_key.
    static result<position_rows> look(shm::view& seen, const ledger& books, account_id account,
                                      asset_id asset);
    [[nodiscard]] std::size_t shards() const noexcept { return places.size() - 1; }
};

/// What a record added.
struct position_change {
    std::uint64_t lsn = 0;
    position gained;
};

class position_history {
  public:
    position_history(io::record_finder& records, const ledger& books, const position_rows& from);

    /// False: there was nothing before. Errors: broken_chain, as record_finder::find.
    result<bool> next(position_change& change);

  private:
    /// One row's history, and its change that has not been answered yet; lsn 0: there is none.
    struct strand {
        io::row_history history;
        bool is_shard;
        position_change change;
    };
    static result<> advance(strand& of);

    std::vector<strand> strands_;
    bool begun_ = false;
};

}  // namespace perdure::apps

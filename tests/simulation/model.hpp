// SPDX-License-Identifier: Apache-2.0
//
// The oracle of the simulation: accounts, ranks, texts and wide rows as maps, and the deeds that
// change them.
//
// A deed is told as an event of its transaction, with what the transaction saw of the rows. Applied
// in the order of their LSNs, each deed must find in the maps what it saw: then no torn or mixed
// view was committed, and the order of LSNs is an order in which all of it could have happened.
#pragma once

#include <map>
#include <perdure/tests/shm/papers.hpp>
#include <perdure/tests/shm/ranks.hpp>
#include <set>

namespace perdure::tests {

enum class deed : std::uint64_t {
    move = 1,
    open,
    close,
    copy_mark,
    add_rank,
    raise_rank,
    drop_rank,
    write_text,
    erase_text,
    take_wide,
    free_wide
};

/// The event: all a deed did and saw.
struct told {
    std::uint64_t who;  ///< Number of the deed, never used twice.
    deed what;
    std::uint64_t one;
    std::uint64_t other;
    std::int64_t amount;
    std::int64_t seen_one;
    std::int64_t seen_other;
};
inline constexpr std::uint16_t told_type = 77;

/// Where the tables are.
struct places {
    bank in;
    ranks sorted;
    papers texts;
    static places make(shm::session& self);
    static places find(shm::region& where);
};

class model {
  public:
    static constexpr std::uint64_t account_max = 14;
    static constexpr std::uint64_t text_max = 5;

    struct account {
        std::int64_t balance = 0;
        std::uint32_t mark = 0;
        friend bool operator==(const account&, const account&) = default;
    };
    using text = std::pair<std::uint64_t, std::uint64_t>;  ///< Length, and which.

    /// Answers what cannot be, "" when all fits.
    std::string apply(const told& one);
    /// Where the tables say something else; "" nowhere. Requires: nobody is at work.
    [[nodiscard]] std::string difference(shm::region& where) const;

    std::map<std::uint64_t, account> accounts;
    std::map<std::uint64_t, std::int64_t> scores;  ///< By who added it.
    std::map<std::uint64_t, text> texts;
    std::map<std::uint64_t, std::uint64_t> wides;  ///< By row: who took it.

  private:
    std::string apply_account(const told& one);
    std::string apply_rank(const told& one);
    std::string apply_other(const told& one);
    [[nodiscard]] std::string ranks_apart(shm::region& where, const places& at) const;
    [[nodiscard]] std::string texts_apart(shm::region& where, const places& at) const;
    [[nodiscard]] std::string wides_apart(shm::region& where, const places& at) const;
};

}  // namespace perdure::tests

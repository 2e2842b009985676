// SPDX-License-Identifier: Apache-2.0
//
// What the crash rigs run and kill: each primitive of the region's door, small enough to be stepped
// through, on a bank that was made ready for it.
#pragma once

#include <optional>
#include <perdure/tests/shm/audit.hpp>

namespace perdure::tests {

/// Who runs a primitive: a participant with a transaction, in a process that may die.
struct actor {
    shm::region& where;
    bank in;
    unsigned round = 0;  ///< Varies accounts and places from round to round.
    std::optional<shm::participant> self{};
    std::optional<shm::transaction> tx{};

    void enter();
    void leave();
};

struct primitive {
    std::string_view name;
    /// Makes the bank ready; nullptr when an ordinary one will do.
    void (*prepare)(shm::session& first, const bank& in);
    void (*run)(actor& by);
    /// One transaction: afterwards all physical state is as before or as after.
    bool whole = true;
    /// Joins by itself; otherwise the actor has entered before the first store counts.
    bool joins = false;
    /// Between its claim and its validation the rig changes the version of this account's stripe.
    std::optional<std::uint64_t> intruded{};
    /// Finishes a capture: what was dirty need not be so any more.
    bool captures = false;
};

std::span<const primitive> primitives();

/// Accounts an ordinary bank begins with; account i is row i.
inline constexpr std::uint64_t opened = 24;

/// A region with a bank in it, ready for `what`: nobody attached, the ring drained as far as it is
/// meant to be, places varied by `round`.
bank make_ready(shm::region& where, const primitive& what, unsigned round);

/// What another participant's commit does to a reader: a new version.
void bump(shm::region& where, const bank& in, std::uint64_t account);

/// A region small enough to be copied often.
shm::region_options crash_options();

}  // namespace perdure::tests

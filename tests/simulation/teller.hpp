// SPDX-License-Identifier: Apache-2.0
//
// A process that writes: deeds of all kinds, each compared with the chronicle when it is answered,
// waits for durability, reads of all accounts.
#pragma once

#include <perdure/tests/simulation/site.hpp>

namespace perdure::tests {

class teller {
  public:
    teller(site& at, shm::session& self) : at_(at), self_(self), places_(places::find(*at.where)) {}

    /// A process from its begin to its end: at most so many deeds.
    static void live(site& at, std::uint64_t deeds);

    /// Most accounts, one after the other.
    void open_most();

  private:
    void act();
    void open_account(std::uint64_t number);
    void act_on_accounts(std::uint64_t kind);
    void act_on_ranks(std::uint64_t kind);
    void act_on_rows(std::uint64_t kind);
    void write_text();
    void read_all();
    /// The deed that `closure(tx, told&)` does.
    template <class Closure>
    void perform(told what, Closure&& closure);
    void judge(const told& what, const result<shm::receipt>& paid);

    site& at_;
    shm::session& self_;
    places places_;
};

}  // namespace perdure::tests

// SPDX-License-Identifier: Apache-2.0
//
// A thread's handle: joins, runs closures as transactions until they commit or refuse, reads,
// waits.
//
// Promise     write() commits its closure once, or changes nothing and says why. The closure may
//             run more than once; it must have no other effects.
// Death       As transaction.hpp: everything or nothing.
// Threads     The thread that joined. A session inherited through fork() answers errc::forked.
#pragma once

#include <perdure/shm/foresight.hpp>
#include <perdure/shm/reader.hpp>

namespace perdure::shm {

/// What shm asks of whoever can empty the ring: io's keeper, or a process that becomes one.
class drain {
  public:
    /// Empties what it can of the ring into the journal if nobody else is charged with it.
    /// Errors: lease_held when somebody else is; durability_lost.
    virtual result<> help(region& where) noexcept = 0;

  protected:
    ~drain() = default;
};

/// Waits until the receipt survives power loss; drains through `hook` (nullptr: nothing) where
/// nobody keeps the world. Needs no slot: for whoever waits in another thread's place.
/// Requires: the region may be written. Errors: stalled, durability_lost, garbled (another
/// incarnation's receipt), forked.
result<> wait_durable(region& where, drain* hook, const receipt& paid, deadline until) noexcept;

class session {
  public:
    /// Errors: no_slot, read_only, forked.
    static result<session> join(region& where, drain* hook);

    /// Runs `closure(transaction&)`, which answers a result, as one transaction. Errors: the
    /// closure's own; stalled, unbalanced, transaction_too_large, region_full, no_memory, garbled,
    /// forked, wrong_thread, nested.
    template <class Closure>
    result<receipt> write(Closure&& closure,
                          deadline until = deadline::in(std::chrono::seconds(5)));

    /// As reader::read. Errors: also wrong_thread.
    template <class Closure>
    auto read(Closure&& closure, deadline until = deadline::in(std::chrono::seconds(5)))
        -> decltype(closure(std::declval<view&>()));

    /// As the function of that name.
    result<> wait_durable(const receipt& paid, deadline until) noexcept {
        return shm::wait_durable(*where_, hook_, paid, until);
    }

    /// The row with that key will be edited soon. A hint, see foresight.
    void expect(std::uint32_t table, const row_key& key) noexcept {
        ahead_.expect(reader_.in(), table, key);
    }

    /// The next transaction will take so many rows of the table, at most what its undo area holds:
    /// with them at hand it need not run twice. Errors: as write.
    result<> provide(std::uint32_t table, std::uint64_t rows, deadline until);

    [[nodiscard]] region& where() const noexcept { return *where_; }
    [[nodiscard]] participant& self() const noexcept { return *self_; }

  private:
    session(region& where, participant&& self, drain* hook);

    result<> may_start() const noexcept;
    /// Does what the last run lacked. Errors: stalled, region_full, no_memory, durability_lost.
    result<> prepare(deadline until);
    result<> give(std::uint32_t table, std::uint64_t rows, deadline until);
    result<> steal_rows(std::uint32_t table, deadline until);
    result<> await_ring(deadline until);

    /// Ends a run that was left by a return or an exception.
    struct run_guard {
        run_guard(session& of, bool is_exclusive) noexcept : owner(of), exclusive(is_exclusive) {}
        run_guard(const run_guard&) = delete;
        run_guard& operator=(const run_guard&) = delete;
        ~run_guard();
        session& owner;
        bool exclusive;
    };

    region* where_;
    std::unique_ptr<participant> self_;
    std::unique_ptr<transaction> tx_;
    reader reader_;
    drain* hook_;
    foresight ahead_;
    bool running_ = false;
};

/// The table, made if it is not there, by whichever program comes first.
/// Errors: schema_mismatch, as create_table and session::write.
result<std::uint32_t> open_table(session& by, const schema& wanted);

inline constexpr int runs_before_gate = 24;

template <class Closure>
result<receipt> session::write(Closure&& closure, deadline until) {
    PERDURE_TRY(may_start());
    for (int run = 0;; ++run) {
        const bool exclusive = run >= runs_before_gate;
        if (exclusive) PERDURE_TRY(close_gate(*self_, until));
        {
            running_ = true;
            const run_guard guard(*this, exclusive);
            const auto answer = closure(*tx_);
            if (answer.has_value()) {
                const auto paid = tx_->commit();
                if (paid) return *paid;
                if (tx_->why() == rerun::none) return paid.error();
            } else if (tx_->why() == rerun::none && answer.error() != errc::conflict &&
                       tx_->is_fresh()) {
                return answer.error();  // A refusal that rests on what is still true.
            }
        }
        until = until.from(where_->waits().now_ns());
        PERDURE_TRY(prepare(until));
    }
}

template <class Closure>
auto session::read(Closure&& closure, deadline until) -> decltype(closure(std::declval<view&>())) {
    if (where_->owned() && !self_->is_here()) return errc::wrong_thread;
    return reader_.read(std::forward<Closure>(closure), until);
}

}  // namespace perdure::shm

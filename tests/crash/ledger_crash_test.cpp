// SPDX-License-Identifier: Apache-2.0
//
// Claim: whatever batch on the whole ledger a process was in the middle of when it was killed, the
// books are those of the naive model after a prefix of its batches, every answer was the model's,
// and conservation holds. RapidCheck draws the work and the deaths; RC_PARAMS="seed=..." replays a
// failure.
#include <boost/test/unit_test.hpp>
#include <perdure/shm/crash_point.hpp>
#include <perdure/tests/core/ledger_comparison.hpp>
#include <perdure/tests/core/ledger_work.hpp>
#include <perdure/tests/core/open_ledger.hpp>
#include <perdure/tests/crash/lives.hpp>
#include <perdure/tests/torture.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;
using ledger_work::operation;
using batch = std::vector<operation>;

/// One process: its transactions, and the crash point's hit at which it dies, if it comes so far.
struct life {
    std::vector<batch> work;
    std::uint64_t death;
};

constexpr std::uint16_t batch_done = 60'000;  // An event of our own, with the batch's number.

class books_of_lives {
  public:
    books_of_lives() {
        const auto laid = here_.by[0].write(
            [&](tx& now) { return ledger_work::lay(here_.books, now, expected_); });
        RC_ASSERT(laid.has_value());
        RC_ASSERT(committed().empty());
    }

    std::uint64_t deaths = 0;

    /// Lives it, repairs, and answers the first fault.
    std::string live(const life& one) {
        const int ended = child([&] { return work(one); }).wait();
        if (ended == answered_wrong) return "an answer is not the model's";
        if (ended != 0 && ended != 128 + SIGKILL) return "a child failed";
        shm::sweep(here_.where);
        const auto found = committed();
        for (std::size_t i = 0; i < found.size(); ++i) {
            if (found[i] != i || i >= one.work.size()) return "no prefix was committed";
            for (const auto& each : one.work[i]) {
                ledger_work::economy(expected_).run(each);
            }
            ++expected_.now;
        }
        if (found.size() < one.work.size()) ++deaths;
        here_.clock.now = expected_.now;
        const auto different = here_.by[0].read([&](view& seen) {
            return ledger_work::comparison(here_.books, seen, expected_).look();
        });
        return different ? *different : std::string(name(different.error()));
    }
    std::string faults() { return here_.faults(); }

  private:
    static constexpr int answered_wrong = 5;

    int work(const life& one) {
        auto where = shm::region::view(here_.memory.span());
        set_clock clock;
        where.use(clock);
        auto self = session::join(where, nullptr).value();
        economy_model model = expected_;
        shm::arm({.point = {}, .hit = one.death});
        for (std::uint64_t i = 0; i < one.work.size(); ++i) {
            clock.now = model.now;
            economy_model after;
            ledger_work::batch_answer said;
            const auto paid = self.write([&](tx& now) -> result<> {
                after = model;
                said = {};
                PERDURE_TRY(ledger_work::run(one.work[i], here_.books, now, after, said));
                now.event(batch_done, 1, std::as_bytes(std::span(&i, 1)));
                return {};
            });
            if (!said.difference.empty()) return answered_wrong;
            if (!paid) return 4;
            model = std::move(after);
            ++model.now;
        }
        return 0;
    }

    std::vector<std::uint64_t> committed() {
        const auto found = here_.events<std::uint64_t>(static_cast<event_type>(batch_done), 1);
        here_.keeper.journal.clear();
        return found;
    }

    open_ledger here_;
    economy_model expected_;
};

rc::Gen<life> any_life() {
    const auto one = rc::gen::map(
        rc::gen::pair(rc::gen::inRange<std::uint32_t>(0, 26), rc::gen::arbitrary<std::uint64_t>()),
        [](const auto& drawn) {
            return operation{drawn.first, drawn.second};
        });
    return rc::gen::construct<life>(
        rc::gen::container<std::vector<batch>>(rc::gen::container<batch>(one)),
        // Often in the middle of its work, and sometimes never.
        rc::gen::inRange<std::uint64_t>(1, 1500));
}

BOOST_AUTO_TEST_CASE(a_killed_process_leaves_the_books_of_a_prefix_of_its_batches) {
    const bool long_run = is_torture();
    check_lives<books_of_lives>(
        "the ledger under deaths, against a model",
        {long_run ? 400 : 12, long_run ? 5000U : 50U, long_run ? 1'000'000U : 5000U},
        [](auto&) { return rc::gen::scale(0.3, any_life()); }, operations_in_batches<life>);
}

}  // namespace

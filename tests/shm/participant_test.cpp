// SPDX-License-Identifier: Apache-2.0
//
// Claims of shm/participant: a slot is one thread's; the dead are repaired by whoever meets them;
// garbage in a slot is fenced and never followed (P1, P2).
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <perdure/tests/shm/open_bank.hpp>
#include <thread>

namespace {

using namespace perdure;
using namespace perdure::shm;
using namespace perdure::tests;

void die() { ::kill(::getpid(), SIGKILL); }

/// Runs `work(region&)` in a child; it ends in die(), so that nothing is put in order behind it.
template <class Work>
void die_after(open_bank& bank, Work&& work) {
    const pid_t child = ::fork();
    if (child == 0) {
        auto where = region::view(bank.memory.span());
        work(where);
        ::_exit(4);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    BOOST_REQUIRE(WIFSIGNALED(status));
    BOOST_REQUIRE(WTERMSIG(status) == SIGKILL);
}

/// Dies with both rows of a transfer locked and logged; nothing is stored yet.
void die_in_transfer(open_bank& bank) {
    die_after(bank, [&](region& where) {
        auto self = participant::join(where).value();
        transaction tx(self);
        if (move(tx, bank.in, 0, 1, 5)) die();
    });
}

BOOST_AUTO_TEST_CASE(a_slot_is_taken_and_given_back) {
    open_bank bank;
    BOOST_CHECK(bank.self.self().slot() == 0U);
    std::thread([&] {
        auto first = participant::join(bank.where);
        BOOST_REQUIRE(first.has_value());
        BOOST_TEST(first->slot() == 1U);
        BOOST_TEST(first->is_here());
        BOOST_CHECK(try_repair(bank.where, 0) == life::alive);
    }).join();
    std::thread([&] {
        const auto again = participant::join(bank.where);
        BOOST_REQUIRE(again.has_value());
        BOOST_TEST(again->slot() == 1U);
    }).join();
}

BOOST_AUTO_TEST_CASE(the_last_slot_is_followed_by_no_slot) {
    open_bank bank;
    std::vector<participant> all;
    for (int i = 0; i < 3; ++i) all.push_back(participant::join(bank.where).value());
    BOOST_CHECK(participant::join(bank.where).error() == errc::no_slot);
    all.pop_back();
    BOOST_TEST(participant::join(bank.where).has_value());
}

BOOST_AUTO_TEST_CASE(the_dead_are_repaired_by_a_sweep) {
    open_bank bank(2);
    const auto before = digest_of(bank.where);
    die_in_transfer(bank);
    BOOST_TEST(!is_clean(bank.where.slot(1)));
    sweep(bank.where);
    BOOST_TEST(is_clean(bank.where.slot(1)));
    BOOST_TEST(bank.faults() == "");
    BOOST_TEST(digest_of(bank.where) == before);
    BOOST_TEST(bank.where.header().counters.repairs == 1U);
    BOOST_TEST(bank.where.header().counters.repairs_undone == 1U);
}

BOOST_AUTO_TEST_CASE(a_writer_that_meets_the_dead_repairs_them) {
    open_bank bank(2);
    die_in_transfer(bank);
    BOOST_TEST(transfer(bank.self, bank.in, 1, 0, 7).has_value());
    BOOST_TEST(bank.look_at(0)->balance == 7);
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(a_reader_that_meets_the_dead_repairs_them) {
    open_bank bank(2);
    die_in_transfer(bank);
    BOOST_TEST(bank.look_at(0)->balance == 0);
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(who_joins_takes_a_dead_slot_clean) {
    open_bank bank(2);
    die_in_transfer(bank);
    const auto joined = participant::join(bank.where).value();
    BOOST_TEST(joined.slot() == 1U);
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(a_thread_that_ends_inside_a_transaction_is_repaired) {
    open_bank bank(2);
    // The kernel's word about a thread, not a process: it leaves its lock and never says good-bye.
    std::thread([&] {
        auto* left = new participant(participant::join(bank.where).value());
        auto* tx = new transaction(*left);
        BOOST_REQUIRE(move(*tx, bank.in, 0, 1, 5).has_value());
        static const participant* reachable;  // The memory is the process's, not a leak.
        static const transaction* reachable_too;
        reachable = left;
        reachable_too = tx;
        BOOST_TEST(reachable != nullptr);
        BOOST_TEST(reachable_too != nullptr);
    }).join();
    BOOST_CHECK(try_repair(bank.where, 1) == life::gone);
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(a_dead_gate_closer_opens_the_gate) {
    open_bank bank(2);
    die_after(bank, [&](region& where) {
        auto self = participant::join(where).value();
        if (!close_gate(self, deadline::never())) return;
        put(self.control().active, 1);
        die();
    });
    BOOST_TEST(bank.where.header().gate.value == 2U);
    BOOST_TEST(transfer(bank.self, bank.in, 0, 1, 1).has_value());
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(a_dead_idle_gate_closer_opens_the_gate_too) {
    open_bank bank(2);
    die_after(bank, [&](region& where) {
        auto self = participant::join(where).value();
        if (close_gate(self, deadline::never())) die();
    });
    const auto paid = bank.self.write([&](transaction& tx) { return move(tx, bank.in, 0, 1, 1); },
                                      deadline::in(std::chrono::seconds(2)));
    BOOST_TEST(paid.has_value());
    BOOST_TEST(bank.faults() == "");
}

/// Dies in a transfer, then `garble` writes into the dead slot: the slot is fenced, nothing else
/// moves.
template <class Garble>
void expect_fence(Garble&& garble) {
    open_bank bank(3);
    const auto rows = image_of(bank.where);
    die_in_transfer(bank);
    garble(bank.where, bank.where.slot(1));
    BOOST_CHECK(try_repair(bank.where, 1) == life::unusable);
    BOOST_TEST(bank.where.header().counters.garbled > 0U);
    BOOST_TEST(difference(rows, image_of(bank.where)) == "");
    // Nobody sits down there again, and everybody else goes on.
    const auto joined = participant::join(bank.where);
    BOOST_REQUIRE(joined.has_value());
    BOOST_TEST(joined->slot() == 2U);
    const auto refused = transfer(bank.self, bank.in, 0, 2, 1);
    BOOST_TEST(name(refused.error()) == name(errc::garbled));
}

BOOST_AUTO_TEST_CASE(undo_beyond_its_area_is_fenced) {
    expect_fence([](region&, slot_control& slot) { slot.undo_used = 1ULL << 40; });
}

BOOST_AUTO_TEST_CASE(an_undo_entry_with_a_wild_address_is_fenced) {
    expect_fence([](region& where, slot_control&) {
        where.at<undo_entry>(where.undo_at(1))->at = 1ULL << 60;
    });
}

BOOST_AUTO_TEST_CASE(an_undo_entry_that_hides_its_address_well_is_fenced) {
    expect_fence([](region& where, slot_control&) {
        auto& entry = *where.at<undo_entry>(where.undo_at(1));
        entry.at = where.geometry().capacity_bytes - 8;
        entry.check = static_cast<std::uint32_t>(entry.at) ^ entry.bytes ^ undo_check;
    });
}

BOOST_AUTO_TEST_CASE(an_undo_trailer_of_nonsense_is_fenced) {
    expect_fence([](region& where, slot_control& slot) {
        *where.at<std::uint64_t>(where.undo_at(1) + slot.undo_used - 8) = 3;
    });
}

BOOST_AUTO_TEST_CASE(a_claim_beyond_the_tail_is_fenced) {
    expect_fence([](region&, slot_control& slot) { slot.claim = 1ULL << 50; });
}

BOOST_AUTO_TEST_CASE(a_crooked_claim_is_fenced) {
    expect_fence([](region&, slot_control& slot) { slot.claim = 3; });
}

BOOST_AUTO_TEST_CASE(a_garbled_held_list_frees_nothing_of_others) {
    open_bank bank(2);
    die_in_transfer(bank);
    auto& slot = bank.where.slot(1);
    // Numbers out of range, and a count no list can have.
    for (std::uint32_t i = 2; i < held_max; ++i) bank.where.held(1)[i] = ~i;
    slot.held = ~0ULL;
    const std::uint32_t foreign = 77;
    BOOST_REQUIRE(take_stripe(bank.where, foreign, 4));
    bank.where.held(1)[5] = foreign;
    BOOST_CHECK(try_repair(bank.where, 1) == life::gone);
    BOOST_TEST(owner_of(bank.where.stripe(foreign)) == 4U);
    release_stripe(bank.where, foreign, 4);
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(a_slot_in_the_undo_of_the_dead_is_not_taken) {
    open_bank bank(2);
    auto lent = std::make_unique<participant>(participant::join(bank.where).value());
    BOOST_REQUIRE(lent->slot() == 1U);
    die_after(bank, [&](region& where) {
        auto self = participant::join(where).value();
        transaction tx(self);
        if (!move(tx, bank.in, 0, 1, 5)) return;
        const auto at = where.offset_of(&where.slot(1).fresh[bank.in.wide]);
        if (tx.edit_words(at, sizeof(fresh_rows), transaction::no_stripe)) die();
    });
    lent.reset();
    // Slot 1 is free and clean, but the repair of slot 2 is going to store into it.
    BOOST_TEST(!take_idle(bank.where, 1));
    BOOST_CHECK(try_repair(bank.where, 2) == life::gone);
    BOOST_REQUIRE(take_idle(bank.where, 1));
    give_idle(bank.where, 1);
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(repair_of_a_clean_slot_changes_nothing) {
    open_bank bank(2);
    const auto before = digest_of(bank.where);
    for (std::uint32_t slot = 1; slot < 4; ++slot) {
        BOOST_CHECK(try_repair(bank.where, slot) == life::gone);
    }
    BOOST_TEST(bank.where.header().counters.repairs == 0U);
    BOOST_TEST(digest_of(bank.where) == before);
}

}  // namespace

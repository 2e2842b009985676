// SPDX-License-Identifier: Apache-2.0
//
// Claims of io/checkpoint, io/checkpointer and io/recovery together: a region made of checkpoints
// and the journal behind them is the one that was; each damaged checkpoint is named and the one
// before serves; nothing that a kept checkpoint needs is removed.
#include <boost/test/unit_test.hpp>
#include <perdure/io/digest.hpp>
#include <perdure/io/page_scan.hpp>
#include <perdure/io/recovery.hpp>
#include <perdure/tests/io/kept_bank.hpp>
#include <perdure/tests/print_errc.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;

io::keeper_options with_checkpoints(std::vector<io::checkpoint_news>* news) {
    io::keeper_options how{64ULL << 10};
    io::checkpointer_options checkpoints;
    checkpoints.tell = [news](const io::checkpoint_news& each) { news->push_back(each); };
    how.checkpoints = std::move(checkpoints);
    return how;
}

struct checkpointed_bank {
    std::vector<io::checkpoint_news> news;
    kept_bank bank{16, with_checkpoints(&news)};

    explicit checkpointed_bank(std::uint64_t accounts = 2000) {
        BOOST_TEST_REQUIRE(bank.keeper.take(bank.where).has_value());
        for (std::uint64_t from = 16; from < accounts; from += 50) {
            open_accounts(bank.self, bank.in, from, from + 50);
            drain_all();
        }
    }

    void pay(int times) {
        for (int i = 0; i < times; ++i) {
            bank.pay(1);
            if (i % 50 == 0) drain_all();
        }
        drain_all();
    }
    void drain_all() {
        while (bank.drain() != 0) {
        }
    }
    void take(bool full) {
        const auto made = bank.keeper.checkpoint(bank.where, full);
        BOOST_TEST_REQUIRE(made.has_value(), news.back().cause);
        BOOST_TEST_REQUIRE(*made);
        BOOST_TEST_REQUIRE(bank.keeper.take(bank.where).has_value());
    }
    io::manifest promised() {
        std::optional<io::finding> found;
        return io::manifest::open(bank.files, "world", io::open_mode::read, found).value();
    }
    /// The path of the n-th checkpoint that is promised.
    std::string path_of(std::size_t number) {
        return io::checkpoint_path("world", promised().checkpoints().at(number).lsn);
    }
};

struct recovered {
    shared_bytes memory{small_options().capacity_bytes};
    shm::region where = shm::region::over(memory.span(), small_options());
    io::opening_report report;
    std::optional<io::finding> found;
    result<> answer;

    recovered(checkpointed_bank& from, std::size_t plan, std::uint64_t lsn_max = ~0ULL) {
        const auto promised = from.promised();
        const auto plans = io::plans_for(promised, lsn_max);
        BOOST_TEST_REQUIRE(plan < plans.size());
        answer = io::recover(from.bank.files, promised, plans[plan], where, report);
        found = report.found;
    }
};

BOOST_FIXTURE_TEST_CASE(checkpoint_and_journal_make_the_region_that_was, checkpointed_bank) {
    pay(100);
    take(false);
    BOOST_TEST(news.back().report.entry.is_full());
    pay(100);
    take(false);
    BOOST_TEST(!news.back().report.entry.is_full());
    pay(30);
    for (const std::size_t plan : {0U, 1U, 2U}) {
        recovered again(*this, plan);
        BOOST_TEST_REQUIRE(again.answer.has_value(), (again.found ? again.found->cause : ""));
        BOOST_TEST(difference(image_of(bank.where), image_of(again.where)) == "");
        BOOST_TEST(audit(again.where).empty());
        BOOST_TEST(again.report.last_lsn == bank.last());
        BOOST_TEST(again.report.transactions == (plan == 0 ? 30U : plan == 1 ? 130U : bank.last()));
    }
}

BOOST_FIXTURE_TEST_CASE(nothing_changed_means_nothing_written, checkpointed_bank) {
    pay(10);
    take(false);
    BOOST_TEST(!bank.keeper.checkpoint(bank.where, false).value());
    BOOST_TEST(!bank.keeper.checkpoint(bank.where, true).value());
    BOOST_TEST(promised().checkpoints().size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(an_increment_holds_what_was_stored_to_and_no_more, checkpointed_bank) {
    pay(10);
    take(true);
    const auto whole = news.back().report;
    pay(1);
    take(false);
    BOOST_TEST(news.back().report.pages < whole.pages / 4);
    BOOST_TEST(news.back().report.entry.file_bytes < whole.entry.file_bytes / 4);
}

BOOST_FIXTURE_TEST_CASE(each_damaged_byte_of_a_checkpoint_is_noticed, checkpointed_bank) {
    pay(60);
    take(true);
    const auto path = path_of(0);
    const auto whole = bank.disk.content(path);
    for (std::size_t at = 0; at < whole.size(); at += 1 + at % 29) {
        bank.disk.content(path)[at] ^= std::byte{1} << (at % 8);
        recovered again(*this, 0);
        BOOST_TEST_REQUIRE(!again.answer.has_value(), "byte " << at);
        BOOST_TEST_REQUIRE(again.found.has_value());
        BOOST_TEST_REQUIRE(again.found->file == path);
        bank.disk.content(path) = whole;
    }
    for (const std::size_t length : {0U, 1U, 159U, 400U}) {
        bank.disk.content(path).resize(length);
        recovered again(*this, 0);
        BOOST_TEST(!again.answer.has_value());
        bank.disk.content(path) = whole;
    }
}

BOOST_FIXTURE_TEST_CASE(another_checkpoint_under_its_name_is_refused, checkpointed_bank) {
    pay(60);
    take(true);
    const auto older = bank.disk.content(path_of(0));
    pay(2);
    take(true);
    bank.disk.content(path_of(1)) = older;
    recovered again(*this, 0);
    BOOST_TEST((again.answer.error() == errc::damaged));
    BOOST_TEST(again.found->cause.find("not the checkpoint that the MANIFEST promises") !=
               std::string::npos);
    recovered before(*this, 1);
    BOOST_TEST_REQUIRE(before.answer.has_value());
    BOOST_TEST(difference(image_of(bank.where), image_of(before.where)) == "");
}

BOOST_FIXTURE_TEST_CASE(a_point_in_the_past_is_the_prefix_up_to_it, checkpointed_bank) {
    pay(40);
    take(true);
    pay(5);
    const auto then = image_of(bank.where);
    const auto lsn = bank.last();
    pay(20);
    take(false);
    pay(5);
    recovered past(*this, 0, lsn);  // The increment is behind it: it begins with the full one.
    BOOST_TEST_REQUIRE(past.answer.has_value());
    BOOST_TEST(past.report.last_lsn == lsn);
    BOOST_TEST(difference(then, image_of(past.where)) == "");
    BOOST_TEST(audit(past.where).empty());
}

BOOST_FIXTURE_TEST_CASE(what_two_generations_need_stays, checkpointed_bank) {
    for (int i = 0; i < 5; ++i) {
        pay(400);
        take(true);
    }
    const auto kept = promised();
    BOOST_TEST(kept.checkpoints().size() == 5U);  // None is old.
    BOOST_TEST(kept.segments().front().first_lsn <= kept.checkpoints().front().lsn + 1);
    io::checkpoint_policy strict;
    strict.keep_count = 1;
    const auto goes = io::what_may_go(strict, kept, io::wall_clock_ns(), ~0ULL);
    BOOST_TEST(goes.checkpoints.size() == 3U);
    BOOST_TEST(!goes.segments.empty());
    const auto older = kept.checkpoints()[3].lsn;
    for (const auto& each : goes.segments) BOOST_TEST(each.last_lsn <= older);
    const auto bound = io::what_may_go(strict, kept, io::wall_clock_ns(), 1);
    BOOST_TEST(bound.segments.empty());  // A cursor has not read them.
}

/// A checkpoint while the n-th call fails; false when none did.
bool checkpoint_with_fault(fault_kind kind, std::uint64_t call, bool for_ever) {
    checkpointed_bank with(200);
    with.pay(100);
    with.take(true);
    with.pay(3);
    const auto expected = image_of(with.bank.where);
    with.bank.disk.plan({kind, with.bank.disk.calls() + call, for_ever});
    const auto made = with.bank.keeper.checkpoint(with.bank.where, false);
    const bool faulted = with.bank.disk.has_faulted();
    with.bank.disk.heal();
    BOOST_TEST((made.has_value() || faulted));
    if (made) BOOST_TEST(with.promised().checkpoints().size() == 2U);
    recovered again(with, 0);
    BOOST_TEST_REQUIRE(again.answer.has_value(),
                       "call " << call << ": " << (again.found ? again.found->cause : ""));
    BOOST_TEST(difference(expected, image_of(again.where)) == "");
    if (made || shm::load(with.bank.where.header().durable.failed) != 0) return faulted;
    // The next one goes well, and what had been captured is in it.
    if (with.bank.keeper.take(with.bank.where)) {
        with.pay(1);
        if (with.bank.keeper.checkpoint(with.bank.where, false)) {
            recovered later(with, 0);
            BOOST_TEST_REQUIRE(later.answer.has_value());
            BOOST_TEST(difference(image_of(with.bank.where), image_of(later.where)) == "");
        }
    }
    return faulted;
}

BOOST_AUTO_TEST_CASE(whichever_call_fails_nothing_is_lost) {
    for (const auto kind : {fault_kind::no_space, fault_kind::input_output, fault_kind::short_write,
                            fault_kind::interrupted}) {
        for (const bool for_ever : {false, true}) {
            bool faulted = false;
            for (std::uint64_t call = 1; call < 15 || faulted; ++call) {
                faulted = checkpoint_with_fault(kind, call, for_ever);
                BOOST_TEST_REQUIRE(call < 100U);
            }
        }
    }
}

BOOST_FIXTURE_TEST_CASE(memory_for_copies_has_a_bound_whatever_the_world_takes, checkpointed_bank) {
    constexpr std::uint64_t run_bytes = io::page_scan::run_pages * shm::page_bytes;
    auto self = shm::participant::join(bank.where).value();
    shm::capture by(bank.where, self);
    io::page_scan scan(bank.where, by);
    scan.make_room(100, 16 << 20);
    BOOST_TEST(scan.room() >= 100 * shm::page_bytes);
    scan.make_room(1 << 20, 1 << 20);
    BOOST_TEST(scan.room() <= (1 << 20) + run_bytes);
}

}  // namespace

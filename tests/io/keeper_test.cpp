// SPDX-License-Identifier: Apache-2.0
//
// Claims of io/keeper.hpp, K1 to K3: over a bank in memory and a disk in memory. What is journaled
// is the region's own image, also around the ring's end; claims of the living are waited for, those
// of the dead repaired; a keeper and a journal that disagree write nothing.
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <perdure/tests/io/kept_bank.hpp>
#include <perdure/tests/print_errc.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;

/// Claims 64 bytes as a participant that is in a transaction, and commits nothing.
shm::ring_claim claim_some(shm::region& where, shm::participant& by) {
    auto& lock = where.header().producer.lock;
    shm::step(by.control().active, 1);
    shm::step(lock, by.owner());
    const auto place = shm::claim(where, by.slot(), 64).value();
    shm::step(lock, 0);
    return place;
}

/// The same in a process that dies of it.
void claim_and_die(kept_bank& with) {
    const pid_t other = ::fork();
    if (other == 0) {
        auto where = shm::region::view(with.memory.span());
        auto by = shm::participant::join(where);
        if (by) claim_some(where, *by);
        ::kill(::getpid(), SIGKILL);
    }
    ::waitpid(other, nullptr, 0);
}

std::uint64_t padding_in(const journal_content& read) {
    std::uint64_t count = 0;
    std::span<const std::byte> rest = read.records;
    while (!rest.empty()) {
        shm::record_header header;
        std::memcpy(&header, rest.data(), sizeof header);
        if (static_cast<shm::record_state>(header.state) == shm::record_state::padding) ++count;
        rest = rest.subspan(header.bytes);
    }
    return count;
}

BOOST_FIXTURE_TEST_CASE(the_journal_is_the_region_however_often_the_ring_wraps, kept_bank) {
    BOOST_TEST_REQUIRE(keeper.take(where).has_value());
    std::mt19937_64 random(3);
    while (tail() < 12 * where.geometry().ring_bytes) {
        // Records of many lengths, so that each way to lie over the ring's end is met.
        const auto bytes = 8 * (random() % 200);
        const std::vector<std::byte> note(bytes, std::byte{7});
        const auto paid = self.write(
            [&](shm::transaction& tx) -> result<> {
                if (bytes != 0) tx.event(900, 1, note);
                return move(tx, in, random() % 16, 16 - 1 - random() % 8, 1);
            },
            shm::deadline::in(std::chrono::milliseconds(1)));
        BOOST_TEST_REQUIRE((paid.has_value() || paid.error() == errc::stalled));
        if (!paid || random() % 40 == 0) {
            while (drain() != 0) {
            }
        }
    }
    while (drain() != 0) {
    }
    BOOST_TEST(head() == tail());
    BOOST_TEST(mark() == last());
    std::string words;
    const auto image = replayed(words);
    BOOST_TEST(words == "");
    BOOST_TEST(difference(image_of(where), image) == "");
    BOOST_TEST(read_journal(disk).last_lsn == last());
}

BOOST_FIXTURE_TEST_CASE(a_living_claim_is_waited_for_and_what_lies_before_it_is_not, kept_bank) {
    BOOST_TEST_REQUIRE(keeper.take(where).has_value());
    auto slow = shm::participant::join(where).value();
    pay(3);
    const auto place = claim_some(where, slow);
    pay(2);
    BOOST_TEST(drain() != 0U);
    BOOST_TEST(mark() == place.lsn - 1);
    BOOST_TEST(head() == place.position);
    BOOST_TEST(drain() == 0U);
    BOOST_TEST(mark() == place.lsn - 1);
    shm::void_claim(where, slow.slot(), place.position);
    shm::step(slow.control().claim, shm::no_claim);
    shm::step(slow.control().active, 0);
    BOOST_TEST(drain() == 3U);
    BOOST_TEST(mark() == last());
    BOOST_TEST(padding_in(read_journal(disk)) == 1U);
}

BOOST_FIXTURE_TEST_CASE(a_dead_claim_is_repaired_and_its_padding_journaled, kept_bank) {
    BOOST_TEST_REQUIRE(keeper.take(where).has_value());
    while (drain() != 0) {
    }
    claim_and_die(*this);
    pay(2);
    BOOST_TEST(drain() == 3U);
    BOOST_TEST(mark() == last());
    BOOST_TEST(padding_in(read_journal(disk)) == 1U);
    BOOST_TEST(shm::load(where.header().counters.repairs) == 1U);
    std::string words;
    BOOST_TEST(difference(image_of(where), replayed(words)) == "");
    BOOST_TEST(words == "");
    BOOST_TEST(audit(where).empty());
}

BOOST_FIXTURE_TEST_CASE(a_garbled_ring_stops_the_drain_for_good, kept_bank) {
    BOOST_TEST_REQUIRE(keeper.take(where).has_value());
    while (drain() != 0) {
    }
    pay(2);
    const auto before = mark();
    const auto written = read_journal(disk).last_lsn;
    shm::step(shm::state_word(shm::ring_header(where, head())),
              shm::pack_state(12345, 9, static_cast<shm::record_state>(77)));
    BOOST_TEST(keeper.drain_once(where).error() == errc::garbled);
    BOOST_TEST(mark() == before);
    BOOST_TEST(shm::load(where.header().durable.failed) ==
               static_cast<std::uint32_t>(errc::garbled));
    BOOST_TEST(keeper.take(where).error() == errc::durability_lost);
    BOOST_TEST(keeper.help(where).error() == errc::durability_lost);
    BOOST_TEST(read_journal(disk).last_lsn == written);
}

BOOST_FIXTURE_TEST_CASE(a_record_with_a_wrong_checksum_is_not_journaled, kept_bank) {
    BOOST_TEST_REQUIRE(keeper.take(where).has_value());
    while (drain() != 0) {
    }
    pay(1);
    auto* middle = where.at<std::uint64_t>(where.geometry().ring_at +
                                           head() % where.geometry().ring_bytes + 64);
    *middle ^= 0x100;
    const auto before = mark();
    BOOST_TEST(keeper.drain_once(where).error() == errc::garbled);
    BOOST_TEST(mark() == before);
    BOOST_TEST(read_journal(disk).last_lsn == before);
}

BOOST_FIXTURE_TEST_CASE(a_keeper_that_was_fenced_writes_nothing_and_says_so, kept_bank) {
    BOOST_TEST_REQUIRE(keeper.take(where).has_value());
    while (drain() != 0) {
    }
    pay(2);
    const auto changes = disk.changes();
    shm::word(where.header().keeper.epoch).fetch_add(1);
    BOOST_TEST(keeper.drain_once(where).error() == errc::lease_lost);
    BOOST_TEST(disk.changes() == changes);
    BOOST_TEST(shm::load(where.header().durable.failed) == 0U);
    // That was somebody else's turn, not a loss: it may keep again.
    BOOST_TEST(keeper.take(where).has_value());
    BOOST_TEST(drain() == 2U);
}

BOOST_FIXTURE_TEST_CASE(what_a_dead_keeper_wrote_and_did_not_announce_is_announced, kept_bank) {
    BOOST_TEST_REQUIRE(keeper.take(where).has_value());
    while (drain() != 0) {
    }
    pay(5);
    const auto old_mark = mark();
    const auto old_head = head();
    BOOST_TEST(drain() == 5U);
    keeper.rest();
    // As if it had died between the sync and the mark.
    shm::step(where.header().durable.lsn, old_mark);
    shm::step(where.header().head.value, old_head);
    io::keeper next(files, "world", io::keeper_options{64ULL << 10});
    BOOST_TEST_REQUIRE(next.take(where).has_value());
    BOOST_TEST(mark() == last());
    BOOST_TEST(head() == tail());
    pay(2);
    BOOST_TEST(next.drain_once(where).value() == 2U);
    std::string words;
    BOOST_TEST(difference(image_of(where), replayed(words)) == "");
    BOOST_TEST(words == "");
}

BOOST_FIXTURE_TEST_CASE(a_journal_behind_the_region_is_refused, kept_bank) {
    BOOST_TEST_REQUIRE(keeper.take(where).has_value());
    pay(2);
    while (drain() != 0) {
    }
    std::mt19937_64 random(1);
    auto older = disk.after_power_loss(disk.changes(), loss::nothing, random);
    pay(2);
    while (drain() != 0) {
    }
    keeper.rest();
    const auto changes = older.changes();
    io::file_system restored(older);
    io::keeper next(restored, "world", io::keeper_options{64ULL << 10});
    BOOST_TEST(next.take(where).error() == errc::damaged);
    BOOST_TEST_REQUIRE(next.found().has_value());
    BOOST_TEST(next.found()->cause.find(std::to_string(mark())) != std::string::npos);
    BOOST_TEST(mark() == last());
    BOOST_TEST(read_journal(older).last_lsn == last() - 2);
    BOOST_TEST(older.changes() >= changes);
}

BOOST_FIXTURE_TEST_CASE(a_journal_ahead_of_the_region_is_refused, kept_bank) {
    BOOST_TEST_REQUIRE(keeper.take(where).has_value());
    pay(20);
    while (drain() != 0) {
    }
    keeper.rest();
    kept_bank younger(2);
    io::keeper next(files, "world", io::keeper_options{64ULL << 10});
    BOOST_TEST(next.take(younger.where).error() == errc::damaged);
    BOOST_TEST(younger.mark() == 0U);
    BOOST_TEST(younger.tail() > younger.head());
}

BOOST_FIXTURE_TEST_CASE(help_empties_the_ring_and_gives_the_lease_back, kept_bank) {
    pay(3);
    BOOST_TEST(keeper.help(where).has_value());
    BOOST_TEST(mark() == last());
    const auto epoch = shm::load(where.header().keeper.epoch);
    pay(3);
    BOOST_TEST(keeper.help(where).has_value());
    BOOST_TEST(mark() == last());
    BOOST_TEST(shm::load(where.header().keeper.epoch) == epoch);  // The journal stayed open.
    io::keeper other(files, "world", io::keeper_options{64ULL << 10});
    pay(1);
    BOOST_TEST(other.help(where).has_value());
    BOOST_TEST(mark() == last());
    pay(1);
    BOOST_TEST(keeper.help(where).has_value());
    BOOST_TEST(mark() == last());
    std::string words;
    BOOST_TEST(difference(image_of(where), replayed(words)) == "");
    BOOST_TEST(words == "");
}

BOOST_FIXTURE_TEST_CASE(each_fault_of_the_disk_freezes_the_mark_or_changes_nothing, kept_bank) {
    BOOST_TEST_REQUIRE(keeper.take(where).has_value());
    while (drain() != 0) {
    }
    std::uint64_t frozen = 0;
    for (const auto kind :
         {fault_kind::input_output, fault_kind::no_space, fault_kind::short_write}) {
        for (std::uint64_t call = 1; call <= 3; ++call) {
            kept_bank each;
            if (!each.keeper.take(each.where)) continue;
            while (each.drain() != 0) {
            }
            each.pay(3);
            const auto before = each.mark();
            each.disk.plan({kind, each.disk.calls() + call, false});
            const auto drained = each.keeper.drain_once(each.where);
            each.disk.heal();
            if (drained) {
                BOOST_TEST(each.mark() == each.last());
                continue;
            }
            ++frozen;
            BOOST_TEST(drained.error() == errc::durability_lost);
            BOOST_TEST(each.mark() == before);
            BOOST_TEST(each.keeper.take(each.where).error() == errc::durability_lost);
            BOOST_TEST(each.keeper.help(each.where).error() == errc::durability_lost);
            BOOST_TEST(each.mark() == before);
        }
    }
    BOOST_TEST(frozen >= 4U);
}

}  // namespace

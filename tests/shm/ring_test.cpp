// SPDX-License-Identifier: Apache-2.0
//
// Claims of shm/ring: LSNs are dense, records whole, a full ring refuses and changes nothing, and
// garbage in it is named (R1 to R3).
#include <boost/test/unit_test.hpp>
#include <perdure/tests/shm/open_bank.hpp>

namespace {

using namespace perdure;
using namespace perdure::shm;
using namespace perdure::tests;

result<receipt> tell(session& self, std::size_t words) {
    const std::vector<std::uint64_t> told(words, 0x1122334455667788);
    return self.write([&](transaction& tx) -> result<> {
        tx.event(4, 2, std::as_bytes(std::span(told)));
        return {};
    });
}

BOOST_AUTO_TEST_CASE(records_come_out_as_they_went_in_over_many_wraps) {
    open_bank bank(4);
    BOOST_REQUIRE(drain_ring(bank.where, bank.keeper.journal) == "");
    auto image = image_of(bank.where);
    const auto first = bank.keeper.journal.size();
    for (std::uint64_t i = 0; i < 5000; ++i) {
        BOOST_REQUIRE(transfer(bank.self, bank.in, i % 4, (i + 1) % 4, 3).has_value());
        if (i % 7 == 0) BOOST_REQUIRE(tell(bank.self, i % 300).has_value());
    }
    BOOST_REQUIRE(drain_ring(bank.where, bank.keeper.journal) == "");
    BOOST_TEST(bank.keeper.fault == "");
    BOOST_TEST(bank.where.header().producer.tail > 10 * bank.where.geometry().ring_bytes);
    std::uint64_t lsn = 0;
    for (std::size_t i = 0; i < bank.keeper.journal.size(); ++i) {
        record_header header;
        std::memcpy(&header, bank.keeper.journal[i].data(), sizeof header);
        BOOST_REQUIRE(header.lsn == ++lsn);
        if (i >= first) BOOST_REQUIRE(replay(image, bank.keeper.journal[i]) == "");
    }
    BOOST_TEST(difference(image, image_of(bank.where)) == "");
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(the_first_lsn_is_the_regions_own) {
    auto options = small_options();
    options.first_lsn = 1000;
    open_bank bank(0, options);
    BOOST_TEST(next_lsn(bank.where) == 1001U);
    BOOST_TEST(tell(bank.self, 1)->lsn == 1001U);
    BOOST_TEST(bank.where.header().durable.lsn == 999U);
}

BOOST_AUTO_TEST_CASE(a_full_ring_refuses_and_changes_nothing) {
    open_bank bank(2);
    auto self = participant::join(bank.where).value();
    transaction tx(self);
    result<receipt> paid;
    for (int i = 0; i < 2000; ++i) {
        BOOST_REQUIRE(move(tx, bank.in, 0, 1, 1).has_value());
        const auto digest = digest_of(bank.where);
        const auto tail = load(bank.where.header().producer.tail);
        paid = tx.commit();
        if (paid) continue;
        BOOST_TEST(digest_of(bank.where) == digest);
        BOOST_TEST(load(bank.where.header().producer.tail) == tail);
        break;
    }
    BOOST_CHECK(paid.error() == errc::conflict);
    BOOST_CHECK(tx.why() == rerun::ring_full);
    BOOST_TEST(bank.faults() == "");
    const auto& header = bank.where.header();
    BOOST_TEST(header.producer.tail - header.head.value + 16 <= bank.where.geometry().ring_bytes);
}

BOOST_AUTO_TEST_CASE(without_a_drain_a_writer_stalls_at_a_full_ring) {
    open_bank bank(2);
    auto alone = session::join(bank.where, nullptr).value();
    errc reason{};
    for (int i = 0; i < 2000 && reason == errc{}; ++i) {
        const auto paid = alone.write([&](transaction& tx) { return move(tx, bank.in, 0, 1, 1); },
                                      deadline::in(std::chrono::milliseconds(200)));
        if (!paid) reason = paid.error();
    }
    BOOST_CHECK(reason == errc::stalled);
    BOOST_TEST(bank.faults() == "");
    BOOST_TEST(transfer(bank.self, bank.in, 0, 1, 1).has_value());  // This one can drain.
}

BOOST_AUTO_TEST_CASE(a_record_too_large_for_the_ring_is_refused_at_once) {
    open_bank bank(2);
    BOOST_CHECK(tell(bank.self, 16 * 1024 / 8).error() == errc::transaction_too_large);
    BOOST_TEST(tell(bank.self, 15 * 1024 / 8).has_value());
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(more_events_than_a_record_counts_are_refused) {
    auto options = small_options();
    options.ring_bytes = 4 << 20;
    options.capacity_bytes = 32 << 20;
    open_bank bank(2, options);
    const auto paid = bank.self.write([&](transaction& tx) -> result<> {
        for (int i = 0; i < 65'537; ++i) tx.event(1, 1, {});
        return {};
    });
    BOOST_CHECK(paid.error() == errc::transaction_too_large);
    BOOST_TEST(bank.faults() == "");
}

BOOST_AUTO_TEST_CASE(garbled_headers_are_named_and_not_followed) {
    open_bank bank(2);
    std::vector<record_bytes> journal;
    BOOST_REQUIRE(drain_ring(bank.where, journal) == "");
    BOOST_REQUIRE(transfer(bank.self, bank.in, 0, 1, 1).has_value());
    const auto head = load(bank.where.header().head.value);
    auto& header = ring_header(bank.where, head);
    const auto good = header;
    const auto expect_garbled = [&](auto change) {
        header = good;
        change(header);
        BOOST_CHECK(look(bank.where, head).error() == errc::garbled);
    };
    expect_garbled([](record_header& h) { h.state = 0; });
    expect_garbled([](record_header& h) { h.state = 5; });
    expect_garbled([](record_header& h) { h.bytes = 0; });
    expect_garbled([](record_header& h) { h.bytes = 8; });
    expect_garbled([](record_header& h) { h.bytes += 8; });
    expect_garbled([](record_header& h) { h.bytes = 1U << 31; });
    expect_garbled([](record_header& h) { h.lsn = 0; });
    header = good;
    BOOST_TEST(look(bank.where, head).has_value());
}

BOOST_AUTO_TEST_CASE(a_garbled_header_at_the_tail_stops_commits_not_the_process) {
    open_bank bank(2);
    const auto tail = load(bank.where.header().producer.tail);
    const auto digest = digest_of(bank.where);
    ring_header(bank.where, tail).lsn = 0;
    BOOST_CHECK(transfer(bank.self, bank.in, 0, 1, 1).error() == errc::garbled);
    BOOST_TEST(digest_of(bank.where) == digest);
}

BOOST_AUTO_TEST_CASE(a_ring_lock_of_nobody_is_garbled) {
    open_bank bank(2);
    bank.where.header().producer.lock = 999;
    BOOST_CHECK(transfer(bank.self, bank.in, 0, 1, 1).error() == errc::garbled);
    bank.where.header().producer.lock = 0;
    BOOST_TEST(transfer(bank.self, bank.in, 0, 1, 1).has_value());
    BOOST_TEST(bank.faults() == "");
}

}  // namespace

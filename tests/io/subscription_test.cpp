// SPDX-License-Identifier: Apache-2.0
//
// Claims of io/subscription.hpp, io/block_finder.hpp and shm/ring_reader.hpp: every LSN once and in
// order, from the ring, from files, over the ring's end and the segments' ends, beside writers and
// a keeper, also through a read-only mapping; nothing before it is durable where that was asked;
// what was overwritten is read from files; what is garbled is refused.
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <perdure/io/subscription.hpp>
#include <perdure/tests/io/kept_bank.hpp>
#include <perdure/tests/print_errc.hpp>
#include <thread>

namespace {

using namespace perdure;
using namespace perdure::tests;

/// Everything a subscription answers now, put behind each other; checks density.
struct reader {
    io::subscription from;
    std::vector<std::vector<std::byte>> records;
    std::uint64_t expected;

    reader(kept_bank& bank, std::uint64_t lsn, io::delivery level)
        : from(bank.where, bank.disk, "world", lsn, level), expected(lsn) {}

    /// Answers the records of one batch.
    std::uint64_t take() {
        const auto batch = from.next();
        BOOST_REQUIRE_MESSAGE(batch.has_value(), name(batch.error()));
        BOOST_REQUIRE_EQUAL(batch->first_lsn, expected);
        shm::record_walk walk(batch->records);
        shm::record_view record;
        const auto before = expected;
        for (;;) {
            const auto more = walk.next(record);
            BOOST_REQUIRE(more.has_value());
            if (!*more) break;
            BOOST_REQUIRE_EQUAL(record.lsn(), expected);
            ++expected;
            records.emplace_back(record.bytes().begin(), record.bytes().end());
        }
        BOOST_REQUIRE_EQUAL(batch->next_lsn, expected);
        BOOST_REQUIRE_EQUAL(from.next_lsn(), expected);
        return expected - before;
    }
    std::uint64_t take_all() {
        std::uint64_t sum = 0;
        while (const auto some = take()) sum += some;
        return sum;
    }
};

struct kept : kept_bank {
    std::mt19937_64 random{7};

    kept() {
        BOOST_TEST_REQUIRE(keeper.take(where).has_value());
        drain_all();
    }
    void drain_all() {
        while (drain() != 0) {
        }
    }
    /// Records of many lengths.
    void pay_with_note() {
        const std::vector<std::byte> note(8 * (random() % 200), std::byte{7});
        const auto paid = self.write(
            [&](shm::transaction& tx) -> result<> {
                tx.event(900, 1, note);
                return move(tx, in, random() % 16, 16 - 1 - random() % 8, 1);
            },
            shm::deadline::in(std::chrono::milliseconds(1)));
        if (!paid) drain_all();
    }
    /// What the files hold, record by record.
    std::vector<std::vector<std::byte>> journal(std::uint64_t from = 1) {
        std::vector<std::vector<std::byte>> out;
        const auto read = read_journal(disk);
        shm::record_walk walk(read.records);
        shm::record_view record;
        while (*walk.next(record)) {
            if (record.lsn() < from) continue;
            out.emplace_back(record.bytes().begin(), record.bytes().end());
        }
        return out;
    }
};

BOOST_FIXTURE_TEST_CASE(what_is_in_the_ring_is_answered_without_a_file, kept_bank) {
    reader seen(*this, 1, io::delivery::applied);
    seen.take_all();
    BOOST_TEST(seen.expected == last() + 1);
    pay(100);
    seen.take_all();
    BOOST_TEST(seen.expected == last() + 1);
    BOOST_TEST(seen.from.from_files() == 0U);
    BOOST_TEST(seen.take() == 0U);
}

BOOST_FIXTURE_TEST_CASE(what_the_ring_has_lost_comes_from_the_files_over_all_segments, kept) {
    while (tail() < 12 * where.geometry().ring_bytes) pay_with_note();
    drain_all();
    std::optional<io::finding> found;
    const auto promised = io::manifest::open(files, "world", io::open_mode::read, found).value();
    BOOST_TEST(promised.segments().size() > 2U);
    reader seen(*this, 1, io::delivery::durable);
    seen.take_all();
    BOOST_TEST(seen.expected == last() + 1);
    BOOST_TEST(seen.from.from_files() != 0U);
    BOOST_TEST((seen.records == journal()));
}

BOOST_FIXTURE_TEST_CASE(it_begins_at_any_lsn, kept) {
    while (tail() < 5 * where.geometry().ring_bytes) pay_with_note();
    drain_all();
    pay(20);
    for (int turn = 0; turn < 100; ++turn) {
        const auto first = 1 + random() % last();
        reader seen(*this, first, io::delivery::applied);
        BOOST_TEST_REQUIRE(seen.take_all() == last() + 1 - first);
    }
    reader ahead(*this, last() + 3, io::delivery::applied);
    BOOST_TEST(ahead.take() == 0U);
    pay(2);
    BOOST_TEST(ahead.take() == 0U);
    pay(5);
    BOOST_TEST(ahead.take() == 5U);
}

BOOST_FIXTURE_TEST_CASE(it_goes_back_in_the_ring_and_in_files, kept) {
    while (tail() < 3 * where.geometry().ring_bytes) pay_with_note();
    drain_all();
    pay(30);
    reader seen(*this, 1, io::delivery::applied);
    for (int turn = 0; turn < 50; ++turn) {
        seen.take_all();
        const auto back = turn % 2 == 0 ? last() - random() % 30 : 1 + random() % last();
        seen.from.seek(back);
        seen.expected = back;
        BOOST_TEST_REQUIRE(seen.take() != 0U);
    }
}

BOOST_FIXTURE_TEST_CASE(durable_delivery_waits_for_the_mark_and_applied_does_not, kept) {
    pay(10);
    reader early(*this, 1, io::delivery::applied);
    reader late(*this, 1, io::delivery::durable);
    early.take_all();
    late.take_all();
    BOOST_TEST(early.expected == last() + 1);
    BOOST_TEST(late.expected == mark() + 1);
    BOOST_TEST(late.expected < early.expected);
    BOOST_TEST(!late.from.wait(shm::deadline::in(std::chrono::milliseconds(1))));
    drain_all();
    BOOST_TEST(late.from.wait(shm::deadline::never()));
    late.take_all();
    BOOST_TEST(late.expected == early.expected);
}

BOOST_FIXTURE_TEST_CASE(it_follows_below_the_head_without_files, kept) {
    reader seen(*this, last() + 1, io::delivery::durable);
    seen.take();
    for (int turn = 0; turn < 2000; ++turn) {
        pay(1 + turn % 7);
        drain_all();  // The head is at the tail whenever the reader looks.
        seen.take_all();
        BOOST_REQUIRE(seen.expected == last() + 1);
    }
    BOOST_TEST(tail() > 3 * where.geometry().ring_bytes);
    BOOST_TEST(seen.from.from_files() == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_claim_holds_it_up_and_padding_does_not, kept) {
    auto slow = shm::participant::join(where).value();
    reader seen(*this, last() + 1, io::delivery::applied);
    pay(2);
    auto& lock = where.header().producer.lock;
    shm::step(slow.control().active, 1);
    shm::step(lock, slow.owner());
    const auto place = shm::claim(where, slow.slot(), 64).value();
    shm::step(lock, 0);
    pay(3);
    BOOST_TEST(seen.take_all() == 2U);
    BOOST_TEST(seen.expected == place.lsn);
    BOOST_TEST(!seen.from.wait(shm::deadline::in(std::chrono::milliseconds(1))));
    shm::void_claim(where, slow.slot(), place.position);
    shm::step(slow.control().claim, shm::no_claim);
    shm::step(slow.control().active, 0);
    BOOST_TEST(seen.from.wait(shm::deadline::never()));
    BOOST_TEST(seen.take_all() == 4U);
    drain_all();
    reader behind(*this, 1, io::delivery::durable);
    behind.take_all();
    BOOST_TEST(behind.expected == last() + 1);
}

/// Writers and a keeper in threads, the ring wrapping all the time; two readers beside them.
BOOST_FIXTURE_TEST_CASE(beside_writers_and_a_keeper_nothing_is_lost_or_answered_twice, kept) {
    constexpr std::uint64_t commits = 30'000;
    const auto first = last() + 1;
    std::atomic<std::uint32_t> writing{2};
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i) {
        threads.emplace_back([&, i] {
            auto me = shm::session::join(where, nullptr).value();
            for (std::uint64_t n = 0; n < commits; ++n) {
                transfer(me, in, (n + static_cast<std::uint64_t>(i)) % 16, (n + 5) % 16, 1).value();
            }
            --writing;
        });
    }
    threads.emplace_back([&] {
        while (writing != 0 || head() != tail()) drain();
    });
    std::vector<std::byte> applied;
    std::vector<std::byte> durable;
    const auto follow = [&](io::delivery level, std::vector<std::byte>& into) {
        io::subscription from(where, disk, "world", first, level);
        auto expected = first;
        while (writing != 0 || expected <= last()) {
            const auto batch = from.next();
            if (!batch || batch->first_lsn != expected)
                return batch ? errc::garbled : batch.error();
            if (level == io::delivery::durable && batch->next_lsn > mark() + 1) return errc::busy;
            shm::record_walk walk(batch->records);
            shm::record_view record;
            for (auto more = walk.next(record); *more; more = walk.next(record)) {
                if (record.lsn() != expected++) return errc::stalled;
                // PADDING is longer in the ring than in a file.
                const auto what =
                    record.bytes().first(record.is_padding() ? 8 : record.bytes().size());
                into.insert(into.end(), what.begin(), what.end());
            }
            if (batch->is_empty()) from.wait(shm::deadline::in(std::chrono::milliseconds(1)));
        }
        return errc{};
    };
    errc second{};
    threads.emplace_back([&] { second = follow(io::delivery::durable, durable); });
    const errc one = follow(io::delivery::applied, applied);
    for (auto& each : threads) each.join();
    BOOST_TEST(one == errc{});
    BOOST_TEST(second == errc{});
    BOOST_TEST(tail() > 20 * where.geometry().ring_bytes);
    BOOST_TEST((applied == durable));
    std::vector<std::byte> written;
    for (const auto& each : journal(first)) {
        const bool padding = each.size() == 16;
        written.insert(written.end(), each.begin(), padding ? each.begin() + 8 : each.end());
    }
    BOOST_TEST((applied == written));
}

BOOST_FIXTURE_TEST_CASE(a_reader_that_was_overtaken_takes_the_files_and_returns, kept) {
    reader seen(*this, last() + 1, io::delivery::applied);
    pay(3);
    seen.take_all();
    const auto stop = tail() + 3 * where.geometry().ring_bytes;
    while (tail() < stop) {
        pay_with_note();
        if (random() % 20 == 0) drain_all();
    }
    seen.take_all();
    BOOST_TEST(seen.expected == last() + 1);
    const auto files_until_now = seen.from.from_files();
    BOOST_TEST(files_until_now != 0U);
    for (int turn = 0; turn < 100; ++turn) {
        pay(1);
        drain_all();
        seen.take_all();
    }
    BOOST_TEST(seen.from.from_files() == files_until_now);
}

BOOST_FIXTURE_TEST_CASE(a_finder_answers_the_block_of_each_lsn, kept) {
    while (tail() < 6 * where.geometry().ring_bytes) pay_with_note();
    drain_all();
    const auto all = journal();
    io::block_finder finder(files, "world", 3);
    for (int turn = 0; turn < 500; ++turn) {
        const auto lsn = 1 + random() % all.size();
        const auto block = finder.find(lsn);
        BOOST_TEST_REQUIRE(block.has_value());
        BOOST_TEST_REQUIRE(block->first_lsn <= lsn);
        BOOST_TEST_REQUIRE(block->last_lsn >= lsn);
        shm::record_walk walk(block->records);
        shm::record_view record;
        while (*walk.next(record) && record.lsn() != lsn) {
        }
        BOOST_TEST_REQUIRE(std::equal(record.bytes().begin(), record.bytes().end(),
                                      all[lsn - 1].begin(), all[lsn - 1].end()));
    }
    BOOST_TEST(finder.find(all.size() + 1).error() == errc::not_written);
    BOOST_TEST(finder.first_lsn().value() == 1U);
    pay(4);
    drain_all();
    BOOST_TEST(finder.find(last()).has_value());
}

BOOST_FIXTURE_TEST_CASE(a_damaged_block_is_refused_by_name, kept) {
    while (tail() < 3 * where.geometry().ring_bytes) pay_with_note();
    drain_all();
    keeper.rest();
    {
        auto segment = files.open(io::segment_path("world", 1), io::open_mode::read_write).value();
        std::vector<std::byte> page(16);
        BOOST_TEST_REQUIRE(segment.read(page, 4096 + 300).has_value());
        page[3] ^= std::byte{4};
        BOOST_TEST_REQUIRE(segment.write(page, 4096 + 300).has_value());
    }
    io::subscription from(where, disk, "world", 1, io::delivery::durable);
    BOOST_TEST(from.next().error() == errc::damaged);
    BOOST_TEST_REQUIRE(from.found().has_value());
    BOOST_TEST(from.found()->offset == 4096U);
}

BOOST_FIXTURE_TEST_CASE(a_garbled_header_in_the_ring_is_refused, kept) {
    pay(3);
    shm::step(shm::state_word(shm::ring_header(where, head())),
              shm::pack_state(12345, 9, static_cast<shm::record_state>(77)));
    io::subscription from(where, disk, "world", last() - 2, io::delivery::applied);
    BOOST_TEST(from.next().error() == errc::garbled);
}

/// Every single wrong byte of a record: refused, or seen as something else, never out of bounds.
BOOST_FIXTURE_TEST_CASE(a_garbled_record_is_never_followed_out_of_its_bytes, kept) {
    pay_with_note();
    reader seen(*this, last(), io::delivery::applied);
    seen.take_all();
    const auto whole = seen.records.back();
    std::uint64_t refused = 0;
    for (std::size_t at = 0; at < whole.size(); ++at) {
        for (const int flip : {0x01, 0x80, 0xff}) {
            // Memory of its own length, so that a sanitizer sees the first byte behind it.
            auto garbled = whole;
            garbled[at] ^= static_cast<std::byte>(flip);
            const auto record = shm::record_view::front_of(garbled);
            if (!record) {
                ++refused;
                continue;
            }
            std::size_t sum = 0;
            for (const auto event : record->events()) sum += event.payload.size();
            shm::change_view change;
            for (auto more = record->next(change);; more = record->next(change)) {
                if (!more) ++refused;
                if (!more || !*more) break;
                sum += change.gained(3);
            }
            BOOST_TEST_MESSAGE(sum);
        }
    }
    BOOST_TEST(refused > 50U);
    for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
        const std::vector<std::byte> cut(whole.begin(), whole.begin() + static_cast<long>(bytes));
        BOOST_TEST(!shm::record_view::front_of(cut).has_value());
    }
}

}  // namespace

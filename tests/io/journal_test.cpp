// SPDX-License-Identifier: Apache-2.0
//
// Claims of io/journal and io/journal_reader, on a simulated disk: what is appended and synced is
// read back, over segments, restarts and torn tails; what is damaged or missing is named.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>

#include <perdure/io/digest.hpp>
#include <perdure/tests/io/journal_rig.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;

io::journal_options small_segments() { return {.segment_bytes = 64 << 10}; }

/// Once, zeros stand where a keeper is just writing.
struct blinking_disk final : simulated_disk {
    std::uint64_t blind_at = ~0ULL;
    std::int64_t read(int descriptor, std::span<std::byte> into,
                      std::uint64_t offset) noexcept override {
        const auto got = simulated_disk::read(descriptor, into, offset);
        if (offset == blind_at) {
            blind_at = ~0ULL;
            std::fill(into.begin(), into.end(), std::byte{0});
        }
        return got;
    }
};

struct open_rig {
    blinking_disk disk;
    journal_rig rig;
    record_source source{7};
    std::vector<std::byte> books;

    explicit open_rig(io::journal_options options = small_segments()) : rig(disk, options) {
        std::optional<io::finding> found;
        BOOST_REQUIRE(rig.open(found));
    }

    void append(std::size_t transfers) {
        const std::uint64_t first = source.next_lsn();
        const auto ring = random_burst(source, transfers);
        BOOST_REQUIRE(rig.writer().append(ring, first));
        const auto plain = normalised(ring);
        books.insert(books.end(), plain.begin(), plain.end());
    }

    void reopen() {
        std::optional<io::finding> found;
        BOOST_REQUIRE(rig.open(found));
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(io_journal)

BOOST_AUTO_TEST_CASE(a_fresh_journal_is_empty_and_clean) {
    open_rig world;
    const auto content = read_journal(world.disk);
    BOOST_TEST(!content.refused);
    BOOST_TEST(!content.torn_tail);
    BOOST_TEST(content.blocks == 0U);
    BOOST_TEST(world.rig.writer().next_lsn() == 1U);
    BOOST_TEST(world.rig.writer().durable_lsn() == 0U);
}

BOOST_AUTO_TEST_CASE(a_block_that_comes_while_somebody_reads_is_no_damage) {
    open_rig world({.segment_bytes = 1 << 20});
    for (std::size_t i = 0; i < 20; ++i) {
        world.append(1 + i * 7 % 200);
        BOOST_REQUIRE(world.rig.writer().sync());
    }
    for (std::uint64_t at = io::block_alignment; at < 1 << 20; at += io::block_alignment) {
        world.disk.blind_at = at;
        const auto content = read_journal(world.disk);
        BOOST_TEST_REQUIRE(!content.refused, (content.refused ? content.refused->cause : ""));
        BOOST_TEST_REQUIRE((content.records == world.books));
    }
}

BOOST_AUTO_TEST_CASE(what_is_appended_is_read_back_over_many_segments) {
    open_rig world;
    for (std::size_t i = 0; i < 60; ++i) {
        world.append(1 + i * 7 % 200);
        if (i % 3 == 0) BOOST_REQUIRE(world.rig.writer().sync());
    }
    BOOST_REQUIRE(world.rig.writer().sync());
    const auto content = read_journal(world.disk);
    BOOST_TEST(!content.refused);
    BOOST_TEST(!content.torn_tail);
    BOOST_TEST(world.rig.promised().segments().size() > 3U);
    BOOST_TEST((content.records == world.books));
    BOOST_TEST(content.last_lsn == world.rig.writer().durable_lsn());
}

BOOST_AUTO_TEST_CASE(durable_lsn_moves_with_sync_and_not_before) {
    open_rig world;
    world.append(5);
    BOOST_TEST(world.rig.writer().durable_lsn() == 0U);
    BOOST_REQUIRE(world.rig.writer().sync());
    BOOST_TEST(world.rig.writer().durable_lsn() == world.source.next_lsn() - 1);
}

BOOST_AUTO_TEST_CASE(a_reopened_writer_goes_on_where_the_last_one_ended) {
    open_rig world;
    for (std::size_t i = 0; i < 20; ++i) {
        world.append(40);
        if (i % 2 == 0) BOOST_REQUIRE(world.rig.writer().sync());
        if (i % 5 == 4) world.reopen();
        BOOST_REQUIRE(world.rig.writer().next_lsn() == world.source.next_lsn());
    }
    BOOST_TEST((read_journal(world.disk).records == world.books));
}

BOOST_AUTO_TEST_CASE(reading_may_start_at_any_lsn) {
    open_rig world;
    for (std::size_t i = 0; i < 20; ++i) world.append(60);
    const std::uint64_t last = world.source.next_lsn() - 1;
    for (const std::uint64_t from : {std::uint64_t{1}, last / 3, last / 2, last, last + 1}) {
        const auto content = read_journal(world.disk, from);
        BOOST_TEST(!content.refused);
        BOOST_TEST(content.last_lsn == last);
        const auto first =
            content.records.empty() ? last + 1 : io::header_at(content.records.data()).lsn;
        BOOST_TEST(first <= from);
        const auto& books = world.books;
        BOOST_TEST(std::equal(content.records.rbegin(), content.records.rend(), books.rbegin()));
    }
}

BOOST_AUTO_TEST_CASE(a_record_larger_than_a_block_or_a_segment_gets_its_own) {
    open_rig world;
    std::vector<std::byte> ring;
    world.append(3);
    world.source.add_blob(ring, 3 << 20);
    world.source.add_transfer(ring);
    BOOST_REQUIRE(world.rig.writer().append(ring, world.rig.writer().next_lsn()));
    BOOST_REQUIRE(world.rig.writer().sync());
    world.books.insert(world.books.end(), ring.begin(), ring.end());
    BOOST_TEST((read_journal(world.disk).records == world.books));
}

BOOST_AUTO_TEST_CASE(an_empty_segment_grows_for_a_first_block_that_does_not_fit) {
    open_rig world;
    std::vector<std::byte> ring;
    world.source.add_blob(ring, 100 << 10);
    BOOST_REQUIRE(world.rig.writer().append(ring, 1));
    BOOST_REQUIRE(world.rig.writer().sync());
    world.books = ring;
    BOOST_TEST(world.rig.promised().segments().size() == 1U);
    world.reopen();
    world.append(10);
    const auto content = read_journal(world.disk);
    BOOST_TEST(!content.refused);
    BOOST_TEST((content.records == world.books));
}

BOOST_AUTO_TEST_CASE(records_that_are_not_whole_are_refused_and_nothing_is_written) {
    open_rig world;
    world.append(2);
    std::vector<std::byte> good;
    const std::uint64_t lsn = world.source.next_lsn();
    world.source.add_transfer(good);
    const std::size_t changes = world.disk.changes();
    auto& writer = world.rig.writer();
    const auto is_garbled = [&](std::vector<std::byte> ring, std::uint64_t first) {
        return writer.append(ring, first) == result<>(errc::garbled);
    };
    BOOST_TEST(is_garbled(good, lsn + 1));
    auto broken = good;
    broken[0] ^= std::byte{1};
    BOOST_TEST(is_garbled(broken, lsn));
    broken = good;
    broken.resize(good.size() - 8);
    BOOST_TEST(is_garbled(broken, lsn));
    broken = good;
    broken[14] = std::byte{2};  // CLAIMED
    BOOST_TEST(is_garbled(broken, lsn));
    broken = good;
    broken[8] = std::byte{24};
    BOOST_TEST(is_garbled(broken, lsn));
    broken = good;
    broken.resize(good.size() + 8);
    BOOST_TEST(is_garbled(broken, lsn));
    BOOST_TEST(world.disk.changes() - changes <= 1U);  // The last one had a whole block in front.
    BOOST_TEST(!writer.failed());
}

BOOST_AUTO_TEST_CASE(a_torn_last_block_is_a_tail_and_is_erased) {
    open_rig world;
    world.append(50);
    BOOST_REQUIRE(world.rig.writer().sync());
    const auto kept = world.books;
    const std::uint64_t kept_lsn = world.source.next_lsn();
    world.append(300);
    auto& bytes = world.disk.content("world/journal/00000000000000000001.pj");
    const auto last_used = std::find_if(bytes.rbegin(), bytes.rend(),
                                        [](std::byte byte) { return byte != std::byte{0}; });
    std::fill(last_used, last_used + 3000, std::byte{0});
    const auto content = read_journal(world.disk);
    BOOST_TEST(!content.refused);
    BOOST_REQUIRE(content.torn_tail);
    BOOST_TEST(content.torn_tail->offset % 4096 == 0U);
    BOOST_TEST((content.records == kept));

    world.reopen();
    BOOST_TEST(world.rig.writer().next_lsn() == kept_lsn);
    BOOST_TEST(!read_journal(world.disk).torn_tail);
    world.source = record_source(8, kept_lsn);
    world.books = kept;
    world.append(10);
    BOOST_TEST((read_journal(world.disk).records == world.books));
}

BOOST_AUTO_TEST_CASE(a_broken_block_that_was_synced_is_damage_and_is_named) {
    open_rig world;
    for (int i = 0; i < 4; ++i) {
        world.append(60);
        BOOST_REQUIRE(world.rig.writer().sync());
    }
    const std::string path = "world/journal/00000000000000000001.pj";
    world.disk.content(path)[4096 + 500] ^= std::byte{4};
    const auto content = read_journal(world.disk);
    BOOST_REQUIRE(content.refused);
    BOOST_TEST((content.refused->reason == errc::damaged));
    BOOST_TEST(content.refused->file == path);
    BOOST_TEST(content.refused->offset == 4096U);
    BOOST_TEST(content.refused->cause.find("payload") != std::string::npos);
    std::optional<io::finding> found;
    BOOST_TEST((world.rig.open(found) == result<>(errc::damaged)));
}

BOOST_AUTO_TEST_CASE(a_missing_segment_is_named) {
    open_rig world;
    for (int i = 0; i < 30; ++i) world.append(60);
    const auto& segments = world.rig.promised().segments();
    BOOST_REQUIRE(segments.size() > 2U);
    const std::string path = io::segment_path("world", segments[1].first_lsn);
    world.disk.remove(path);
    const auto content = read_journal(world.disk);
    BOOST_REQUIRE(content.refused);
    BOOST_TEST((content.refused->reason == errc::missing));
    BOOST_TEST(content.refused->file == path);
}

BOOST_AUTO_TEST_CASE(a_manifest_that_lost_its_end_is_noticed) {
    open_rig world;
    for (int i = 0; i < 30; ++i) world.append(60);
    BOOST_REQUIRE(world.rig.promised().segments().size() > 2U);
    auto& bytes = world.disk.content("world/MANIFEST");
    bytes.resize(bytes.size() - 512);
    const auto content = read_journal(world.disk);
    BOOST_REQUIRE(content.refused);
    BOOST_TEST((content.refused->reason == errc::damaged));
    BOOST_TEST(content.refused->file == "world/MANIFEST");
}

BOOST_AUTO_TEST_CASE(a_fence_stops_the_writer_for_good) {
    bool lost = false;
    io::journal_options options = small_segments();
    options.fence = [&]() -> result<> {
        if (lost) return errc::lease_lost;
        return {};
    };
    open_rig world(options);
    world.append(3);
    lost = true;
    const std::size_t changes = world.disk.changes();
    BOOST_TEST((world.rig.writer().sync() == result<>(errc::lease_lost)));
    lost = false;
    std::vector<std::byte> ring;
    world.source.add_transfer(ring);
    auto& writer = world.rig.writer();
    BOOST_TEST((writer.append(ring, writer.next_lsn()) == result<>(errc::durability_lost)));
    BOOST_TEST((writer.failed() == errc::lease_lost));
    BOOST_TEST(world.disk.changes() == changes);
}

BOOST_AUTO_TEST_CASE(the_epoch_and_the_time_range_stand_in_each_block) {
    io::journal_options options = small_segments();
    options.epoch = 42;
    open_rig world(options);
    world.append(9);
    std::optional<io::finding> found;
    auto reader = io::journal_reader::open(world.rig.files(), world.rig.promised(), 1, found);
    BOOST_REQUIRE(reader);
    BOOST_REQUIRE(reader->next(found).value());
    const io::block_header& header = reader->block().header;
    BOOST_TEST(header.epoch == 42U);
    BOOST_TEST(header.wall_ns_first > 1'700'000'000'000'000'000U);
    BOOST_TEST(header.wall_ns_first <= header.wall_ns_last);
}

BOOST_AUTO_TEST_SUITE_END()

// SPDX-License-Identifier: Apache-2.0
//
// Power fails at any moment of a journal's life; from the trace of the file seam, disks are built
// as they may then be. Claims: every record that was acknowledged is there, what is there is a
// prefix of what was appended, the chain verifies, nothing is called damage, and a writer goes on
// from there and is read back.
//
// `-- --torture` runs the sign-off count.
#include <boost/test/unit_test.hpp>

#include <iostream>
#include <string_view>

#include <perdure/tests/io/journal_rig.hpp>
#include <perdure/tests/torture.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;

struct acknowledgement {
    std::size_t changes;  ///< Of the disk when it was given.
    std::uint64_t lsn;
};

struct life {
    simulated_disk disk;
    std::vector<std::byte> books;
    std::vector<acknowledgement> acks;
    std::size_t born_at = 0;  ///< Changes after which the world is whole.
};

constexpr std::uint64_t segment_bytes = 24 << 10;

life live(std::uint64_t seed) {
    life one;
    journal_rig rig(one.disk, {.segment_bytes = segment_bytes});
    record_source source(seed);
    std::optional<io::finding> found;
    BOOST_REQUIRE(rig.open(found));
    one.born_at = one.disk.changes();
    for (int burst = 0; burst < 12; ++burst) {
        const std::uint64_t first = source.next_lsn();
        auto ring = random_burst(source, 1 + source.random() % 90);
        // Larger than a segment: at the start it makes an empty one grow, else a longer one.
        if (burst == static_cast<int>(seed % 8)) {
            ring.clear();
            source = record_source(seed, first);
            source.add_blob(ring, 40 << 10);
        }
        const auto plain = normalised(ring);
        one.books.insert(one.books.end(), plain.begin(), plain.end());
        BOOST_REQUIRE(rig.writer().append(ring, first));
        if (source.random() % 4 != 0) BOOST_REQUIRE(rig.writer().sync());
        one.acks.push_back({one.disk.changes(), rig.writer().durable_lsn()});
        if (source.random() % 6 == 0) {
            BOOST_REQUIRE(rig.open(found));
            one.acks.push_back({one.disk.changes(), rig.writer().durable_lsn()});
        }
    }
    return one;
}

std::uint64_t acknowledged_before(const life& one, std::size_t changes) {
    std::uint64_t lsn = 0;
    for (const acknowledgement& ack : one.acks) {
        if (ack.changes <= changes) lsn = ack.lsn;
    }
    return lsn;
}

struct tally {
    std::size_t images = 0;
    std::size_t torn = 0;
    std::size_t resumed = 0;
};

void check_image(const life& one, simulated_disk& image, std::size_t changes, bool resume,
                 tally& counts) {
    const auto content = read_journal(image);
    if (content.refused) {
        BOOST_FAIL(content.refused->file << " " << content.refused->offset << " "
                                         << content.refused->cause);
    }
    BOOST_REQUIRE(content.last_lsn >= acknowledged_before(one, changes));
    BOOST_REQUIRE(content.records.size() <= one.books.size());
    BOOST_REQUIRE(std::equal(content.records.begin(), content.records.end(), one.books.begin()));
    ++counts.images;
    counts.torn += content.torn_tail ? 1 : 0;
    if (!resume) return;

    journal_rig rig(image, {.segment_bytes = segment_bytes});
    std::optional<io::finding> found;
    BOOST_REQUIRE(rig.open(found));
    BOOST_REQUIRE(rig.writer().next_lsn() == content.last_lsn + 1);
    record_source source(changes, rig.writer().next_lsn());
    auto books = content.records;
    for (int burst = 0; burst < 4; ++burst) {
        const auto ring = random_burst(source, 60);
        BOOST_REQUIRE(rig.writer().append(ring, rig.writer().next_lsn()));
        BOOST_REQUIRE(rig.writer().sync());
        const auto plain = normalised(ring);
        books.insert(books.end(), plain.begin(), plain.end());
    }
    const auto again = read_journal(image);
    BOOST_REQUIRE(!again.refused);
    BOOST_REQUIRE(!again.torn_tail);
    BOOST_REQUIRE(again.records == books);
    ++counts.resumed;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(fault_journal_images)

BOOST_AUTO_TEST_CASE(every_legal_image_holds_what_was_acknowledged_as_a_prefix) {
    const std::size_t wanted = turns(50'000, 3'000);
    tally counts;
    for (std::uint64_t seed = 1; counts.images < wanted; ++seed) {
        const life one = live(seed);
        std::mt19937_64 random(seed);
        // In CI a life is looked at in few places, so that there are several lives.
        const std::size_t step = is_torture() ? 1 : 5;
        for (std::size_t changes = one.born_at + seed % step; changes <= one.disk.changes();
             changes += step) {
            for (const loss how : all_losses) {
                BOOST_TEST_CONTEXT("seed " << seed << ", changes " << changes << ", loss "
                                           << static_cast<int>(how)) {
                    auto image = one.disk.after_power_loss(changes, how, random);
                    check_image(one, image, changes, random() % 8 == 0, counts);
                }
            }
        }
    }
    std::cout << "journal images: " << counts.images << " images, " << counts.torn
              << " with a torn tail, " << counts.resumed << " written on\n";
    BOOST_TEST(counts.torn * 100 > counts.images);
    BOOST_TEST(counts.resumed > wanted / 20);
}

BOOST_AUTO_TEST_CASE(a_world_half_made_is_whole_or_not_there) {
    const life one = live(1);
    std::mt19937_64 random(1);
    std::size_t absent = 0;
    for (std::size_t changes = 0; changes <= one.born_at; ++changes) {
        for (const loss how : all_losses) {
            auto image = one.disk.after_power_loss(changes, how, random);
            const auto content = read_journal(image);
            BOOST_REQUIRE(content.records.empty());
            if (content.refused) {
                BOOST_REQUIRE(content.refused->reason == errc::missing);
                ++absent;
            }
            journal_rig rig(image, {.segment_bytes = segment_bytes});
            std::optional<io::finding> found;
            BOOST_REQUIRE(rig.open(found));
        }
    }
    BOOST_TEST(absent > 0U);
}

BOOST_AUTO_TEST_SUITE_END()

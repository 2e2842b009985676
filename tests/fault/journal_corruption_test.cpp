// SPDX-License-Identifier: Apache-2.0
//
// Files that rot, one change at a time: every bit of every header, random bits of payloads and
// fill, truncations, swapped, duplicated and stale blocks, a segment of another world.
// Claim: the reader refuses with file and byte, or what it answers is what was written; a change in
// the last block, which nothing behind it vouches for, shows as a torn tail at that block.
//
// `-- --torture` runs the sign-off count.
#include <boost/test/unit_test.hpp>

#include <iostream>

#include <perdure/tests/io/journal_rig.hpp>
#include <perdure/tests/torture.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;

struct block_place {
    std::string path;
    std::size_t offset;
    std::size_t end;  ///< Behind its last page.
    bool last;        ///< Of the journal.
};

struct tally {
    std::size_t damages = 0;
    std::size_t refused = 0;
    std::size_t torn = 0;
    std::size_t identical = 0;
};

/// A journal of several segments, all of it synced, and where its blocks lie.
struct written_world {
    simulated_disk disk;
    std::vector<std::byte> books;
    std::vector<block_place> blocks;
    tally counts;

    written_world() {
        journal_rig rig(disk, {.segment_bytes = 20 << 10});
        std::optional<io::finding> found;
        BOOST_REQUIRE(rig.open(found));
        record_source source(5);
        for (int burst = 0; burst < 8; ++burst) {
            const auto ring = random_burst(source, 30 + source.random() % 250);
            BOOST_REQUIRE(rig.writer().append(ring, rig.writer().next_lsn()));
            BOOST_REQUIRE(rig.writer().sync());
            const auto plain = normalised(ring);
            books.insert(books.end(), plain.begin(), plain.end());
        }
        BOOST_REQUIRE(rig.promised().segments().size() > 2U);
        auto reader = io::journal_reader::open(rig.files(), rig.promised(), 1, found);
        BOOST_REQUIRE(reader);
        std::uint64_t offset = 0;
        while (reader->next(found).value()) {
            const auto& position = reader->position();
            const auto& block = reader->block();
            offset = position.offset - block.bytes.size();
            const auto& segment = rig.promised().segments()[position.segment];
            blocks.push_back({io::segment_path("world", segment.first_lsn), offset,
                              static_cast<std::size_t>(position.offset), false});
        }
        blocks.back().last = true;
    }

    /// Reads and judges; `vouched` says that something behind the damage can know of it.
    void check(const std::string& what, bool vouched) {
        ++counts.damages;
        const auto content = read_journal(disk);
        if (content.refused) {
            BOOST_REQUIRE_MESSAGE(!content.refused->cause.empty(), what);
            BOOST_REQUIRE_MESSAGE(!content.refused->file.empty(), what);
            ++counts.refused;
            return;
        }
        if (content.records == books) {
            ++counts.identical;
            return;
        }
        BOOST_REQUIRE_MESSAGE(!vouched, what << ": lost without a word");
        BOOST_REQUIRE_MESSAGE(content.torn_tail.has_value(), what << ": not even a torn tail");
        BOOST_REQUIRE_MESSAGE(content.torn_tail->offset == blocks.back().offset, what);
        BOOST_REQUIRE_MESSAGE(
            std::equal(content.records.begin(), content.records.end(), books.begin()), what);
        ++counts.torn;
    }

    void flip(const std::string& path, std::size_t bit, bool vouched) {
        auto& bytes = disk.content(path);
        const auto mask = static_cast<std::byte>(1U << bit % 8);
        bytes[bit / 8] ^= mask;
        check("bit " + std::to_string(bit) + " of " + path, vouched);
        disk.content(path)[bit / 8] ^= mask;
    }

    void report(const char* what) const {
        std::cout << "journal corruption, " << what << ": " << counts.damages << " damages, "
                  << counts.refused << " refused, " << counts.torn << " at the tail, "
                  << counts.identical << " without effect\n";
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(fault_journal_corruption)

BOOST_AUTO_TEST_CASE(every_bit_of_every_header_is_guarded) {
    const std::size_t step = is_torture() ? 1 : is_sanitized ? 12 : 3;
    const std::size_t stride = is_sanitized ? 7 : 1;
    written_world world;
    for (std::size_t i = 0; i < world.blocks.size(); ++i) {
        const block_place& block = world.blocks[i];
        if (i % step != 0 && !block.last) continue;
        for (std::size_t bit = 0; bit < sizeof(io::block_header) * 8; bit += stride) {
            world.flip(block.path, block.offset * 8 + bit, !block.last);
        }
    }
    for (const std::string& path : world.disk.paths()) {
        if (!path.ends_with(".pj")) continue;
        for (std::size_t bit = 0; bit < (sizeof(io::segment_header) + 64) * 8; bit += stride) {
            world.flip(path, bit, true);
        }
    }
    world.report("headers");
    BOOST_TEST(world.counts.identical == 0U);
}

BOOST_AUTO_TEST_CASE(random_bits_of_payload_and_fill_are_guarded) {
    written_world world;
    std::mt19937_64 random(3);
    const std::size_t rounds = turns(100'000, 3'000);
    for (std::size_t i = 0; i < rounds; ++i) {
        const block_place& block = world.blocks[random() % world.blocks.size()];
        const std::size_t bytes = block.end - block.offset;
        world.flip(block.path, block.offset * 8 + random() % (bytes * 8), !block.last);
    }
    world.report("payloads");
    BOOST_TEST(world.counts.identical == 0U);
}

BOOST_AUTO_TEST_CASE(a_truncated_segment_is_refused) {
    written_world world;
    std::mt19937_64 random(4);
    for (const std::string& path : world.disk.paths()) {
        if (!path.ends_with(".pj")) continue;
        const auto whole = world.disk.content(path);
        for (int i = 0; i < 200; ++i) {
            world.disk.content(path).resize(random() % whole.size());
            world.check("truncated " + path, true);
            world.disk.content(path) = whole;
        }
    }
    world.report("truncations");
    BOOST_TEST(world.counts.refused == world.counts.damages);
}

BOOST_AUTO_TEST_CASE(swapped_duplicated_and_erased_blocks_are_refused) {
    written_world world;
    for (const block_place& a : world.blocks) {
        for (const block_place& b : world.blocks) {
            if (a.offset == b.offset && a.path == b.path) continue;
            const auto whole_a = world.disk.content(a.path);
            const auto whole_b = world.disk.content(b.path);
            const auto at = [](std::vector<std::byte>& bytes, const block_place& place) {
                return bytes.begin() + static_cast<std::ptrdiff_t>(place.offset);
            };
            const std::size_t length = std::min(a.end - a.offset, b.end - b.offset);
            const auto steps = static_cast<std::ptrdiff_t>(length);
            auto& bytes_a = world.disk.content(a.path);
            auto& bytes_b = world.disk.content(b.path);
            std::copy(at(bytes_a, a), at(bytes_a, a) + steps, at(bytes_b, b));
            // An intact block of this segment in the wrong place is no torn write's work.
            const bool intact = length == a.end - a.offset && a.path == b.path;
            world.check("duplicated", !b.last || intact);
            bytes_a = whole_a;
            bytes_b = whole_b;
            std::swap_ranges(at(bytes_a, a), at(bytes_a, a) + steps, at(bytes_b, b));
            world.check("swapped", true);
            bytes_a = whole_a;
            bytes_b = whole_b;
        }
        auto& bytes = world.disk.content(a.path);
        const auto whole = bytes;
        std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(a.offset),
                  bytes.begin() + static_cast<std::ptrdiff_t>(a.end), std::byte{0});
        if (!a.last) world.check("erased", true);
        world.disk.content(a.path) = whole;
    }
    world.report("moved blocks");
    BOOST_TEST(world.counts.identical == 0U);
}

BOOST_AUTO_TEST_CASE(files_of_another_time_or_world_are_refused) {
    written_world world;
    const written_world other;
    std::vector<std::string> segments;
    for (const std::string& path : world.disk.paths()) {
        if (path.ends_with(".pj")) segments.push_back(path);
    }
    for (const std::string& path : segments) {
        const auto mine = world.disk.content(path);
        for (const std::string& foreign : segments) {
            auto bytes = const_cast<written_world&>(other).disk.content(foreign);
            world.disk.content(path) = bytes;
            world.check("a segment of another world as " + path, true);
            world.disk.content(path) = mine;
        }
        world.disk.remove(path);
        world.check("no " + path, true);
        world.disk.put(path, mine);
    }
    const auto manifest = world.disk.content("world/MANIFEST");
    for (std::size_t kept = 512; kept < manifest.size(); kept += 512) {
        // An old MANIFEST put back.
        world.disk.content("world/MANIFEST").resize(kept);
        world.check("MANIFEST of " + std::to_string(kept) + " bytes", true);
        world.disk.content("world/MANIFEST") = manifest;
    }
    world.report("files");
    BOOST_TEST(world.counts.refused == world.counts.damages);
}

BOOST_AUTO_TEST_SUITE_END()

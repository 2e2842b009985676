// SPDX-License-Identifier: Apache-2.0
//
// Claims of io/manifest: what was recorded is found again; a torn end is tolerated only at the end;
// damage anywhere else is named with its byte.
#include <boost/test/unit_test.hpp>

#include <perdure/tests/io/journal_rig.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;

io::segment_entry entry_at(std::uint64_t first, std::uint8_t hash) {
    io::segment_entry entry{};
    entry.id = {first, 1};
    entry.generation = 1;
    entry.first_lsn = first;
    entry.first_seq = first;
    entry.hash_before.fill(hash);
    return entry;
}

io::segment_entry sealed(io::segment_entry entry, std::uint64_t last, std::uint8_t hash) {
    entry.sealed = true;
    entry.last_lsn = last;
    entry.last_seq = last;
    entry.hash_last.fill(hash);
    return entry;
}

struct made_world {
    simulated_disk disk;
    io::file_system files{disk};
    std::optional<io::finding> found;

    made_world() { BOOST_REQUIRE(io::manifest::create(files, "world", test_world)); }

    result<io::manifest> open(io::open_mode mode = io::open_mode::read) {
        found.reset();
        return io::manifest::open(files, "world", mode, found);
    }

    void record_two_segments() {
        auto promised = open(io::open_mode::read_write);
        BOOST_REQUIRE(promised);
        BOOST_REQUIRE(promised->open_segment(entry_at(1, 0)));
        BOOST_REQUIRE(promised->seal_segment(sealed(entry_at(1, 0), 9, 3)));
        BOOST_REQUIRE(promised->open_segment(entry_at(10, 3)));
        BOOST_REQUIRE(promised->raise_incarnation());
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(io_manifest)

BOOST_AUTO_TEST_CASE(a_world_is_made_once) {
    made_world world;
    BOOST_TEST((io::manifest::create(world.files, "world", test_world) == result<>(errc::exists)));
    const auto promised = world.open();
    BOOST_REQUIRE(promised);
    BOOST_TEST(promised->world() == test_world);
    BOOST_TEST(promised->incarnation() == 1U);
    BOOST_TEST(promised->segments().empty());
}

BOOST_AUTO_TEST_CASE(what_was_recorded_is_found_again) {
    made_world world;
    world.record_two_segments();
    const auto promised = world.open();
    BOOST_REQUIRE(promised);
    BOOST_TEST(promised->incarnation() == 2U);
    const auto& segments = promised->segments();
    BOOST_REQUIRE(segments.size() == 2U);
    BOOST_TEST(segments[0].sealed);
    BOOST_TEST(segments[0].last_lsn == 9U);
    BOOST_TEST(segments[0].hash_last == segments[1].hash_before);
    BOOST_TEST(!segments[1].sealed);
}

BOOST_AUTO_TEST_CASE(a_retired_segment_is_no_longer_promised) {
    made_world world;
    world.record_two_segments();
    auto promised = world.open(io::open_mode::read_write);
    BOOST_REQUIRE(promised);
    BOOST_REQUIRE(promised->retire_segment(promised->segments()[0].id));
    BOOST_TEST(world.open()->segments().size() == 1U);
}

BOOST_AUTO_TEST_CASE(no_manifest_is_missing_and_another_file_is_foreign) {
    made_world world;
    world.disk.content("world/MANIFEST").assign(1000, std::byte{'x'});
    BOOST_TEST((world.open().error() == errc::foreign));
    world.disk.content("world/MANIFEST").clear();
    BOOST_TEST((world.open().error() == errc::damaged));
    world.disk.remove("world/MANIFEST");
    BOOST_TEST((world.open().error() == errc::missing));
    BOOST_REQUIRE(world.found);
    BOOST_TEST(world.found->file == "world/MANIFEST");
}

BOOST_AUTO_TEST_CASE(a_torn_last_record_is_forgotten_and_written_over) {
    for (std::size_t cut = 1; cut <= 512; cut += 73) {
        made_world world;
        world.record_two_segments();
        auto& bytes = world.disk.content("world/MANIFEST");
        bytes.resize(bytes.size() - cut);
        auto promised = world.open(io::open_mode::read);
        BOOST_REQUIRE(promised);
        BOOST_TEST(promised->incarnation() == 1U);
        promised = world.open(io::open_mode::read_write);
        BOOST_REQUIRE(promised->raise_incarnation());
        BOOST_TEST(world.open()->incarnation() == 2U);
        BOOST_TEST(world.disk.content("world/MANIFEST").size() == 5 * 512U);
    }
}

BOOST_AUTO_TEST_CASE(every_damaged_bit_is_noticed_unless_it_is_in_the_last_record) {
    made_world world;
    world.record_two_segments();
    auto& bytes = world.disk.content("world/MANIFEST");
    BOOST_REQUIRE(bytes.size() == 5 * 512U);
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        const auto flip = static_cast<std::byte>(1U << bit % 8);
        bytes[bit / 8] ^= flip;
        const auto promised = world.open();
        const bool last = bit / 8 >= 4 * 512;
        BOOST_REQUIRE(promised.has_value() == last);
        if (last) BOOST_REQUIRE(promised->incarnation() == 1U);
        if (!last) {
            BOOST_REQUIRE(world.found);
            BOOST_REQUIRE(world.found->offset == bit / 8 / 512 * 512);
        }
        bytes[bit / 8] ^= flip;
    }
}

BOOST_AUTO_TEST_CASE(swapped_and_repeated_records_are_damage) {
    made_world world;
    world.record_two_segments();
    const auto good = world.disk.content("world/MANIFEST");
    auto& bytes = world.disk.content("world/MANIFEST");
    const auto at = [&](std::size_t n) { return bytes.begin() + static_cast<long>(512 * n); };
    std::swap_ranges(at(1), at(2), at(2));
    BOOST_TEST((world.open().error() == errc::damaged));
    bytes = good;
    bytes.insert(bytes.end(), good.end() - 512, good.end());
    BOOST_TEST((world.open().error() == errc::damaged));
    bytes = good;
    bytes.erase(at(1), at(2));
    BOOST_TEST((world.open().error() == errc::damaged));
}

BOOST_AUTO_TEST_SUITE_END()

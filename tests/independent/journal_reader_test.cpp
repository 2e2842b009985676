// SPDX-License-Identifier: Apache-2.0
//
// The journal as documented and the journal as written are one: a second reader, in another
// language and from docs/formats/ alone, finds the same records in the same real files, stops at
// the same torn tail and refuses the same damage.
#include <boost/test/unit_test.hpp>

#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <perdure/io/segment_packer.hpp>
#include <perdure/tests/independent/damage.hpp>
#include <perdure/tests/io/journal_rig.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;

struct real_world {
    std::string path = "/tmp/perdure_reader_XXXXXX";
    io::kernel_calls calls;

    real_world() { BOOST_REQUIRE(::mkdtemp(path.data()) != nullptr); }
    real_world(const real_world&) = delete;
    real_world& operator=(const real_world&) = delete;
    ~real_world() { std::filesystem::remove_all(path); }

    void write(std::uint64_t seed, io::codec_id codec) {
        journal_rig rig(calls, {.segment_bytes = 64 << 10, .codec = codec}, path);
        std::optional<io::finding> found;
        BOOST_REQUIRE(rig.open(found));
        record_source source(seed);
        for (int burst = 0; burst < 6; ++burst) {
            const auto ring = random_burst(source, 5 + source.random() % 900);
            BOOST_REQUIRE(rig.writer().append(ring, rig.writer().next_lsn()));
            BOOST_REQUIRE(rig.writer().sync());
        }
    }
};

struct second_opinion {
    int status;
    std::vector<std::byte> records;
};

second_opinion read_independently(const real_world& world) {
    const char* const source = std::getenv("PERDURE_SOURCE");
    BOOST_REQUIRE_MESSAGE(source != nullptr, "run through ctest, which sets PERDURE_SOURCE");
    const std::string out = world.path + "/second_opinion";
    const std::string command = std::string("python3 '") + source +
                                "/tests/independent/journal_reader.py' '" + world.path + "' > '" +
                                out + "'";
    const int status = std::system(command.c_str());
    std::ifstream stream(out, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(stream)), {});
    const auto bytes = std::as_bytes(std::span(text));
    return {WEXITSTATUS(status), {bytes.begin(), bytes.end()}};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(independent_journal_reader)

BOOST_AUTO_TEST_CASE(both_readers_find_the_same_records) {
    for (const io::codec_id codec : {io::codec_id::stored, io::codec_id::shuffled}) {
        for (std::uint64_t seed = 1; seed <= 2; ++seed) {
            real_world world;
            world.write(seed, codec);
            const auto first = read_journal(world.calls, 1, world.path);
            BOOST_REQUIRE(!first.refused);
            BOOST_REQUIRE(first.records.size() > 10'000U);
            const auto second = read_independently(world);
            BOOST_TEST(second.status == 0);
            BOOST_TEST((second.records == first.records));
        }
    }
}

BOOST_AUTO_TEST_CASE(both_readers_read_packed_segments) {
    real_world world;
    {
        journal_rig rig(world.calls, {.segment_bytes = 64 << 10}, world.path);
        std::optional<io::finding> found;
        BOOST_REQUIRE(rig.open(found));
        record_source source(4);
        for (int burst = 0; burst < 60; ++burst) {
            const auto ring = random_burst(source, 1 + source.random() % 3);
            BOOST_REQUIRE(rig.writer().append(ring, rig.writer().next_lsn()));
            BOOST_REQUIRE(rig.writer().sync());
        }
    }
    io::file_system files(world.calls);
    const auto plain = read_journal(world.calls, 1, world.path);
    io::segment_packer packer(files, {world.path, 1, 20 << 10, {}});
    BOOST_REQUIRE(packer.pack_on(~0ULL));
    BOOST_REQUIRE(packer.packed().segments > 1U);
    const auto first = read_journal(world.calls, 1, world.path);
    BOOST_TEST((first.records == plain.records));
    const auto second = read_independently(world);
    BOOST_TEST(second.status == 0);
    BOOST_TEST((second.records == first.records));
    damage(io::packed_path(world.path, 1), 200);
    BOOST_TEST(read_journal(world.calls, 1, world.path).refused.has_value());
    BOOST_TEST(read_independently(world).status == 3);
}

BOOST_AUTO_TEST_CASE(both_readers_stop_at_a_torn_tail_and_refuse_damage) {
    real_world world;
    world.write(3, io::codec_id::shuffled);
    io::file_system files(world.calls);
    std::optional<io::finding> found;
    const auto promised = io::manifest::open(files, world.path, io::open_mode::read, found);
    BOOST_REQUIRE(promised);
    auto reader = io::journal_reader::open(files, *promised, 1, found);
    BOOST_REQUIRE(reader);
    std::uint64_t last = 0;
    while (reader->next(found).value()) {
        last = reader->position().offset - reader->block().bytes.size();
    }
    const auto& segments = promised->segments();
    BOOST_REQUIRE(segments.size() > 1U);
    damage(io::segment_path(world.path, segments.back().first_lsn),
           static_cast<std::streamoff>(last + 200));
    const auto first = read_journal(world.calls, 1, world.path);
    BOOST_REQUIRE(first.torn_tail);
    const auto second = read_independently(world);
    BOOST_TEST(second.status == 0);
    BOOST_TEST((second.records == first.records));

    damage(io::segment_path(world.path, 1), 4096 + 200);
    BOOST_TEST(read_journal(world.calls, 1, world.path).refused.has_value());
    BOOST_TEST(read_independently(world).status == 3);
}

BOOST_AUTO_TEST_SUITE_END()

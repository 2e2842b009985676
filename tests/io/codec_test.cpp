// SPDX-License-Identifier: Apache-2.0
//
// Claims of io/codec: every codec gives back what it took, for records of every shape; garbage as a
// payload is refused without reading out of bounds (the sanitizers watch).
#include <boost/test/unit_test.hpp>

#include <random>

#include <perdure/io/codec.hpp>
#include <perdure/io/plane.hpp>
#include <perdure/tests/io/journal_rig.hpp>

namespace {

using namespace perdure;
using namespace perdure::tests;

struct encoded_block {
    std::vector<std::byte> stored;
    io::block_content content;
    std::vector<std::byte> raw;
};

encoded_block encode(io::codec& with, const std::vector<std::byte>& ring, std::uint64_t lsn) {
    io::record_list list;
    BOOST_REQUIRE(list.add(ring, lsn, io::block_raw_bytes_max).value() == ring.size());
    encoded_block block;
    block.raw = normalised(ring);
    BOOST_REQUIRE(list.raw_bytes() == block.raw.size());
    block.stored.resize(list.raw_bytes());
    block.stored.resize(with.encode(list, block.stored));
    block.content = {lsn, lsn + list.size() - 1, static_cast<std::uint32_t>(list.raw_bytes())};
    return block;
}

result<std::vector<std::byte>> decode(io::codec& with, std::span<const std::byte> stored,
                                      const io::block_content& content) {
    std::vector<std::byte> raw(content.raw_bytes);
    PERDURE_TRY(with.decode(stored, content, raw));
    return raw;
}

void check_round_trip(const std::vector<std::byte>& ring, std::uint64_t lsn, bool must_gain) {
    for (const io::codec_id id : {io::codec_id::stored, io::codec_id::shuffled}) {
        const auto with = io::make_codec(id);
        const encoded_block block = encode(*with, ring, lsn);
        if (block.stored.empty()) {
            BOOST_TEST(!must_gain);
            continue;
        }
        const auto raw = decode(*with, block.stored, block.content);
        BOOST_REQUIRE(raw);
        BOOST_TEST((*raw == block.raw));
    }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(io_codec)

BOOST_AUTO_TEST_CASE(an_unknown_codec_is_nobody) {
    BOOST_TEST(io::make_codec(static_cast<io::codec_id>(0)) == nullptr);
    BOOST_TEST(io::make_codec(static_cast<io::codec_id>(3)) == nullptr);
}

BOOST_AUTO_TEST_CASE(transfers_come_back_for_every_count_around_the_steps) {
    for (const std::size_t count : {32, 33, 47, 48, 49, 63, 64, 65, 127, 500, 5957}) {
        record_source source(count, 1000);
        std::vector<std::byte> ring;
        for (std::size_t i = 0; i < count; ++i) source.add_transfer(ring);
        check_round_trip(ring, 1000, true);
    }
}

BOOST_AUTO_TEST_CASE(transfers_shrink_to_a_quarter) {
    record_source source(3, 5'000'000);
    std::vector<std::byte> ring;
    for (std::size_t i = 0; i < 5000; ++i) source.add_transfer(ring);
    const auto with = io::make_codec(io::codec_id::shuffled);
    const encoded_block block = encode(*with, ring, 5'000'000);
    BOOST_TEST(block.stored.size() * 4 < ring.size());
}

BOOST_AUTO_TEST_CASE(mixed_shapes_padding_and_large_records_come_back) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        record_source source(seed, seed);
        check_round_trip(random_burst(source, 1 + seed * seed % 700), seed, false);
    }
}

BOOST_AUTO_TEST_CASE(many_shapes_overflow_into_the_loose_stream_and_come_back) {
    record_source source(9);
    std::vector<std::byte> ring;
    for (std::uint32_t i = 0; i < 100 * 40; ++i) source.add_blob(ring, 48 + i % 100 * 16);
    check_round_trip(ring, 1, false);
}

BOOST_AUTO_TEST_CASE(padding_alone_comes_back_as_bare_headers) {
    record_source source(4);
    std::vector<std::byte> ring;
    for (std::uint32_t i = 0; i < 200; ++i) source.add_padding(ring, 16 + i % 7 * 16);
    check_round_trip(ring, 1, true);
}

BOOST_AUTO_TEST_CASE(a_wrong_checksum_of_any_record_is_garbled) {
    record_source source(5);
    std::vector<std::byte> ring;
    for (int i = 0; i < 22; ++i) source.add_transfer(ring);
    source.add_padding(ring, 48);
    source.add_blob(ring, 64);
    io::record_list list;
    BOOST_TEST(list.add(ring, 1, 1 << 20).value() == ring.size());
    for (const std::size_t at : {16UL, 40UL, 176 * 21 + 100UL, ring.size() - 1}) {
        ring[at] ^= std::byte{0x10};
        list.clear();
        BOOST_TEST((list.add(ring, 1, 1 << 20).error() == errc::garbled));
        ring[at] ^= std::byte{0x10};
    }
}

BOOST_AUTO_TEST_CASE(a_list_stops_at_its_limit_and_refuses_gaps) {
    record_source source(6);
    std::vector<std::byte> ring;
    for (int i = 0; i < 10; ++i) source.add_transfer(ring);
    io::record_list list;
    BOOST_TEST(list.add(ring, 1, 3 * 176 + 175).value() == 3 * 176U);
    BOOST_TEST(list.size() == 3U);
    list.clear();
    BOOST_TEST(list.add(ring, 1, 175).value() == 0U);
    list.clear();
    BOOST_TEST((list.add(ring, 2, 1 << 20).error() == errc::garbled));
    list.clear();
    ring.erase(ring.begin(), ring.begin() + 176);
    ring.insert(ring.end(), ring.begin(), ring.begin() + 176);
    BOOST_TEST((list.add(ring, 2, 1 << 20).error() == errc::garbled));
}

BOOST_AUTO_TEST_CASE(a_damaged_payload_is_refused_or_gives_the_same_records) {
    // Beneath the block's checksum: what the codec itself does with bytes nobody wrote.
    std::mt19937_64 random(11);
    const auto with = io::make_codec(io::codec_id::shuffled);
    std::size_t refused = 0;
    for (int round = 0; round < 4000; ++round) {
        record_source source(static_cast<std::uint64_t>(round), 10);
        const encoded_block block = encode(*with, random_burst(source, 60), 10);
        if (block.stored.empty()) continue;
        auto stored = block.stored;
        if (round % 4 == 0) stored.resize(random() % stored.size());
        for (int flips = 0; flips < 1 + round % 3 && !stored.empty(); ++flips) {
            // Headers first: there a wrong number does the most.
            const std::size_t reach =
                round % 2 == 0 ? std::min<std::size_t>(800, stored.size()) : stored.size();
            stored[random() % reach] ^= static_cast<std::byte>(1U << random() % 8);
        }
        if (!decode(*with, stored, block.content)) ++refused;
    }
    BOOST_TEST(refused > 1000U);
}

BOOST_AUTO_TEST_CASE(split_and_join_undo_each_other) {
    std::mt19937_64 random(2);
    for (const std::size_t count : {16, 32, 160}) {
        std::vector<std::uint64_t> words(count);
        for (auto& word : words) word = random() & 0xffff'00ff'ffff'ffff;
        std::vector<std::byte> planes(8 * count);
        BOOST_TEST((io::split(words, planes.data()) & 0x0000'ff00'0000'0000) == 0U);
        for (std::size_t i = 0; i < count; ++i) {
            for (std::size_t b = 0; b < 8; ++b) {
                BOOST_REQUIRE((planes[b * count + i] == static_cast<std::byte>(words[i] >> 8 * b)));
            }
        }
        std::vector<std::uint64_t> back(count);
        io::join(planes.data(), back);
        BOOST_TEST(back == words);
    }
}

BOOST_AUTO_TEST_SUITE_END()

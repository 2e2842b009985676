// SPDX-License-Identifier: Apache-2.0
//
// Claims of shm/crc32c: the known value, agreement with a bit-by-bit reference at every length and
// alignment, and a record's checksum that covers what docs/formats/record.md says, no more, no
// less.
#include <boost/test/unit_test.hpp>

#include <random>
#include <string_view>
#include <vector>

#include <perdure/shm/crc32c.hpp>
#include <perdure/shm/record_format.hpp>

namespace {

using namespace perdure::shm;

std::uint32_t reference(std::span<const std::byte> bytes) {
    std::uint32_t crc = ~0U;
    for (const std::byte byte : bytes) {
        crc ^= std::to_integer<std::uint32_t>(byte);
        for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1U) != 0 ? 0x82f63b78U : 0U);
    }
    return ~crc;
}

std::vector<std::byte> random_bytes(std::size_t count, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::vector<std::byte> bytes(count);
    for (auto& byte : bytes) byte = static_cast<std::byte>(random());
    return bytes;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(shm_crc32c)

BOOST_AUTO_TEST_CASE(the_known_text_has_the_known_value) {
    const std::string_view text = "123456789";
    BOOST_TEST(crc32c(std::as_bytes(std::span(text))) == 0xe306'9283U);
    BOOST_TEST(crc32c({}) == 0U);
}

BOOST_AUTO_TEST_CASE(every_length_and_alignment_agrees_with_the_reference) {
    const auto bytes = random_bytes(200, 1);
    for (std::size_t from = 0; from < 16; ++from) {
        for (std::size_t count = 0; count + from <= bytes.size(); ++count) {
            const auto part = std::span(bytes).subspan(from, count);
            BOOST_REQUIRE(crc32c(part) == reference(part));
        }
    }
}

BOOST_AUTO_TEST_CASE(a_checksum_goes_on_where_another_ended) {
    const auto bytes = random_bytes(100, 2);
    const auto whole = std::span<const std::byte>(bytes);
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
        BOOST_REQUIRE(crc32c(whole.subspan(cut), crc32c(whole.first(cut))) == crc32c(whole));
    }
}

BOOST_AUTO_TEST_CASE(a_record_is_covered_but_for_checksum_participant_and_state) {
    for (const std::size_t bytes : {48, 64, 176, 1024}) {
        auto record = random_bytes(bytes, bytes);
        std::vector<std::byte> covered(record.begin(), record.begin() + 12);
        covered.insert(covered.end(), record.begin() + 20, record.end());
        const std::uint32_t crc = record_crc(record);
        BOOST_TEST(crc == reference(covered));
        for (std::size_t bit = 0; bit < bytes * 8; ++bit) {
            const auto mask = static_cast<std::byte>(1U << bit % 8);
            record[bit / 8] ^= mask;
            const bool left_out = bit / 8 >= 12 && bit / 8 < 20;
            BOOST_REQUIRE((record_crc(record) == crc) == left_out);
            record[bit / 8] ^= mask;
        }
    }
}

BOOST_AUTO_TEST_CASE(four_at_once_are_four_one_by_one) {
    for (const std::uint32_t bytes : {48U, 80U, 176U}) {
        std::vector<std::vector<std::byte>> records;
        const std::byte* starts[4];
        for (std::uint64_t i = 0; i < 4; ++i) {
            records.push_back(random_bytes(bytes, i));
            starts[i] = records[i].data();
        }
        std::uint32_t crcs[4];
        record_crc_4(starts, bytes, crcs);
        for (std::size_t i = 0; i < 4; ++i) BOOST_TEST(crcs[i] == record_crc(records[i]));
    }
}

BOOST_AUTO_TEST_SUITE_END()

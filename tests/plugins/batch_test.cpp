// SPDX-License-Identifier: Apache-2.0
//
// Claims of plugins/host/batch.hpp: what was put together is taken apart as it was; limits hold on
// both sides; bytes that break a rule are garbled, also where their checksum is right.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <perdure/plugins/host/batch.hpp>
#include <perdure/shm/crc32c.hpp>
#include <perdure/tests/print_errc.hpp>
#include <random>

namespace {

using namespace perdure;
using namespace perdure::plugins;

constexpr batch_origin origin{{1, 2}, {3, 4}, 5, 6};

perdure_command command(std::uint32_t kind, std::span<const std::byte> payload = {}) {
    perdure_command made{};
    made.size = sizeof made;
    made.kind = kind;
    made.amount = 7;
    made.payload_bytes = static_cast<std::uint32_t>(payload.size());
    made.payload = payload.data();
    return made;
}

void seal(std::vector<std::byte>& bytes) {
    constexpr std::size_t from = 16;
    const auto crc = shm::crc32c(std::span<const std::byte>(bytes).subspan(from));
    std::memcpy(bytes.data() + 12, &crc, sizeof crc);
}

BOOST_AUTO_TEST_CASE(a_batch_is_taken_apart_as_it_was_put_together) {
    std::mt19937_64 chance(20);
    for (int turn = 0; turn < 500; ++turn) {
        batch_writer writer;
        std::vector<std::byte> payload(chance() % 6 * 8);
        for (auto& each : payload) each = static_cast<std::byte>(chance());
        const auto commands = chance() % 5;
        const auto states = chance() % 5;
        for (std::uint64_t i = 0; i < commands; ++i) {
            auto one = command(1 + static_cast<std::uint32_t>(chance() % 11), payload);
            one.reference = i;
            BOOST_TEST(writer.add(one).has_value());
        }
        const std::vector<std::byte> key(1 + chance() % 40, std::byte{9});
        for (std::uint64_t i = 0; i < states; ++i) {
            BOOST_TEST((i % 2 == 0 ? writer.put(key, payload) : writer.erase(key)).has_value());
        }
        const auto read = take_apart(writer.finish(origin, 8)).value();
        BOOST_TEST(read.header.generation == 5U);
        BOOST_TEST(read.header.position == 8U);
        BOOST_TEST(read.commands.size() == commands);
        for (std::uint64_t i = 0; i < commands; ++i) {
            BOOST_TEST(read.commands[i].command.reference == i);
            BOOST_TEST(std::ranges::equal(read.commands[i].payload, payload));
        }
        BOOST_TEST(read.states.size() == states);
        for (std::uint64_t i = 0; i < states; ++i) {
            BOOST_TEST(std::ranges::equal(read.states[i].key, key));
            BOOST_TEST(read.states[i].is_erased == (i % 2 == 1));
        }
    }
}

BOOST_AUTO_TEST_CASE(the_writer_keeps_the_limits_and_goes_on) {
    batch_writer writer;
    const std::vector<std::byte> long_payload(payload_bytes_max + 8);
    BOOST_TEST(writer.add(command(0)).error() == errc::bad_command);
    BOOST_TEST(writer.add(command(12)).error() == errc::bad_command);
    BOOST_TEST(writer.add(command(9, long_payload)).error() == errc::bad_command);
    BOOST_TEST(writer.add(command(9, std::span(long_payload).first(7))).error() ==
               errc::bad_command);
    auto other = command(1);
    other.size -= 8;
    BOOST_TEST(writer.add(other).error() == errc::bad_command);
    BOOST_TEST(writer.put({}, {}).error() == errc::bad_name);
    BOOST_TEST(writer.put(std::span(long_payload).first(41), {}).error() == errc::bad_name);
    const std::vector<std::byte> value(state_value_bytes_max + 1);
    BOOST_TEST(writer.put(std::span(long_payload).first(4), value).error() ==
               errc::value_too_large);
    for (std::uint32_t i = 0; i < batch_commands_max; ++i) {
        BOOST_TEST(writer.add(command(1)).has_value());
    }
    BOOST_TEST(writer.add(command(1)).error() == errc::transaction_too_large);
    BOOST_TEST(take_apart(writer.finish(origin, 0)).value().commands.size() == batch_commands_max);
    // Bytes run out before counts do.
    writer.clear();
    std::size_t puts = 0;
    while (writer.put(std::span(long_payload).first(4), std::span(value).first(16'000))) ++puts;
    BOOST_TEST(puts == (batch_bytes_max - 80) / (8 + 8 + 16'000));
    BOOST_TEST(take_apart(writer.finish(origin, 0)).has_value());
}

BOOST_AUTO_TEST_CASE(broken_rules_are_garbled_though_the_checksum_is_right) {
    batch_writer writer;
    const std::array<std::byte, 16> payload{std::byte{1}};
    BOOST_TEST(writer.add(command(9, payload)).has_value());
    BOOST_TEST(writer.put(std::span(payload).first(3), payload).has_value());
    const auto good = writer.finish(origin, 0);
    const std::vector<std::byte> whole(good.begin(), good.end());
    const auto expect_garbled = [&](const std::string& what, auto&& change) {
        auto bytes = whole;
        change(bytes);
        seal(bytes);
        BOOST_TEST((take_apart(bytes).error() == errc::garbled), what);
    };
    const auto set = [](std::size_t at, std::uint32_t value) {
        return [=](std::vector<std::byte>& bytes) {
            std::memcpy(bytes.data() + at, &value, sizeof value);
        };
    };
    expect_garbled("A1 length", set(8, static_cast<std::uint32_t>(whole.size() + 8)));
    expect_garbled("more commands", set(72, 2));
    expect_garbled("many commands", set(72, 100'000));
    expect_garbled("fewer commands", set(72, 0));
    expect_garbled("more states", set(76, 2));
    expect_garbled("A4 reserved", set(80 + 92, 1));
    expect_garbled("payload over the end", set(80 + 88, 4096));
    expect_garbled("payload beyond the limit", set(80 + 88, payload_bytes_max + 8));
    expect_garbled("odd payload", set(80 + 88, 12));
    const std::size_t state_at = 80 + 96 + 16;
    expect_garbled("no key", set(state_at, 0));
    expect_garbled("long key", set(state_at, 41));
    expect_garbled("long value", set(state_at + 4, state_value_bytes_max + 1));
    expect_garbled("value over the end", set(state_at + 4, 64));
    expect_garbled("A4 filling", [&](auto& bytes) { bytes[state_at + 8 + 3] = std::byte{1}; });
    expect_garbled("something behind", [](auto& bytes) { bytes.resize(bytes.size() + 8); });
    BOOST_TEST(take_apart(whole).has_value());
    auto other = whole;
    other[20] ^= std::byte{1};
    BOOST_TEST((take_apart(other).error() == errc::garbled), "A2 checksum");
}

}  // namespace

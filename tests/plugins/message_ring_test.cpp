// SPDX-License-Identifier: Apache-2.0
//
// Claims of plugins/host/message_ring.hpp: messages arrive whole, in order and once, over the
// ring's end too; a full ring refuses in time; whatever stands in the marks and the bytes, the
// reader reads no byte outside of the ring and answers garbled or a message within the limits.
#include <sched.h>

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <memory>
#include <perdure/plugins/host/channel.hpp>
#include <perdure/tests/print_errc.hpp>
#include <random>
#include <thread>

namespace {

using namespace perdure;
using namespace perdure::plugins;

std::uint64_t soon(std::uint64_t ms = 20'000) {
    return shm::system_park().now_ns() + ms * 1'000'000;
}

struct open_ring {
    channel with = channel::create();
    message_writer writer{with.down()};
    message_reader reader{with.down()};
};

BOOST_FIXTURE_TEST_CASE(messages_arrive_whole_in_order_and_once, open_ring) {
    constexpr std::uint64_t count = 20'000;
    std::thread sender([&] {
        std::mt19937_64 chance(1);
        std::vector<std::byte> bytes;
        for (std::uint64_t i = 0; i < count; ++i) {
            const auto size = chance() % (i % 1000 == 0 ? 300'000 : 300);
            bytes.assign(size, static_cast<std::byte>(i));
            const std::size_t front = bytes.empty() ? 0 : chance() % bytes.size();
            if (!writer.send(message_kind::log, i, std::span(bytes).first(front),
                             std::span(bytes).subspan(front), soon())) {
                return;
            }
        }
    });
    std::mt19937_64 chance(1);
    bool all_right = true;
    for (std::uint64_t i = 0; i < count && all_right; ++i) {
        const auto size = chance() % (i % 1000 == 0 ? 300'000 : 300);
        if (size != 0) chance();
        const auto got = reader.receive(soon()).value();
        all_right = got.number == i && got.payload.size() == size &&
                    std::ranges::all_of(got.payload, [&](std::byte each) {
                        return each == static_cast<std::byte>(i);
                    });
        BOOST_TEST(all_right, i);
    }
    sender.join();
    BOOST_TEST((reader.receive(0).value().kind == message_kind{}));
}

/// Runs this thread, and threads it makes, on one processor.
void stay_on_one_core() {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<unsigned>(::sched_getcpu()), &one);
    BOOST_TEST_REQUIRE(::sched_setaffinity(0, sizeof one, &one) == 0);
}

BOOST_FIXTURE_TEST_CASE(two_sides_on_one_core_answer_each_other, open_ring) {
    constexpr std::uint64_t count = 5'000;
    cpu_set_t all;
    BOOST_TEST_REQUIRE(::sched_getaffinity(0, sizeof all, &all) == 0);
    stay_on_one_core();
    std::thread answers([&] {
        message_writer up(with.up());
        for (std::uint64_t i = 0; i < count; ++i) {
            const auto got = reader.receive(soon());
            if (!got || !up.send(message_kind::answer, got->number, {}, {}, soon())) return;
        }
    });
    message_reader up(with.up());
    bool all_right = true;
    for (std::uint64_t i = 0; i < count && all_right; ++i) {
        all_right = writer.send(message_kind::tick, i, {}, {}, soon()).has_value() &&
                    up.receive(soon()).value().number == i;
        BOOST_TEST(all_right, i);
    }
    answers.join();
    BOOST_TEST(::sched_setaffinity(0, sizeof all, &all) == 0);
}

BOOST_FIXTURE_TEST_CASE(a_full_ring_refuses_in_time_and_goes_on, open_ring) {
    const std::vector<std::byte> bytes(message_bytes_max - sizeof(message_header));
    BOOST_TEST(
        writer.send(message_kind::log, 0, bytes, std::span(bytes).first(1), soon()).error() ==
        errc::value_too_large);
    int sent = 0;
    while (writer.send(message_kind::log, 0, bytes, {}, soon(1))) ++sent;
    BOOST_TEST(sent == 2);
    BOOST_TEST(reader.receive(soon()).value().payload.size() == bytes.size());
    BOOST_TEST(writer.send(message_kind::log, 0, bytes, {}, soon(1)).has_value());
}

BOOST_FIXTURE_TEST_CASE(marks_that_cannot_be_are_garbled_on_both_sides, open_ring) {
    auto& marks = *with.down().marks;
    for (const std::uint64_t tail :
         std::array<std::uint64_t, 4>{channel_ring_bytes + 8, 4, ~0ULL, ~0ULL - 7}) {
        marks.tail = tail;
        BOOST_TEST(reader.receive(0).error() == errc::garbled);
    }
    marks.tail = 0;
    for (const std::uint64_t head : std::array<std::uint64_t, 2>{8, channel_ring_bytes}) {
        marks.head = head;
        BOOST_TEST(writer.send(message_kind::log, 0, {}, {}, soon(1)).error() == errc::garbled);
    }
}

BOOST_FIXTURE_TEST_CASE(garbage_stays_within_the_ring, open_ring) {
    std::mt19937_64 chance(7);
    std::uint64_t messages = 0;
    std::uint64_t garbled = 0;
    for (int turn = 0; turn < 3000; ++turn) {
        const auto place = with.down();
        for (int word = 0; word < 512; ++word) {
            const std::uint64_t value = chance() >> chance() % 64;
            std::memcpy(place.bytes + word * 8, &value, sizeof value);
        }
        place.marks->head = 0;
        place.marks->writer_place = chance() % 4;
        place.marks->tail = chance() % 3 == 0 ? chance() : chance() % 4096 & ~7ULL;
        message_reader fresh(place);
        for (int i = 0; i < 64; ++i) {
            const auto got = fresh.receive(0);
            if (!got) {
                ++garbled;
                break;
            }
            if (got->kind == message_kind{} && got->payload.empty()) break;
            BOOST_TEST(got->payload.size() <= message_bytes_max);
            ++messages;
        }
    }
    BOOST_TEST_MESSAGE(messages << " messages, " << garbled << " times garbled");
    BOOST_TEST(garbled > 1000U);
    BOOST_TEST(messages > 50U);
}

}  // namespace

// SPDX-License-Identifier: Apache-2.0
//
// What a journal block costs the keeper, a record: copy out of the ring, walk and checksums, codec,
// hash of the chain, checksum of the payload; and what decoding costs a recovery. Transfers with
// random accounts and rows, from a ring of 64 MiB that no cache holds. CPU time of this thread, the
// fastest of the rounds; nothing is written to a disk.
#include <time.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <random>
#include <utility>
#include <vector>

#include <perdure/io/codec.hpp>
#include <perdure/io/digest.hpp>
#include <perdure/shm/crc32c.hpp>

namespace {

using namespace perdure;

constexpr std::size_t ring_bytes = 64 << 20;
constexpr std::uint64_t first_lsn = 5'000'000;
constexpr int rounds = 7;

struct transfer {
    shm::record_header header;
    shm::transaction_header transaction;
    shm::event_header event;
    std::array<std::uint32_t, 8> accounts;  // Two ids of 16 bytes, the first 4 the same in all.
    std::uint64_t asset;
    std::uint64_t amount;
    shm::change_header debit;
    std::uint64_t debit_difference;
    shm::change_header credit;
    std::uint64_t credit_difference;
    std::uint64_t fill;
};
static_assert(sizeof(transfer) == 176);

std::vector<std::byte> make_ring() {
    std::mt19937_64 random(1);
    std::exponential_distribution<double> age(1.0 / 500'000);
    const auto before = [&](std::uint64_t lsn) {
        return lsn - std::min(lsn, static_cast<std::uint64_t>(age(random)) + 1);
    };
    std::vector<std::byte> ring(ring_bytes / sizeof(transfer) * sizeof(transfer));
    std::uint64_t lsn = first_lsn;
    for (std::size_t at = 0; at < ring.size(); at += sizeof(transfer), ++lsn) {
        transfer one{};
        one.header = {lsn, sizeof one, static_cast<std::uint16_t>(1 + random() % 3),
                      static_cast<std::uint16_t>(shm::record_state::committed)};
        one.transaction.events = 1;
        one.transaction.changes = 2;
        one.transaction.incarnation = 1;
        one.transaction.wall_ns = 1'790'000'000'000'000'000 + lsn / 4000 * 1'000'000;
        one.event = {17, 1, 56};
        for (auto& part : one.accounts) part = static_cast<std::uint32_t>(random());
        one.accounts[0] = one.accounts[4] = 1;
        one.asset = 7;
        one.amount = 1 + random() % 1000;
        one.debit = {3, 0, 8, random() % (1 << 20), before(lsn)};
        one.debit_difference = 0 - one.amount;
        one.credit = {3, 0, 8, random() % (1 << 20), before(lsn)};
        one.credit_difference = one.amount;
        one.transaction.crc = shm::record_crc(std::as_bytes(std::span(&one, 1)));
        std::memcpy(ring.data() + at, &one, sizeof one);
    }
    return ring;
}

double now_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

enum step { copy, walk, encode, hash, checksum, decode, steps };
constexpr const char* names[steps] = {"copy", "walk", "encode", "hash", "checksum", "decode"};

}  // namespace

int main() {
    const std::vector<std::byte> ring = make_ring();
    const auto codec = io::make_codec(io::codec_id::shuffled);
    std::vector<std::byte> block(1 << 20);
    std::vector<std::byte> stored(1 << 20);
    std::vector<std::byte> raw(1 << 20);
    std::array<double, steps> best;
    best.fill(1e300);
    std::size_t stored_bytes = 0;
    const double records = static_cast<double>(ring.size() / sizeof(transfer));
    io::record_list list;
    for (int round = 0; round < rounds; ++round) {
        std::array<double, steps> spent{};
        double from = now_ns();
        const auto lap = [&](step which) {
            const double to = now_ns();
            spent[which] += to - std::exchange(from, to);
        };
        stored_bytes = 0;
        for (std::size_t at = 0; at < ring.size();) {
            const std::size_t wanted = block.size() / sizeof(transfer) * sizeof(transfer);
            const std::size_t bytes = std::min(wanted, ring.size() - at);
            std::memcpy(block.data(), ring.data() + at, bytes);
            lap(copy);
            list.clear();
            const auto lsn = first_lsn + at / sizeof(transfer);
            if (list.add(std::span(block).first(bytes), lsn, block.size()).value() != bytes)
                return 1;
            lap(walk);
            const std::size_t length = codec->encode(list, stored);
            lap(encode);
            volatile auto sink = io::blake2b(std::span(stored).first(length))[0];
            lap(hash);
            volatile auto crc = shm::crc32c(std::span(stored).first(length));
            lap(checksum);
            static_cast<void>(sink);
            static_cast<void>(crc);
            const io::block_content content{lsn, lsn + list.size() - 1,
                                            static_cast<std::uint32_t>(bytes)};
            const auto room = std::span(raw).first(bytes);
            if (!codec->decode(std::span(stored).first(length), content, room)) return 1;
            lap(decode);
            if (std::memcmp(raw.data(), block.data(), bytes) != 0) return 1;
            from = now_ns();
            stored_bytes += length;
            at += bytes;
        }
        for (int i = 0; i < steps; ++i) best[i] = std::min(best[i], spent[i] / records);
    }
    std::printf(
        "{\"suite\":\"codec\",\"work\":\"transfer\",\"engine\":\"perdure\","
        "\"durability\":\"none\",\"raw_bytes\":%zu,\"stored_bytes\":%.2f",
        sizeof(transfer), static_cast<double>(stored_bytes) / records);
    for (int i = 0; i < steps; ++i) std::printf(",\"%s_ns\":%.1f", names[i], best[i]);
    std::printf("}\n");
    return 0;
}

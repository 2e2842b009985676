// SPDX-License-Identifier: Apache-2.0
//
// Records as transactions write them, from a seed: what the tests of io feed to codec and journal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <vector>

#include <perdure/shm/crc32c.hpp>
#include <perdure/shm/record_format.hpp>

namespace perdure::tests {

struct account_id {
    std::uint32_t kind = 1;
    std::uint32_t random[3]{};
};

/// A transfer between two accounts, as the ledger journals it: 176 bytes.
struct transfer_record {
    shm::record_header header{};
    shm::transaction_header transaction{};
    shm::event_header event{};
    account_id source;
    account_id target;
    std::uint64_t asset = 7;
    std::int64_t amount = 0;
    shm::change_header debit{};
    std::uint64_t debit_difference = 0;
    shm::change_header credit{};
    std::uint64_t credit_difference = 0;
    std::uint64_t fill = 0;
};
static_assert(sizeof(transfer_record) == 176);

template <class Record>
void append_bytes(std::vector<std::byte>& to, const Record& record) {
    const auto bytes = std::as_bytes(std::span(&record, 1));
    to.insert(to.end(), bytes.begin(), bytes.end());
}

class record_source {
  public:
    explicit record_source(std::uint64_t seed, std::uint64_t first_lsn = 1)
        : random_(seed), lsn_(first_lsn) {}

    /// Appends one transfer with random accounts, rows and amount.
    void add_transfer(std::vector<std::byte>& to) {
        transfer_record record;
        record.header = {lsn_, sizeof record, static_cast<std::uint16_t>(1 + random_() % 3),
                         static_cast<std::uint16_t>(shm::record_state::committed)};
        record.transaction.events = 1;
        record.transaction.changes = 2;
        record.transaction.incarnation = 1;
        record.transaction.wall_ns = 1'790'000'000'000'000'000 + lsn_ / 4000 * 1'000'000;
        record.event = {17, 1, 56};
        for (account_id* id : {&record.source, &record.target}) {
            for (std::uint32_t& part : id->random) part = static_cast<std::uint32_t>(random_());
        }
        record.amount = static_cast<std::int64_t>(1 + random_() % 1000);
        const auto amount = static_cast<std::uint64_t>(record.amount);
        record.debit = {3, 0, 8, random_() % rows, lsn_before()};
        record.debit_difference = 0 - amount;
        record.credit = {3, 0, 8, random_() % rows, lsn_before()};
        record.credit_difference = amount;
        const auto bytes = std::as_bytes(std::span(&record, 1));
        record.transaction.crc = shm::record_crc(bytes);
        append_bytes(to, record);
        ++lsn_;
    }

    /// Appends a COMMITTED record of any length with random words behind the transaction header.
    void add_blob(std::vector<std::byte>& to, std::uint32_t bytes) {
        std::vector<std::uint64_t> words(bytes / 8);
        for (std::size_t i = 6; i < words.size(); ++i) words[i] = random_();
        const shm::record_header header{lsn_, bytes, 2,
                                        static_cast<std::uint16_t>(shm::record_state::committed)};
        shm::transaction_header transaction{};
        transaction.wall_ns = 1'790'000'000'000'000'000 + lsn_;
        std::memcpy(words.data(), &header, sizeof header);
        std::memcpy(words.data() + 2, &transaction, sizeof transaction);
        const std::uint32_t crc = shm::record_crc(std::as_bytes(std::span(words)));
        std::memcpy(words.data() + 2, &crc, sizeof crc);
        const auto raw = std::as_bytes(std::span(words));
        to.insert(to.end(), raw.begin(), raw.end());
        ++lsn_;
    }

    /// Appends PADDING that takes `bytes` in the ring; garbage stands behind its header.
    void add_padding(std::vector<std::byte>& to, std::uint32_t bytes) {
        const shm::record_header header{lsn_, bytes, 5,
                                        static_cast<std::uint16_t>(shm::record_state::padding)};
        append_bytes(to, header);
        for (std::size_t i = sizeof header; i < bytes; ++i) {
            to.push_back(static_cast<std::byte>(random_()));
        }
        ++lsn_;
    }

    [[nodiscard]] std::uint64_t next_lsn() const noexcept { return lsn_; }
    [[nodiscard]] std::uint64_t random() { return random_(); }

  private:
    static constexpr std::uint64_t rows = 1 << 20;

    std::uint64_t lsn_before() {
        std::exponential_distribution<double> age(1.0 / 500'000);
        const auto back = static_cast<std::uint64_t>(age(random_)) + 1;
        return back < lsn_ ? lsn_ - back : 0;
    }

    std::mt19937_64 random_;
    std::uint64_t lsn_;
};

/// Records as a block holds them: PADDING cut down to its header.
inline std::vector<std::byte> normalised(std::span<const std::byte> ring) {
    std::vector<std::byte> plain;
    for (std::size_t at = 0; at < ring.size();) {
        shm::record_header header;
        std::memcpy(&header, ring.data() + at, sizeof header);
        const std::uint32_t bytes = header.bytes;
        const bool padding = header.state == static_cast<std::uint16_t>(shm::record_state::padding);
        if (padding) header.bytes = sizeof header;
        append_bytes(plain, header);
        if (!padding) {
            plain.insert(plain.end(), ring.data() + at + sizeof header, ring.data() + at + bytes);
        }
        at += bytes;
    }
    return plain;
}

}  // namespace perdure::tests

// SPDX-License-Identifier: Apache-2.0
//
// A bank in memory with a world on a simulated disk: what a keeper keeps, without a process more.
#pragma once

#include <perdure/io/keeper.hpp>
#include <perdure/tests/io/journal_rig.hpp>
#include <perdure/tests/shm/audit.hpp>

namespace perdure::tests {

struct kept_bank {
    shared_bytes memory{small_options().capacity_bytes};
    shm::region where = shm::region::over(memory.span(), small_options());
    shm::session self = shm::session::join(where, nullptr).value();  // Drains for nobody.
    bank in = make_bank(self);
    simulated_disk disk;
    io::file_system files{disk};
    io::keeper keeper;

    explicit kept_bank(std::uint64_t accounts = 16, io::keeper_options how = {64ULL << 10})
        : keeper(files, "world", std::move(how)) {
        open_accounts(self, in, 0, accounts);
        if (!io::manifest::create(files, "world", small_options().world)) {
            throw std::runtime_error("no MANIFEST");
        }
    }

    [[nodiscard]] std::uint64_t mark() const { return shm::load(where.header().durable.lsn); }
    [[nodiscard]] std::uint64_t head() const { return shm::load(where.header().head.value); }
    [[nodiscard]] std::uint64_t tail() const { return shm::load(where.header().producer.tail); }
    [[nodiscard]] std::uint64_t last() const { return shm::next_lsn(where) - 1; }

    void pay(int times = 1) {
        for (int i = 0; i < times; ++i) {
            const auto from = static_cast<std::uint64_t>(i) % 16;
            transfer(self, in, from, (from + 5) % 16, 1).value();
        }
    }
    /// One round; fails the test's own way when it is refused.
    std::uint64_t drain() { return keeper.drain_once(where).value(); }

    /// What the journal holds, applied to a new region's image. `words` says the first fault.
    row_image replayed(std::string& words) {
        shared_bytes empty(small_options().capacity_bytes);
        auto new_born = shm::region::over(empty.span(), small_options());
        row_image made = image_of(new_born);
        const auto read = read_journal(disk);
        if (read.refused) words = read.refused->cause;
        std::span<const std::byte> rest = read.records;
        while (!rest.empty()) {
            shm::record_header header;
            std::memcpy(&header, rest.data(), sizeof header);
            if (static_cast<shm::record_state>(header.state) == shm::record_state::committed) {
                if (auto fault = replay(made, rest.first(header.bytes)); words.empty()) {
                    words = fault;
                }
            }
            rest = rest.subspan(header.bytes);
        }
        return made;
    }
};

}  // namespace perdure::tests

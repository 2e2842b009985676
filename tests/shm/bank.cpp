// SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>

#include <perdure/shm/crc32c.hpp>
#include <perdure/tests/shm/bank.hpp>
#include <stdexcept>

namespace perdure::tests {

using namespace perdure::shm;

shared_bytes::shared_bytes(std::size_t bytes) {
    void* place = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (place == MAP_FAILED) throw std::runtime_error("no shared memory for the test");
    bytes_ = {static_cast<std::byte*>(place), bytes};
}

shared_bytes::~shared_bytes() { ::munmap(bytes_.data(), bytes_.size()); }

region_options small_options() {
    region_options options;
    options.capacity_bytes = small_bytes;
    options.ring_bytes = 64 << 10;
    options.undo_bytes = 2 * page_bytes;
    options.slot_count = 4;
    options.world = {1, 2};
    options.boot = {3, 4};
    return options;
}

schema account_schema(const std::string& name) {
    schema made;
    made.name = name;
    made.row_bytes = sizeof(account_row);
    made.key_at = offsetof(account_row, key);
    made.fields = {{"key", field_type::bytes, 16, 16, 0, 0},
                   {"balance", field_type::i64, 32, 8, adds, offsetof(account_row, group)},
                   {"group", field_type::u32, 40, 4, 0, 0},
                   {"mark", field_type::u32, 44, 4, 0, 0},
                   {"note", field_type::bytes, 48, 16, 0, 0}};
    return made;
}

schema wide_schema(const std::string& name) {
    schema made;
    made.name = name;
    made.row_bytes = sizeof(wide_row);
    made.fields = {{"words", field_type::bytes, 16, 1008, 0, 0}};
    return made;
}

row_key key_of(std::uint64_t number) noexcept {
    std::uint64_t mixed = (number + 1) * 0x9e3779b97f4a7c15ULL;
    mixed ^= mixed >> 29;
    return {mixed * 0xbf58476d1ce4e5b9ULL, number};
}

bank make_bank(session& self) {
    bank made;
    const auto paid = self.write([&](transaction& tx) -> result<> {
        made.accounts = PERDURE_TRY(create_table(tx, account_schema()));
        made.wide = PERDURE_TRY(create_table(tx, wide_schema()));
        return {};
    });
    if (!paid) throw std::runtime_error("make_bank: " + std::string(name(paid.error())));
    return made;
}

void open_accounts(session& self, const bank& in, std::uint64_t from, std::uint64_t to) {
    for (std::uint64_t i = from; i < to; ++i) {
        const auto paid = self.write([&](transaction& tx) -> result<> {
            const auto taken = PERDURE_TRY(insert_key(tx, in.accounts, key_of(i)));
            reinterpret_cast<account_row*>(taken.copy)->group = 1;
            return {};
        });
        if (!paid) throw std::runtime_error("open_accounts: " + std::string(name(paid.error())));
    }
}

result<> move(transaction& tx, const bank& in, std::uint64_t from, std::uint64_t to,
              std::int64_t amount) {
    const std::array<row_key, 2> keys{key_of(from), key_of(to)};
    std::array<std::byte*, 2> copies{};
    PERDURE_TRY(edit_keys(tx, in.accounts, keys, copies));
    reinterpret_cast<account_row*>(copies[0])->balance -= amount;
    reinterpret_cast<account_row*>(copies[1])->balance += amount;
    const std::array<std::uint64_t, 3> told{from, to, static_cast<std::uint64_t>(amount)};
    tx.event(1, 1, std::as_bytes(std::span(told)));
    return {};
}

result<receipt> transfer(session& self, const bank& in, std::uint64_t from, std::uint64_t to,
                         std::int64_t amount) {
    return self.write([&](transaction& tx) { return move(tx, in, from, to, amount); });
}

std::string drain_ring(region& where, std::vector<record_bytes>& journal) {
    std::uint64_t position = load(where.header().head.value);
    const std::uint64_t end = load(where.header().producer.tail);
    while (position < end) {
        const auto seen = look(where, position);
        if (!seen) return "garbled at position " + std::to_string(position);
        if (seen->state == record_state::free) return "FREE below the tail";
        if (seen->state == record_state::claimed) break;
        record_bytes record;
        read_record(where, position, *seen, record);
        if (seen->state == record_state::committed) {
            transaction_header header;
            std::memcpy(&header, record.data() + sizeof(record_header), sizeof header);
            if (header.crc != record_crc(record)) {
                return "LSN " + std::to_string(seen->lsn) + ": the checksum does not match";
            }
        }
        journal.push_back(std::move(record));
        position += seen->bytes;
    }
    move_head(where, position);
    return {};
}

result<> book_keeper::help(region& where) noexcept {
    fault += drain_ring(where, journal);
    // A CLAIMED record at the head is its claimer's to finish; if it is dead, its slot is repaired.
    if (load(where.header().head.value) != load(where.header().producer.tail)) sweep(where);
    return {};
}

}  // namespace perdure::tests

// SPDX-License-Identifier: Apache-2.0
//
// A small bank in a small region: what the tests and crash rigs of shm move money in.
#pragma once

#include <perdure/shm/session.hpp>
#include <string>

namespace perdure::tests {

/// Zeroed memory that children forked later share.
class shared_bytes {
  public:
    explicit shared_bytes(std::size_t bytes);
    shared_bytes(const shared_bytes&) = delete;
    shared_bytes& operator=(const shared_bytes&) = delete;
    ~shared_bytes();
    [[nodiscard]] std::span<std::byte> span() const noexcept { return bytes_; }

  private:
    std::span<std::byte> bytes_;
};

/// Four slots, a ring of 64 KiB, undo areas of 8 KiB: an image small enough to copy often.
shm::region_options small_options();
inline constexpr std::size_t small_bytes = 20U << 20;

struct account_row {
    shm::row_header header;
    shm::row_key key;
    std::int64_t balance;
    std::uint32_t group;
    std::uint32_t mark;
    std::array<std::uint64_t, 2> note;
};
static_assert(shm::mapped<account_row> && sizeof(account_row) == 64);

/// Rows above 256 bytes take several changes in a record.
struct wide_row {
    shm::row_header header;
    std::array<std::uint64_t, 126> words;
};
static_assert(shm::mapped<wide_row> && sizeof(wide_row) == 1024);

/// Keyed; the balance adds up per group.
shm::schema account_schema(const std::string& name = "accounts");
/// Rows by number, without a key or a rule.
shm::schema wide_schema(const std::string& name = "wide");

shm::row_key key_of(std::uint64_t number) noexcept;

struct bank {
    std::uint32_t accounts = 0;
    std::uint32_t wide = 0;
};

/// Makes both tables.
bank make_bank(shm::session& self);

/// Accounts [from, to) with nothing in them.
void open_accounts(shm::session& self, const bank& in, std::uint64_t from, std::uint64_t to);

/// Moves `amount` between two accounts, in whatever transaction is given.
result<> move(shm::transaction& tx, const bank& in, std::uint64_t from, std::uint64_t to,
              std::int64_t amount);
result<shm::receipt> transfer(shm::session& self, const bank& in, std::uint64_t from,
                              std::uint64_t to, std::int64_t amount);

using record_bytes = std::vector<std::byte>;

/// Takes every final record out of the ring and appends it to `journal`; stops at CLAIMED.
/// Answers a fault in words, "" when there is none.
std::string drain_ring(shm::region& where, std::vector<record_bytes>& journal);

/// Empties the ring for sessions and keeps what was in it.
struct book_keeper final : shm::drain {
    std::vector<record_bytes> journal;
    std::string fault;
    result<> help(shm::region& where) noexcept override;
};

}  // namespace perdure::tests

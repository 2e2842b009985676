// SPDX-License-Identifier: Apache-2.0
//
// A ledger in memory of its own: one region, three participants, a clock that stands still until it
// is set.
#pragma once

#include <perdure/io/audit.hpp>
#include <perdure/tests/core/scene.hpp>
#include <perdure/tests/shm/audit.hpp>

namespace perdure::tests {

/// Time as the test wants it; sleep as the kernel gives it.
class set_clock final : public shm::park {
  public:
    [[nodiscard]] std::uint64_t wall_ns() noexcept override { return now; }
    std::uint64_t now = 1;
};

inline shm::region_options ledger_options() {
    auto options = small_options();
    options.capacity_bytes = 48ULL << 20;
    options.undo_bytes = 64ULL << 10;
    options.ring_bytes = 1ULL << 20;
    return options;
}

struct open_ledger {
    set_clock clock;
    shared_bytes memory{ledger_options().capacity_bytes};
    shm::region where = shm::region::over(memory.span(), ledger_options());
    book_keeper keeper;
    std::array<session, 3> by{session::join(where, &keeper).value(),
                              session::join(where, &keeper).value(),
                              session::join(where, &keeper).value()};
    ledger books = ledger::open(by[0]).value();

    open_ledger() { where.use(clock); }

    /// The error of one operation as a transaction of its own; nothing when it committed.
    template <class Operation>
    std::optional<errc> refusal(Operation&& operation, std::size_t who = 0) {
        const auto answer = by[who].write([&](tx& now) -> result<> {
            PERDURE_TRY(operation(now));
            return {};
        });
        if (answer) return std::nullopt;
        return answer.error();
    }
    [[nodiscard]] position holding(account_id account, asset_id asset) {
        return by[0].read([&](view& seen) { return books.holding(seen, account, asset); }).value();
    }
    /// Gold with its treasury, and `players` accounts with `each` in them.
    void found(std::uint64_t players, amount each) {
        const auto laid = by[0].write([&](tx& now) -> result<> {
            PERDURE_TRY(books.open_account(now, treasury, account_kind::treasury));
            PERDURE_TRY(books.create_asset(now, "gold", 2, treasury));
            for (std::uint64_t i = 0; i < players; ++i) {
                PERDURE_TRY(books.open_account(now, player(i), account_kind::player));
                PERDURE_TRY(books.mint(now, treasury, player(i), gold, each));
            }
            return {};
        });
        static_cast<void>(laid.value());
    }
    amount balance(account_id account) { return holding(account, gold).available; }

    /// Every event of that type so far, in order; they all have that version.
    template <class Event>
    std::vector<Event> events(event_type type, std::uint16_t version) {
        while (keeper.help(where) &&
               shm::load(where.header().head.value) != shm::load(where.header().producer.tail)) {
        }
        std::vector<Event> found;
        for (const auto& record : keeper.journal) {
            shm::transaction_header front;
            std::size_t at = sizeof(shm::record_header) + sizeof front;
            if (record.size() < at) continue;
            std::memcpy(&front, record.data() + sizeof(shm::record_header), sizeof front);
            if ((front.flags & shm::keyed) != 0) at += sizeof(shm::transaction_key);
            for (int i = 0; i < front.events; ++i) {
                shm::event_header header;
                std::memcpy(&header, record.data() + at, sizeof header);
                if (header.type == static_cast<std::uint16_t>(type)) {
                    if (header.version != version || header.bytes != sizeof header + sizeof(Event))
                        throw std::runtime_error("an event of another version");
                    std::memcpy(&found.emplace_back(), record.data() + at + sizeof header,
                                sizeof(Event));
                }
                at += header.bytes;
            }
        }
        return found;
    }

    [[nodiscard]] io::audit look() { return io::examine(io::take_image(where)); }
    /// "" when region and books are sound; the first fault otherwise.
    std::string faults() {
        auto found = audit(where);
        // shm's audit adds each table up by itself; a ledger's supply is in one, its units in two.
        std::erase_if(found, [](const auto& each) { return each.find("I8") != each.npos; });
        const auto seen = look();
        found.insert(found.end(), seen.problems.begin(), seen.problems.end());
        return found.empty() ? std::string() : found.front();
    }
};

}  // namespace perdure::tests

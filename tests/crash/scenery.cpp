// SPDX-License-Identifier: Apache-2.0
#include <sys/wait.h>
#include <unistd.h>

#include <bit>
#include <csignal>
#include <perdure/tests/crash/scenery.hpp>
#include <perdure/tests/shm/papers.hpp>
#include <stdexcept>

namespace perdure::tests {

using namespace perdure::shm;

namespace {

void must(const char* what, bool held) {
    if (!held) throw std::runtime_error(std::string("making ready: ") + what);
}

void drain_all(region& where) {
    std::vector<record_bytes> away;
    must("drain", drain_ring(where, away).empty());
}

/// A record of exactly `bytes`: headers and one event.
result<receipt> tell(session& self, std::uint64_t bytes) {
    const std::vector<std::byte> told(bytes - sizeof(record_header) - sizeof(transaction_header) -
                                      sizeof(event_header));
    return self.write(
        [&](transaction& tx) -> result<> {
            tx.event(9, 1, told);
            return {};
        },
        deadline::in(std::chrono::milliseconds(1)));
}

constexpr std::uint64_t smallest_record = 64;

/// What a transfer of two rows by number takes in the ring: headers, event of two words, two
/// changes of one word each.
constexpr std::uint64_t transfer_bytes = 16 + 32 + 8 + 16 + 2 * (24 + 8) + 8;
static_assert(transfer_bytes % record_alignment == 0);

void take_wide(session& by, const bank& in) {
    must("take a row", by.write([&](transaction& tx) -> result<> {
                             PERDURE_TRY(take_row(tx, in.wide));
                             return {};
                         }).has_value());
}

/// More rows for the table without the splits a session would do: another participant takes them.
void give_elsewhere(region& where, std::uint32_t table) {
    auto second = session::join(where, nullptr).value();
    must("more rows",
         second.write([&](transaction& tx) { return give_rows(tx, table); }).has_value());
}

}  // namespace

region_options crash_options() {
    auto options = small_options();
    options.capacity_bytes = 18U << 20;
    return options;
}

void turn_ring_to(session& self, std::uint64_t offset) {
    auto& where = self.where();
    const auto ring = where.geometry().ring_bytes;
    drain_all(where);
    std::uint64_t left = (offset + 2 * ring - load(where.header().producer.tail) % ring) % ring;
    if (left != 0 && left < smallest_record) left += ring;
    while (left != 0) {
        std::uint64_t bytes = std::min<std::uint64_t>(left, 8192);
        if (left - bytes != 0 && left - bytes < smallest_record) bytes -= smallest_record;
        must("turn the ring", tell(self, bytes).has_value());
        left -= bytes;
        drain_all(where);
    }
}

std::uint64_t crowd_account(std::uint64_t which) {
    for (std::uint64_t number = 1000;; ++number) {
        if ((hash_of(key_of(number)) & 0xff) == 1 && which-- == 0) return number;
    }
}

void crowd_bucket(session& first, const bank& in) {
    must("overflow rows",
         first.write([&](transaction& tx) { return give_rows(tx, in.accounts + 2); }).has_value());
    for (std::uint64_t i = 0; i < crowd_size; ++i) {
        open_accounts(first, in, crowd_account(i), crowd_account(i) + 1);
    }
}

void free_some(session& first, const bank& in) {
    for (const std::uint64_t row : {5U, 7U, 3U}) {
        must("free a row",
             first.write([&](transaction& tx) { return free_row(tx, in.wide, row); }).has_value());
    }
}

void use_up_accounts(session& first, const bank& in) {
    const auto& left = first.self().control().fresh[in.accounts];
    for (auto next = opened; left.next < left.end; ++next) {
        open_accounts(first, in, next, next + 1);
        drain_all(first.where());
    }
}

/// And their extent, so that the next range needs a new one.
void use_up_wide(session& first, const bank& in) {
    const auto& left = first.self().control().fresh[in.wide];
    const auto& table = first.where().descriptor(in.wide);
    while (left.next < left.end || table.row_high % (extent_pages * table.rows_per_page) != 0) {
        take_wide(first, in);
        drain_all(first.where());
    }
}

void want_split(session& first, const bank& in) {
    give_elsewhere(first.where(), in.accounts);
    must("a split is wanted", wants_split(first.where(), in.accounts));
}

void want_chain_split(session& first, const bank& in) {
    auto& where = first.where();
    must("overflow rows",
         first.write([&](transaction& tx) { return give_rows(tx, in.accounts + 2); }).has_value());
    // Crowd the bucket that is split next.
    const auto count = where.descriptor(in.accounts + 1).row_high;
    const auto level = std::bit_width(count) - 1;
    const auto next = count - (1ULL << level);
    int found = 0;
    for (std::uint64_t number = 2000; found < 17; ++number) {
        if ((hash_of(key_of(number)) & ((1ULL << level) - 1)) != next) continue;
        open_accounts(first, in, number, number + 1);
        ++found;
    }
    want_split(first, in);
}

void fill_region(session& first, const bank& in) {
    {
        auto second = session::join(first.where(), nullptr).value();
        must("a row elsewhere", second
                                    .write([&](transaction& tx) -> result<> {
                                        PERDURE_TRY(take_row(tx, in.wide));
                                        return {};
                                    })
                                    .has_value());
    }
    use_up_wide(first, in);
    auto large = wide_schema("filler");
    large.row_bytes = page_bytes;
    std::uint32_t filler = 0;
    const auto made = first.write([&](transaction& tx) -> result<> {
        filler = PERDURE_TRY(create_table(tx, large));
        return {};
    });
    must("filler", made.has_value());
    result<receipt> grown = made;
    for (std::uint64_t row = 0; grown; row += extent_pages) {
        grown = first.write([&](transaction& tx) { return add_pages(tx, filler, row, row + 1); });
    }
    must("a full region", grown.error() == errc::region_full);
}

void wrap_body(session& first, const bank&) {
    turn_ring_to(first, first.where().geometry().ring_bytes - 80);
}

void wrap_header(session& first, const bank&) {
    turn_ring_to(first, first.where().geometry().ring_bytes - 16);
}

void wrap_exactly(session& first, const bank&) {
    turn_ring_to(first, first.where().geometry().ring_bytes - transfer_bytes);
}

void fill_ring(session& first, const bank&) {
    drain_all(first.where());
    while (tell(first, 4096)) {
    }
    while (tell(first, smallest_record)) {
    }
}

void leave_dead_closer(session& first, const bank&) {
    // What a closer leaves that dies between its store and its first stripe.
    first.where().header().gate.value = 4;
}

void leave_dead_ring_holder(session& first, const bank&) {
    first.where().slot(3).active = 1;
    first.where().header().producer.lock = 4;
}

void leave_dead_transfer(session& first, const bank& in) {
    auto& where = first.where();
    const auto bytes = where.geometry().capacity_bytes;
    const pid_t child = ::fork();
    if (child == 0) {
        auto mine = region::view({where.start(), bytes});
        auto self = participant::join(mine).value();
        transaction tx(self);
        for (const std::uint64_t row : {1U, 2U}) {
            tx.edit<account_row>(in.accounts, row).value()->balance += 100;
            // As if it had died in the middle of its stores.
            const auto at = locate(mine, in.accounts, row);
            barrier(mine).before_store(at);
            mine.at<account_row>(at)->balance += 100;
        }
        ::kill(::getpid(), SIGKILL);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    must("a death", WIFSIGNALED(status));
}

void shelve_papers(session& first, const bank&) {
    const auto shelf = papers::make(first);
    for (const std::uint64_t i : {0U, 1U, 2U}) {
        must("a paper", shelf.save(first, key_of(i), text_of(2500, i)).has_value());
    }
    // Rows enough on the free list, so that the actor need not be given any.
    must("a staging row",
         first.write([&](transaction& tx) { return give_rows(tx, shelf.blobs.staged()); })
             .has_value());
    must("a long paper", shelf.save(first, key_of(3), text_of(6000, 3)).has_value());
    must("another", shelf.save(first, key_of(4), text_of(1, 3)).has_value());
    for (const std::uint64_t i : {3U, 4U}) {
        must("away with it",
             first.write([&](transaction& tx) { return shelf.erase(tx, key_of(i)); }).has_value());
        drain_all(first.where());
    }
    shelf.sweep_all(first);
}

void stage_paper(session& first, const bank& in) {
    shelve_papers(first, in);
    const auto shelf = papers::find(first.where());
    const auto text = text_of(5500, 4);
    must("a staged paper",
         shelf.blobs.stage(first, shelf.heap, std::as_bytes(std::span(text))).has_value());
}

void leave_garbage(session& first, const bank& in) {
    shelve_papers(first, in);
    const auto shelf = papers::find(first.where());
    must("a long paper", shelf.save(first, key_of(1), text_of(6000, 3)).has_value());
    must("a short one", shelf.save(first, key_of(1), text_of(10, 3)).has_value());
}

bank make_ready(region& where, const primitive& what, unsigned round) {
    auto first = session::join(where, nullptr).value();
    const bank in = make_bank(first);
    open_accounts(first, in, 0, opened);
    for (int i = 0; i < 12; ++i) {
        take_wide(first, in);
        must("a transfer", transfer(first, in, static_cast<std::uint64_t>(i), 20, 50).has_value());
    }
    must("rows at hand",
         first.provide(in.wide, 16, deadline::in(std::chrono::seconds(5))).has_value());
    turn_ring_to(first, 4096 + round * 1232 % 32768);
    if (what.prepare != nullptr) what.prepare(first, in);
    if (what.prepare != fill_ring) drain_all(where);
    return in;
}

void bump(region& where, const bank& in, std::uint64_t account) {
    word(where.stripe(stripe_of(in.accounts, account))).fetch_add(stripe_version_one);
}

}  // namespace perdure::tests

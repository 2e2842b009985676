// SPDX-License-Identifier: Apache-2.0
#include <perdure/tests/crash/capture_primitives.hpp>
#include <perdure/tests/crash/primitives.hpp>
#include <perdure/tests/crash/scenery.hpp>
#include <perdure/tests/crash/tree_primitives.hpp>
#include <perdure/tests/shm/papers.hpp>
#include <stdexcept>

namespace perdure::tests {

using namespace perdure::shm;

namespace {

void must(bool held, const char* what) {
    if (!held) throw std::runtime_error(what);
}

/// Runs one transaction and commits it; a refusal is the rig's own fault.
template <class Work>
void commit(actor& by, Work&& work) {
    const auto answer = work(*by.tx);
    must(answer.has_value(), "a primitive's closure was refused");
    must(by.tx->commit().has_value(), "a primitive's commit was refused");
}

result<> move_rows(transaction& tx, const bank& in, std::uint64_t from, std::uint64_t to) {
    PERDURE_TRY(tx.edit<account_row>(in.accounts, from))->balance -= 7;
    PERDURE_TRY(tx.edit<account_row>(in.accounts, to))->balance += 7;
    const std::array<std::uint64_t, 2> told{from, to};
    tx.event(1, 1, std::as_bytes(std::span(told)));
    return {};
}

void transfer_rows(actor& by) {
    commit(by, [&](transaction& tx) { return move_rows(tx, by.in, by.round % 8, 9); });
}

void transfer_keys(actor& by) {
    commit(by, [&](transaction& tx) { return move(tx, by.in, by.round % 8, 9, 7); });
}

void mark_row(actor& by) {
    commit(by, [&](transaction& tx) -> result<> {
        PERDURE_TRY(tx.edit<account_row>(by.in.accounts, by.round % 8))->mark = 77;
        return {};
    });
}

void keyed_commit(actor& by) {
    commit(by, [&](transaction& tx) {
        tx.key({by.round, 5});
        return move_rows(tx, by.in, 3, 4);
    });
}

void event_only(actor& by) {
    const std::array<std::uint64_t, 4> told{1, 2, 3, by.round};
    commit(by, [&](transaction& tx) -> result<> {
        tx.event(3, 1, std::as_bytes(std::span(told)));
        return {};
    });
}

void insert(actor& by) {
    commit(by, [&](transaction& tx) -> result<> {
        PERDURE_TRY(insert_key(tx, by.in.accounts, key_of(500 + by.round)));
        return {};
    });
}

void insert_crowded(actor& by) {
    commit(by, [&](transaction& tx) -> result<> {
        PERDURE_TRY(insert_key(tx, by.in.accounts, key_of(crowd_account(crowd_size))));
        return {};
    });
}

void erase(actor& by) {
    commit(by, [&](transaction& tx) {
        return erase_key(tx, by.in.accounts, key_of(opened - 1 - by.round % 3));
    });
}

void take(actor& by) {
    commit(by, [&](transaction& tx) -> result<> {
        auto taken = PERDURE_TRY(take_row(tx, by.in.wide));
        reinterpret_cast<wide_row*>(taken.copy)->words[by.round % 126] = 1;
        return {};
    });
}

void free_one(actor& by) {
    commit(by, [&](transaction& tx) { return free_row(tx, by.in.wide, by.round % 3); });
}

void free_and_take(actor& by) {
    commit(by, [&](transaction& tx) -> result<> {
        PERDURE_TRY(free_row(tx, by.in.wide, 1));
        PERDURE_TRY(take_row(tx, by.in.wide));
        return free_row(tx, by.in.wide, 2);
    });
}

void give_accounts(actor& by) {
    commit(by, [&](transaction& tx) { return give_rows(tx, by.in.accounts); });
}

void give_wide(actor& by) {
    commit(by, [&](transaction& tx) { return give_rows(tx, by.in.wide); });
}

void give_overflow(actor& by) {
    commit(by, [&](transaction& tx) { return give_rows(tx, by.in.accounts + 2); });
}

void split(actor& by) {
    must(wants_split(by.where, by.in.accounts), "no split is wanted");
    commit(by, [&](transaction& tx) { return split_buckets(tx, by.in.accounts); });
}

void create_plain(actor& by) {
    commit(by, [&](transaction& tx) -> result<> {
        PERDURE_TRY(create_table(tx, wide_schema("second")));
        return {};
    });
}

void create_keyed(actor& by) {
    commit(by, [&](transaction& tx) -> result<> {
        PERDURE_TRY(create_table(tx, account_schema("second")));
        return {};
    });
}

void change_wide(actor& by) {
    commit(by, [&](transaction& tx) -> result<> {
        auto* row = PERDURE_TRY(tx.edit<wide_row>(by.in.wide, 0));
        for (const std::size_t word : {1U, 40U, 41U, 100U, 125U}) row->words[word] += 9 + by.round;
        return {};
    });
}

void many_rows(actor& by) {
    commit(by, [&](transaction& tx) -> result<> {
        for (std::uint64_t i = 0; i < 16; ++i) {
            PERDURE_TRY(tx.edit<account_row>(by.in.accounts, i))->balance += i % 2 == 0 ? 3 : -3;
        }
        return {};
    });
}

void one_stripe_twice(actor& by) {
    commit(by, [&](transaction& tx) -> result<> {
        PERDURE_TRY(tx.edit<account_row>(by.in.accounts, 5))->mark = 8;
        const auto next = by.where.offset_of(&by.where.header().world_time.value);
        auto* word = PERDURE_TRY(tx.edit_words(next, 8, stripe_of(by.in.accounts, 5)));
        *reinterpret_cast<std::uint64_t*>(word) += 1;
        return {};
    });
}

void roll_back(actor& by) {
    must(move_rows(*by.tx, by.in, 1, 2).has_value(), "move");
    by.tx->roll_back();
}

void unbalanced(actor& by) {
    must(move_rows(*by.tx, by.in, 1, 2).has_value(), "move");
    by.tx->edit<account_row>(by.in.accounts, 2).value()->balance += 1;
    must(by.tx->commit().error() == errc::unbalanced, "unbalanced");
}

void too_large(actor& by) {
    result<> answer;
    for (std::uint64_t row = 0; answer && row < 8; ++row) {
        const auto copy = by.tx->edit(by.in.wide, row);
        if (!copy) answer = copy.error();
    }
    must(!answer && answer.error() == errc::transaction_too_large, "too large");
    by.tx->roll_back();
}

/// Reads account 6 and moves between two others.
void read_and_move(actor& by) {
    must(by.tx->get<account_row>(by.in.accounts, 6).has_value(), "get");
    must(move_rows(*by.tx, by.in, 1, 2).has_value(), "move");
}

void stale_first_look(actor& by) {
    read_and_move(by);
    bump(by.where, by.in, 6);
    must(by.tx->commit().error() == errc::conflict, "stale at the first look");
}

void stale_after_claim(actor& by) {
    read_and_move(by);
    const auto paid = by.tx->commit();  // Committed where no rig intrudes.
    must(paid || by.tx->why() == rerun::stale, "stale after the claim");
}

void ring_is_full(actor& by) {
    must(move_rows(*by.tx, by.in, 1, 2).has_value(), "move");
    must(by.tx->commit().error() == errc::conflict, "a full ring");
    must(by.tx->why() == rerun::ring_full, "a full ring");
}

void exclusive(actor& by) {
    must(close_gate(*by.self, deadline::never()).has_value(), "close the gate");
    commit(by, [&](transaction& tx) { return move_rows(tx, by.in, 1, 2); });
    open_gate(*by.self);
}

void join_and_leave(actor& by) {
    by.enter();
    by.leave();
}

void meet_dead_closer(actor& by) {
    const auto met = move_rows(*by.tx, by.in, 1, 2);
    if (!met) {
        by.tx->roll_back();
        must(by.tx->await(deadline::never()).has_value(), "wait for the gate");
        must(move_rows(*by.tx, by.in, 1, 2).has_value(), "move");
    }
    must(by.tx->commit().has_value(), "commit");
}

void meet_closer_without_stripe(actor& by) {
    const std::array<std::uint64_t, 1> told{4};
    for (int turn = 0; turn < 2; ++turn) {
        by.tx->event(3, 1, std::as_bytes(std::span(told)));
        if (by.tx->commit()) return;
        must(by.tx->await(deadline::never()).has_value(), "wait for the gate");
    }
    must(false, "the gate stays closed");
}

void sweep_up(actor& by) { sweep(by.where); }

void session_inserts(actor& by) {
    auto self = session::join(by.where, nullptr).value();
    open_accounts(self, by.in, 600, 603);
}

void take_idle_rows(actor& by) {
    auto self = session::join(by.where, nullptr).value();
    const auto paid = self.write([&](transaction& tx) -> result<> {
        PERDURE_TRY(take_row(tx, by.in.wide));
        return {};
    });
    must(paid.has_value(), "take a row of an idle slot");
}

void put_paper(actor& by) {
    const auto shelf = papers::find(by.where);
    commit(by, [&](transaction& tx) { return shelf.put(tx, key_of(7), text_of(2001, by.round)); });
}

/// Longer and shorter by turns.
void replace_paper(actor& by) {
    const auto shelf = papers::find(by.where);
    const auto text = text_of(by.round % 2 == 0 ? 3100 : 900, by.round);
    commit(by, [&](transaction& tx) { return shelf.put(tx, key_of(1), text); });
}

void shorten_paper(actor& by) {
    const auto shelf = papers::find(by.where);
    commit(by, [&](transaction& tx) { return shelf.put(tx, key_of(1), text_of(1, by.round)); });
}

void erase_paper(actor& by) {
    const auto shelf = papers::find(by.where);
    commit(by, [&](transaction& tx) { return shelf.erase(tx, key_of(2)); });
}

void adopt_paper(actor& by) {
    const auto shelf = papers::find(by.where);
    const auto row = *by.where.at<staged_row>(locate(by.where, shelf.blobs.staged(), 0));
    commit(by, [&](transaction& tx) -> result<> {
        auto* paper = PERDURE_TRY(shelf.edit(tx, key_of(1)));
        return shelf.blobs.adopt(tx, shelf.heap, {{0, row.header.generation}, 5500}, paper->text);
    });
}

void sweep_paper(actor& by) {
    auto self = session::join(by.where, nullptr).value();
    const auto shelf = papers::find(by.where);
    must(shelf.blobs.sweep(self, deadline::never()).value(), "something to sweep");
}

constexpr primitive all[] = {
    {"transfer of two rows", nullptr, transfer_rows},
    {"transfer by key", nullptr, transfer_keys},
    {"change of one row", nullptr, mark_row},
    {"commit with a key", nullptr, keyed_commit},
    {"commit of an event", nullptr, event_only},
    {"insert of a key", nullptr, insert},
    {"insert into a full bucket", crowd_bucket, insert_crowded},
    {"erase of a key", nullptr, erase},
    {"taking a row", nullptr, take},
    {"taking a freed row", free_some, take},
    {"freeing a row", nullptr, free_one},
    {"freeing, taking, freeing", free_some, free_and_take},
    {"giving rows", use_up_accounts, give_accounts},
    {"giving rows with an extent", use_up_wide, give_wide},
    {"giving a table's first rows", nullptr, give_overflow},
    {"split of a bucket", want_split, split},
    {"split of a chain", want_chain_split, split},
    {"making a table", nullptr, create_plain},
    {"making a keyed table", nullptr, create_keyed},
    {"blob put", shelve_papers, put_paper},
    {"blob replace", shelve_papers, replace_paper},
    {"blob shortened", shelve_papers, shorten_paper},
    {"blob free", shelve_papers, erase_paper},
    {"staged blob adopt", stage_paper, adopt_paper},
    {.name = "garbage step", .prepare = leave_garbage, .run = sweep_paper, .joins = true},
    {.name = "step after a gone stager", .prepare = stage_paper, .run = sweep_paper, .joins = true},
    {"record across the ring's end", wrap_body, transfer_rows},
    {"header at the ring's end", wrap_header, transfer_rows},
    {"record up to the ring's end", wrap_exactly, transfer_rows},
    {"row of many chunks", nullptr, change_wide},
    {"sixteen rows", nullptr, many_rows},
    {"one stripe twice", nullptr, one_stripe_twice},
    {"roll back", nullptr, roll_back},
    {"refusal out of balance", nullptr, unbalanced},
    {"refusal of a large one", use_up_wide, too_large},
    {"stale at the first look", nullptr, stale_first_look},
    {.name = "stale after the claim", .prepare = nullptr, .run = stale_after_claim, .intruded = 6},
    {"claim in a full ring", fill_ring, ring_is_full},
    {"exclusive transfer", nullptr, exclusive},
    {.name = "join and leave", .prepare = nullptr, .run = join_and_leave, .joins = true},
    {"meeting a dead closer", leave_dead_closer, meet_dead_closer},
    {"meeting a dead closer at the ring", leave_dead_closer, meet_closer_without_stripe},
    {"meeting a dead ring holder", leave_dead_ring_holder, transfer_rows, false},
    {"meeting a dead transfer", leave_dead_transfer, meet_dead_closer, false},
    {"repair of a transfer", leave_dead_transfer, sweep_up},
    {.name = "rows of an idle slot",
     .prepare = fill_region,
     .run = take_idle_rows,
     .whole = false,
     .joins = true},
    {.name = "inserts of a session",
     .prepare = use_up_accounts,
     .run = session_inserts,
     .whole = false,
     .joins = true},
};

}  // namespace

void actor::enter() {
    self.emplace(participant::join(where).value());
    tx.emplace(*self);
}

void actor::leave() {
    tx.reset();
    self.reset();
}

std::span<const primitive> primitives() {
    static const auto joined = [] {
        std::vector<primitive> made(std::begin(all), std::end(all));
        for (const auto part : {tree_primitives(), capture_primitives()}) {
            made.insert(made.end(), part.begin(), part.end());
        }
        return made;
    }();
    return joined;
}

}  // namespace perdure::tests

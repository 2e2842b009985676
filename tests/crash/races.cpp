// SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <perdure/shm/crash_point.hpp>
#include <perdure/tests/crash/races.hpp>
#include <perdure/tests/crash/scenery.hpp>
#include <perdure/tests/shm/ranks.hpp>
#include <thread>

namespace perdure::tests {

using namespace perdure::shm;

namespace {

constexpr primitive ordinary{"race", nullptr, nullptr, false};
constexpr primitive with_a_dead_one{"race", leave_dead_transfer, nullptr, false};

/// What the next armed crash point does; one race at a time in a process.
std::function<void()> meanwhile;

void at_point(std::string_view point, std::function<void()> what) {
    meanwhile = std::move(what);
    arm({.point = point, .hit = 1, .hook = [](std::string_view, std::uint64_t) { meanwhile(); }});
}

deadline soon() { return deadline::in(std::chrono::milliseconds(30)); }

/// A transfer by another participant, on a thread of its own; true when it was committed.
bool transfer_elsewhere(region& where, const bank& in, std::uint64_t from, std::uint64_t to) {
    bool paid = false;
    std::thread([&] {
        auto other = session::join(where, nullptr).value();
        paid = other.write([&](transaction& tx) { return move(tx, in, from, to, 5); }, soon())
                   .has_value();
    }).join();
    return paid;
}

/// T1 reads account 6 and commits what it saw; between its first look and its claim, T2 changes it.
std::string read_then_overtaken(shared_bytes& memory) {
    stage on(memory, ordinary, 0);
    auto& where = on.where();
    auto self = participant::join(where).value();
    transaction tx(self);
    const auto seen = tx.get<account_row>(on.in().accounts, 6).value();
    tx.edit<account_row>(on.in().accounts, 1).value()->mark = 1;
    at_point("commit.ring_lock", [&] { transfer_elsewhere(where, on.in(), 6, 7); });
    const auto paid = tx.commit();
    if (!paid) return {};
    const auto now = where.at<account_row>(locate(where, on.in().accounts, 6));
    if (now->header.lsn < paid->lsn && now->balance != seen.balance) {
        return "a commit rests on a value that an earlier commit had replaced";
    }
    return {};
}

/// T1 dies at its commit point; before that T2 tries to commit on the same rows.
std::string death_behind_released_rows(shared_bytes& memory) {
    stage on(memory, ordinary, 0);
    in_child(on, [&](region& where) {
        auto self = participant::join(where).value();
        transaction tx(self);
        if (!move(tx, on.in(), 1, 2, 7)) return;
        at_point("publish.copy", [&] {
            transfer_elsewhere(where, on.in(), 1, 3);
            ::kill(::getpid(), SIGKILL);
        });
        static_cast<void>(tx.commit());
    });
    sweep(on.where());
    return on.judge();
}

/// T1 has closed the gate; T2 tries to commit.
std::string commit_behind_the_gate(shared_bytes& memory) {
    stage on(memory, ordinary, 0);
    auto& where = on.where();
    auto closer = participant::join(where).value();
    if (!close_gate(closer, soon())) return "the gate does not close";
    const auto before = digest_of(where);
    transfer_elsewhere(where, on.in(), 1, 2);
    const bool still = digest_of(where) == before;
    open_gate(closer);
    return still ? "" : "the world moved behind a closed gate";
}

/// T1 repairs a dead slot; in the middle T2 looks for a slot and begins to work.
std::string joining_under_repair(shared_bytes& memory) {
    stage on(memory, with_a_dead_one, 0);
    auto& where = on.where();
    const auto first = participant::join(where).value();  // So that the dead slot is the next one.
    std::atomic<int> turn{0};
    std::string fault;
    std::thread other;
    at_point("repair.claim", [&] {
        other = std::thread([&] {
            auto self = participant::join(where).value();
            transaction tx(self);
            const bool moved = move(tx, on.in(), 8, 9, 5).has_value();
            turn = 1;
            turn.notify_all();
            turn.wait(1);
            const auto stripe = stripe_of(on.in().accounts, 8);
            if (moved && (owner_of(load(where.stripe(stripe))) != self.owner() ||
                          load(self.control().active) != 1)) {
                fault = "a repair gave back what the slot's new owner holds";
            }
            if (fault.empty()) tx.roll_back();
            if (!fault.empty()) {  // Nothing can be put in order here.
                std::fprintf(stderr, "%s\n", fault.c_str());
                ::_exit(42);
            }
        });
        turn.wait(0);
    });
    sweep(where);
    turn = 2;
    turn.notify_all();
    if (other.joinable()) other.join();
    return fault;
}

/// T1 holds two rows; T2 wants one of them, rolls back and tries again.
std::string roll_back_beside_an_owner(shared_bytes& memory) {
    stage on(memory, ordinary, 0);
    auto& where = on.where();
    {
        auto self = participant::join(where).value();
        transaction tx(self);
        if (!move(tx, on.in(), 1, 2, 7)) return "the first transaction cannot begin";
        transfer_elsewhere(where, on.in(), 1, 3);
        if (!tx.commit()) return "a transaction that held its rows could not commit";
    }
    return on.judge();
}

/// What the reader's page faults hand over to the writer, and when.
struct {
    std::byte* row_page = nullptr;
    std::byte* stripe_page = nullptr;
    std::atomic<int> turn{0};
    std::atomic<int> faults{0};
} staged;

void pass_to_writer(int want) {
    staged.turn = want;
    staged.turn.notify_all();
    staged.turn.wait(want);
}

void at_fault(int, siginfo_t* told, void*) {
    auto* page = reinterpret_cast<std::byte*>(reinterpret_cast<std::uintptr_t>(told->si_addr) &
                                              ~std::uintptr_t{page_bytes - 1});
    ++staged.faults;
    ::mprotect(page, page_bytes, PROT_READ | PROT_WRITE);
    if (page == staged.row_page) {
        pass_to_writer(1);  // The reader has its version; the writer stores what it will take back.
        ::mprotect(staged.stripe_page, page_bytes, PROT_NONE);
    } else if (page == staged.stripe_page) {
        pass_to_writer(3);  // The reader has its copy; the writer rolls back.
    } else {
        ::signal(SIGSEGV, SIG_DFL);
    }
}

/// T1 copies a row while T2 stores into it and rolls back: T1's second look must notice.
std::string copy_across_a_roll_back(shared_bytes&) {
    const std::string path = "/dev/shm/perdure-race-" + std::to_string(::getpid());
    auto where = region::create(path, crash_options());
    auto mine = region::attach(path, {where.geometry().world, where.geometry().boot},
                               shm::access::read_write);
    ::unlink(path.c_str());
    constexpr primitive full{"race", fill_ring, nullptr};  // A full ring makes a commit roll back.
    const bank in = make_ready(where, full, 0);
    const auto row_at = locate(mine, in.accounts, 1);
    staged.row_page = mine.start() + row_at / page_bytes * page_bytes;
    const auto stripe_at = mine.offset_of(&mine.stripe(stripe_of(in.accounts, 1)));
    staged.stripe_page = mine.start() + stripe_at / page_bytes * page_bytes;
    const auto before = where.at<account_row>(row_at)->balance;

    std::thread writer([&] {
        auto self = participant::join(where).value();
        transaction tx(self);
        staged.turn.wait(0);
        if (move(tx, in, 1, 2, 1000)) {
            at_point("commit.ring_lock", [] {  // Everything is stored, nothing is claimed.
                staged.turn = 2;
                staged.turn.notify_all();
                staged.turn.wait(2);
            });
            static_cast<void>(tx.commit());
        }
        staged.turn = 4;
        staged.turn.notify_all();
    });
    struct sigaction action {};
    action.sa_sigaction = at_fault;
    action.sa_flags = SA_SIGINFO;
    ::sigaction(SIGSEGV, &action, nullptr);
    reads noted(mine, 0);
    account_row copy{};
    ::mprotect(staged.row_page, page_bytes, PROT_NONE);
    const auto copied = noted.copy(row_at, sizeof copy, stripe_of(in.accounts, 1), &copy);
    const bool valid = copied.has_value() && noted.validate();
    writer.join();
    ::signal(SIGSEGV, SIG_DFL);
    if (staged.faults < 2) return "the race was not played";
    return valid && copy.balance != before ? "a value that was rolled back was read as true" : "";
}

/// T1 counts the ranks of a range and writes the count down; before its claim T2 adds one to it.
std::string phantom_in_a_range(shared_bytes& memory) {
    stage on(memory, ordinary, 0);
    auto& where = on.where();
    auto first = session::join(where, nullptr).value();
    const auto all = ranks::make(first);
    auto self = participant::join(where).value();
    transaction tx(self);
    scan<transaction> walk(tx, all.by_score, key_prefix().lowest(), key_prefix().highest());
    std::uint32_t count = 0;
    while (walk.next().value()) ++count;
    tx.edit<account_row>(on.in().accounts, 1).value()->mark = 100 + count;
    bool added = false;
    at_point("commit.ring_lock", [&] {
        std::thread([&] {
            auto other = session::join(where, nullptr).value();
            const auto theirs = other.write(
                [&](transaction& now) -> result<> {
                    PERDURE_TRY(add_rank(now, all, 1, 5));
                    return {};
                },
                soon());
            added = theirs.has_value();
        }).join();
    });
    const auto paid = tx.commit();
    if (!added) return "the race was not played";
    return paid ? "a commit rests on a range that had one row more by then" : "";
}

/// An id is kept; its row is freed and taken again.
std::string row_under_an_old_id(shared_bytes& memory) {
    stage on(memory, ordinary, 0);
    auto self = session::join(on.where(), nullptr).value();
    row_id id;
    const auto take = [&](transaction& tx) -> result<> {
        const auto taken = PERDURE_TRY(take_row(tx, on.in().wide));
        id = row_id(taken.row, reinterpret_cast<row_header*>(taken.copy)->generation);
        return {};
    };
    if (!self.write(take)) return "no row";
    const row_id old = id;
    const auto freed =
        self.write([&](transaction& tx) { return free_row(tx, on.in().wide, old.row()); });
    if (!freed || !self.write(take)) return "the row cannot be taken again";
    if (id.row() != old.row()) return "another row was taken: the race was not played";
    const auto followed = self.write([&](transaction& tx) -> result<> {
        PERDURE_TRY(edit_row(tx, on.in().wide, old));
        return {};
    });
    return followed ? "an id led to the row that came after its own" : "";
}

constexpr race all[] = {
    {"phantom in a range", phantom_in_a_range},
    {"row under an old id", row_under_an_old_id},
    {"read, then overtaken", read_then_overtaken},
    {"death behind released rows", death_behind_released_rows},
    {"commit behind the gate", commit_behind_the_gate},
    {"joining under repair", joining_under_repair},
    {"roll back beside an owner", roll_back_beside_an_owner},
    {"copy across a roll back", copy_across_a_roll_back},
};

}  // namespace

std::span<const race> races() { return all; }

}  // namespace perdure::tests

// SPDX-License-Identifier: Apache-2.0
//
// The demo: an economy that trades while its processes are killed, then a machine crash, then the
// comparison of the world with books that were kept outside of it.
#include <perdure/apps/cli/command.hpp>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <optional>
#include <random>
#include <thread>

#include <perdure/apps/cli/configuration.hpp>
#include <perdure/apps/cli/console.hpp>
#include <perdure/apps/demo/books.hpp>
#include <perdure/apps/demo/outcome.hpp>
#include <perdure/apps/demo/then.hpp>

namespace perdure::apps {
namespace {

using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;

struct pace {
    milliseconds whole;
    milliseconds worker_kill{500};
    milliseconds keeper_kill;
    milliseconds figures;
};

std::atomic<bool> was_interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free);  // Or a signal must not touch it.

/// So that nothing stays in /dev/shm and in the directory: the destructors see to it.
void catch_interruptions() {
    struct sigaction action {};
    action.sa_handler = [](int) { was_interrupted.store(true, std::memory_order_relaxed); };
    ::sigemptyset(&action.sa_mask);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(signal, &action, nullptr);
}

double microseconds_since(clock::time_point began) {
    return std::chrono::duration<double, std::micro>(clock::now() - began).count();
}

/// A worker with the pipe it tells its acknowledgements through.
struct seat {
    child process;
    int pipe = -1;
    std::uint32_t number = 0;
    std::vector<std::byte> rest;  // Of an acknowledgement whose other half is to come.
};

class play {
  public:
    play(const demo_order& order, const pace& how)
        : pace_(how),
          scratch_(order.folder),
          board_(shared_page::make(sizeof(board))),
          notes_(shared_page::make(sizeof(unsynced_page))),
          calls_(notes_.as<unsynced_page>(), scratch_.world()),
          figures_(board_.as<board>()),
          chance_(std::random_device{}()) {}

    play(const play&) = delete;
    play& operator=(const play&) = delete;
    ~play() {
        for (seat& each : seats_) {
            if (each.pipe >= 0) ::close(each.pipe);
        }
    }

    demo_outcome run() {
        found_a_world();
        began_ = clock::now();
        start_keeper();
        for (std::uint32_t place = 0; place < demo_workers; ++place) start_worker(place);
        keep_killing();
        crash_the_machine();
        compare_after_kills();
        come_back();
        outcome_.then = restore_then(scratch_.world(), then_lsn_, books_);
        return std::move(outcome_);
    }

  private:
    void found_a_world();
    void start_keeper();
    void start_worker(std::uint32_t place);
    void keep_killing();
    void kill_worker(std::uint32_t place);
    void kill_keeper();
    void probe(std::uint32_t place, clock::time_point killed);
    void listen(milliseconds at_most);
    bool listen_to(seat& whom);
    void show();
    void crash_the_machine();
    void hold_keeper_before_a_sync();
    void compare_after_kills();
    void come_back();

    [[nodiscard]] milliseconds elapsed() const {
        return std::chrono::duration_cast<milliseconds>(clock::now() - began_);
    }
    [[nodiscard]] world_options options(bool may_recover) {
        world_options made;
        made.calls = &calls_;
        made.may_recover = may_recover;
        return made;
    }

    pace pace_;
    demo_directory scratch_;
    shared_page board_;
    shared_page notes_;
    noting_calls calls_;
    live_figures figures_;
    outside_books books_;
    demo_outcome outcome_;
    std::mt19937_64 chance_;
    clock::time_point began_;
    std::optional<world> world_;
    std::optional<session> by_;
    child keeper_;
    std::array<seat, demo_workers> seats_;
    std::uint32_t started_ = 0;
    std::uint64_t probes_ = 0;
    std::uint64_t then_lsn_ = 0;  // What was durable in the middle of the play.
};

void play::found_a_world() {
    tell("making a world of " + grouped(demo_accounts) + " accounts in " + scratch_.world());
    world::create(scratch_.world());
    world_.emplace(world::open(scratch_.world(), options(true)));
    calls_.watch(&world_->region().header().durable.lsn);
    by_.emplace(world_->join());
    tell("its memory is " + world_->region().path());
    fund_accounts(*world_, *by_);
}

void play::start_keeper() {
    const std::array given{passed_descriptor{notes_.descriptor(), unsynced_descriptor}};
    keeper_ = child::start({"demo-keeper", scratch_.world()}, given);
}

void play::start_worker(std::uint32_t place) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) refuse_demo("no pipe", errc::io_error);
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    const std::array given{passed_descriptor{board_.descriptor(), board_descriptor},
                           passed_descriptor{notes_.descriptor(), unsynced_descriptor},
                           passed_descriptor{ends[1], acknowledgement_descriptor}};
    seat& here = seats_[place];
    here.number = ++started_;
    here.process = child::start({"demo-worker", scratch_.world(), "--place", std::to_string(place),
                                 "--number", std::to_string(here.number)},
                                given);
    ::close(ends[1]);
    here.pipe = ends[0];
    here.rest.clear();
}

void play::keep_killing() {
    auto next_worker = pace_.worker_kill;
    auto next_keeper = pace_.keeper_kill;
    auto next_figures = pace_.figures;
    auto next_checkpoint = pace_.whole / 5;
    std::uint32_t turn = 0;
    while (elapsed() < pace_.whole) {
        // Not in step with anything the workers do.
        listen(milliseconds(1 + chance_() % 7));
        if (elapsed() >= next_worker) {
            next_worker += pace_.worker_kill;
            kill_worker(turn++ % demo_workers);
        }
        if (elapsed() >= next_keeper) {
            next_keeper += pace_.keeper_kill;
            kill_keeper();
        }
        if (elapsed() >= next_checkpoint) {
            next_checkpoint += pace_.whole / 5;
            io::request_checkpoint(world_->region(), false);  // Nobody waits for it.
        }
        if (then_lsn_ == 0 && elapsed() >= pace_.whole / 2) then_lsn_ = books_.durable_lsn();
        if (elapsed() >= next_figures) {
            next_figures += pace_.figures;
            show();
        }
    }
}

void play::kill_worker(std::uint32_t place) {
    seat& victim = seats_[place];
    const auto killed = clock::now();
    victim.process.kill(SIGKILL);
    probe(place, killed);
    victim.process.wait();
    while (listen_to(victim)) continue;  // What it managed to say counts.
    ::close(victim.pipe);
    ++outcome_.worker_kills;
    start_worker(place);
}

void play::kill_keeper() {
    keeper_.kill(SIGKILL);
    keeper_.wait();
    ++outcome_.keeper_kills;
    start_keeper();
}

/// Commits on the rows the dead worker held: how long a survivor is held up.
void play::probe(std::uint32_t place, clock::time_point killed) {
    const std::uint64_t undone_before = world_->status().repairs_undone;
    auto& row = board_.as<board>().rows[place];
    const std::uint64_t trade = std::atomic_ref(row.trade).load(std::memory_order_relaxed);
    const auto plan = trade_plan::of(seats_[place].number, trade);
    const std::uint64_t number = ++probes_;
    const auto paid = by_->write([&](tx& in) -> result<> {
        return apply_trade(in, world_->books(), key_of_trade(0, number), plan);
    });
    const double took_us = microseconds_since(killed);
    if (!paid) refuse_demo("nobody takes over from a dead worker", paid.error());
    books_.note({ack_kind::applied, 0, number, paid->lsn});
    const bool was_last = std::atomic_ref(row.trade).load(std::memory_order_relaxed) == trade;
    if (was_last && world_->status().repairs_undone != undone_before) {
        outcome_.takeovers_us.push_back(took_us);
    }
}

void play::listen(milliseconds at_most) {
    if (was_interrupted.load(std::memory_order_relaxed)) {
        refuse_demo("interrupted", errc::not_attached);
    }
    std::array<pollfd, demo_workers> ears{};
    for (std::size_t i = 0; i < ears.size(); ++i) ears[i] = {seats_[i].pipe, POLLIN, 0};
    if (::poll(ears.data(), ears.size(), static_cast<int>(at_most.count())) <= 0) return;
    for (std::size_t i = 0; i < ears.size(); ++i) {
        if (ears[i].revents != 0 && !listen_to(seats_[i])) {
            if (const auto status = seats_[i].process.poll()) {
                refuse_demo("worker " + std::to_string(seats_[i].number) + " ended by itself",
                            errc::not_attached);
            }
        }
    }
    if (keeper_.poll()) refuse_demo("the keeper ended by itself", errc::durability_lost);
}

/// False when there is nothing more to hear for now.
bool play::listen_to(seat& whom) {
    std::array<std::byte, 1 << 15> buffer;
    const auto got = ::read(whom.pipe, buffer.data(), buffer.size());
    if (got <= 0) return false;
    whom.rest.insert(whom.rest.end(), buffer.begin(), buffer.begin() + got);
    std::size_t at = 0;
    for (; at + sizeof(acknowledgement) <= whom.rest.size(); at += sizeof(acknowledgement)) {
        acknowledgement told{};
        std::memcpy(&told, whom.rest.data() + at, sizeof told);
        books_.note(told);
    }
    whom.rest.erase(whom.rest.begin(), whom.rest.begin() + static_cast<std::ptrdiff_t>(at));
    return true;
}

void play::show() {
    demo_moment now{};
    now.seconds = std::chrono::duration<double>(elapsed()).count();
    now.seconds_planned = std::chrono::duration<double>(pace_.whole).count();
    now.keeper = keeper_.pid();
    for (std::size_t i = 0; i < demo_workers; ++i) now.workers[i] = seats_[i].process.pid();
    now.applied = books_.applied();
    now.durable = books_.durable();
    now.world = world_->status();
    now.so_far = &outcome_;
    figures_.show(now);
}

/// The worst moment: a block is written, its sync has not begun. The keeper is held there. What is
/// waited for by the end of one hold is in the block of the next, so whoever is told too early
/// tells us before the power goes.
void play::hold_keeper_before_a_sync() {
    auto& notes = notes_.as<unsynced_page>();
    for (std::uint64_t hold = 1; hold <= 4; ++hold) {
        hold_syncs(notes, hold);
        const auto until = clock::now() + milliseconds(100);
        while (clock::now() < until) listen(milliseconds(5));
        if (books_.durable_lsn() > proved_lsn(notes)) return;
    }
}

void play::crash_the_machine() {
    tell("the machine crashes: processes killed, memory gone, unsynced writes gone");
    hold_keeper_before_a_sync();
    for (seat& each : seats_) each.process.kill(SIGKILL);
    keeper_.kill(SIGKILL);
    for (seat& each : seats_) {
        each.process.wait();
        while (listen_to(each)) continue;
    }
    keeper_.wait();
    hold_syncs(notes_.as<unsynced_page>(), 0);
}

/// Before memory goes: is everything there that was acknowledged as applied?
void play::compare_after_kills() {
    shm::sweep(world_->region());
    const auto found = books_.compare(*by_, world_->books());
    outcome_.lost_by_kills = found.applied_lost;
    outcome_.kills_in_transaction = world_->status().repairs_undone;
    const auto saved = world_->status();
    outcome_.checkpoint_lsn = saved.checkpoint.lsn;
    outcome_.cut_us_max = static_cast<double>(saved.captures.cut_ns_max) / 1e3;
    outcome_.captures = saved.captures.captures;
    outcome_.acked_applied = books_.applied();
    outcome_.acked_durable = books_.durable();
    outcome_.applied_not_yet_durable = books_.applied() - books_.durable();
    by_.reset();
    calls_.watch(nullptr);
    world_.reset();
    scratch_.drop_region();
    const dropped gone = drop_unsynced(notes_.as<unsynced_page>());
    outcome_.dropped_writes = gone.writes;
    outcome_.dropped_bytes = gone.bytes;
}

void play::come_back() {
    const auto began = clock::now();
    world_.emplace(world::open(scratch_.world(), options(true)));
    outcome_.recovery_ms = microseconds_since(began) / 1e3;
    outcome_.recovered_transactions = world_->opened().transactions;
    outcome_.recovered_rows = world_->opened().rows;
    by_.emplace(world_->join());
    const auto found = books_.compare(*by_, world_->books());
    outcome_.lost_by_machine_crash = found.durable_lost;
    outcome_.undurable_kept = found.undurable_kept;

    const verdict checked = world_->verify(*by_);
    outcome_.conserved = checked.conserved;
    outcome_.problems = checked.problems;
    for (const asset_id each : {gold(), ore()}) {
        const auto row = by_->read([&](shm::view& in) { return world_->books().asset(in, each); });
        // Known outside: what was minted before the first trade.
        const auto minted = demo_grant * static_cast<amount>(demo_accounts);
        outcome_.conserved = outcome_.conserved && row && row->supply == minted;
    }
    std::sort(outcome_.takeovers_us.begin(), outcome_.takeovers_us.end());
}

#if !defined(PERDURE_RIG)
/// A planted fault is only in the rigged program, which lies beside this one.
[[noreturn]] void become_rigged(const demo_order& order) {
    const auto self = std::filesystem::read_symlink("/proc/self/exe");
    const std::string rigged = self.parent_path() / "perdure_rigged";
    const std::string sabotage = "--sabotage=" + order.sabotage;
    std::vector<const char*> words{rigged.c_str(), "demo", sabotage.c_str()};
    if (order.quick) words.push_back("--quick");
    if (order.json) words.push_back("--json");
    if (!order.folder.empty()) words.insert(words.end(), {"--directory", order.folder.c_str()});
    words.push_back(nullptr);
    ::execv(rigged.c_str(), const_cast<char* const*>(words.data()));
    throw failure(errc::bad_setting, "--sabotage: this program carries no planted faults",
                  "build perdure_rigged beside it; `./dev demo --sabotage=…` does");
}
#endif

}  // namespace

int demo(const demo_order& order) {
    if (!order.sabotage.empty()) {
#if defined(PERDURE_RIG)
        ::setenv("PERDURE_PLANT", order.sabotage.c_str(), 1);  // For the children; we stay sound.
#else
        become_rigged(order);
#endif
    }
    catch_interruptions();
    const pace how =
        order.quick
            ? pace{milliseconds(6000), milliseconds(500), milliseconds(1700), milliseconds(500)}
            : pace{milliseconds(26000), milliseconds(500), milliseconds(3300), milliseconds(500)};
    const demo_outcome outcome = play(order, how).run();
    for (const std::string& problem : outcome.problems) tell("problem: " + problem);
    order.json ? print_json(outcome) : print_end(outcome);
    return outcome.nothing_lost() ? exit_done : exit_refused;
}

}  // namespace perdure::apps

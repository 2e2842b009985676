// SPDX-License-Identifier: Apache-2.0
//
// Claims I1, I2, I4, I8 and I10 over time: workers trade in one region while they are stopped and
// killed at random. Each commit is acknowledged over a pipe to the parent, which drains the ring,
// keeps the books: each acknowledged commit is in the journal, the journal replayed is the region.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <deque>
#include <perdure/shm/crash_point.hpp>
#include <perdure/tests/crash/stage.hpp>
#include <perdure/tests/torture.hpp>
#include <random>
#include <unordered_map>

namespace {

using namespace perdure;
using namespace perdure::shm;
using namespace perdure::tests;
using clock_type = std::chrono::steady_clock;

constexpr std::size_t worker_count = 4;
constexpr std::uint64_t accounts = 48;
constexpr std::uint16_t told_by_worker = 5;
constexpr int wrong_sum = 202;
constexpr std::uint64_t idle_turns_max = 50'000;  ///< Of the parent, each at least 100 us.

/// Who committed what: unique for all workers there ever were.
struct deed {
    std::uint64_t worker;
    std::uint64_t number;
    friend bool operator==(const deed&, const deed&) = default;
};

struct ack {
    deed done;
    std::uint64_t lsn;
};

void dawdle(int turns) {
    for (int i = 0; i < turns; ++i) system_park().pause();
}

/// Set while a worker is inside somebody's repair; shared with the parent.
std::uint64_t* repairing = nullptr;

void note_repair(std::string_view point, std::uint64_t) {
    if (point.starts_with("repair.")) {
        put(*repairing, point == "repair.unlock" ? 0 : 1);
        dawdle(8000);  // A repair takes a microsecond: longer ones are met more often.
    }
    if (point == "join.slot") put(*repairing, 0);  // A joiner keeps the lock of what it repaired.
}

result<> one_deed(transaction& tx, const bank& in, std::mt19937_64& random) {
    const auto kind = random() % 20;
    if (kind == 0) {
        PERDURE_TRY(insert_key(tx, in.accounts, key_of(1000 + random() % 200)));
    } else if (kind == 1) {
        PERDURE_TRY(erase_key(tx, in.accounts, key_of(1000 + random() % 200)));
    } else if (kind == 2) {
        auto taken = PERDURE_TRY(take_row(tx, in.wide));
        reinterpret_cast<wide_row*>(taken.copy)->words[random() % 126] = random();
    } else if (kind == 3) {
        PERDURE_TRY(free_row(tx, in.wide, random() % 128));
    } else {
        const auto from = random() % accounts;
        const auto to = (from + 1 + random() % (accounts - 1)) % accounts;
        PERDURE_TRY(move(tx, in, from, to, static_cast<int>(random() % 9)));
    }
    dawdle(static_cast<int>(random() % 4500));  // With an open undo: this is where deaths hurt.
    return {};
}

/// All balances in one view: never anything but zero (I4).
bool sums_to_zero(session& self, const bank& in) {
    const auto sum = self.read([&](view& seen) -> result<std::int64_t> {
        std::int64_t all = 0;
        for (std::uint64_t i = 0; i < accounts; ++i) {
            all += PERDURE_TRY(get_key<account_row>(seen, in.accounts, key_of(i))).balance;
        }
        return all;
    });
    return !sum ? sum.error() == errc::stalled : *sum == 0;
}

[[noreturn]] void work(const std::string& path, const bank& in, std::uint64_t id, int pipe) {
    be_a_child();
    ::alarm(0);
    watch(note_repair);
    auto where = region::attach(path, {{1, 2}, {3, 4}}, shm::access::read_write);
    auto self = session::join(where, nullptr);
    if (!self) ::_exit(static_cast<int>(self.error()));
    std::mt19937_64 random(id);
    for (std::uint64_t number = 1;; ++number) {
        if (number % 64 == 0 && !sums_to_zero(*self, in)) ::_exit(wrong_sum);
        const deed done{id, number};
        const auto paid = self->write(
            [&](transaction& tx) -> result<> {
                PERDURE_TRY(one_deed(tx, in, random));
                tx.event(told_by_worker, 1, std::as_bytes(std::span(&done, 1)));
                return {};
            },
            deadline::never());
        if (!paid) {
            const auto why = paid.error();
            if (why == errc::exists || why == errc::not_found) continue;
            ::_exit(static_cast<int>(why));
        }
        const ack told{done, paid->lsn};
        if (::write(pipe, &told, sizeof told) != sizeof told) ::_exit(200);
    }
}

struct soak_counts {
    std::uint64_t kills = 0;
    std::uint64_t stops = 0;
    std::uint64_t with_undo = 0;
    std::uint64_t in_repair = 0;
    std::uint64_t commits = 0;
    std::uint64_t acks = 0;
};

class soak {
  public:
    explicit soak(unsigned seed)
        : random_(seed),
          path_("/dev/shm/perdure-soak-" + std::to_string(::getpid())),
          where_(region::create(path_, options())),
          marks_(worker_count * sizeof(std::uint64_t)) {
        {
            auto self = session::join(where_, nullptr).value();
            in_ = make_bank(self);
            open_accounts(self, in_, 0, accounts);
        }
        std::vector<record_bytes> before;
        note(drain_ring(where_, before));
        image_ = image_of(where_);
        BOOST_REQUIRE(::pipe2(pipe_.data(), O_CLOEXEC) == 0);
        BOOST_REQUIRE(::fcntl(pipe_[0], F_SETFL, O_NONBLOCK) == 0);
        for (std::size_t i = 0; i < worker_count; ++i) spawn(i);
    }
    soak(const soak&) = delete;
    soak& operator=(const soak&) = delete;
    ~soak() {
        for (const auto worker : workers_) ::kill(worker, SIGKILL);
        while (::waitpid(-1, nullptr, 0) > 0) {
        }
        ::close(pipe_[0]);
        ::close(pipe_[1]);
        ::unlink(path_.c_str());
    }

    void run(std::chrono::seconds least, std::uint64_t kills) {
        const auto end = clock_type::now() + least;
        while ((clock_type::now() < end || counts.kills < kills) && faults.empty()) {
            const auto next = clock_type::now() + std::chrono::milliseconds(5 + random_() % 46);
            while (clock_type::now() < next) keep_books();
            const auto victim = random_() % worker_count;
            if (random_() % 4 == 0) {
                stop_a_while(victim);
            } else {
                kill_some(victim);
            }
        }
        finish();
    }

    soak_counts counts;
    std::vector<std::string> faults;

  private:
    static region_options options() {
        auto made = small_options();
        made.slot_count = 8;
        made.capacity_bytes = 64U << 20;
        return made;
    }

    void note(const std::string& fault) {
        if (!fault.empty()) faults.push_back(fault);
    }

    void spawn(std::size_t which) {
        auto* mark = reinterpret_cast<std::uint64_t*>(marks_.span().data()) + which;
        put(*mark, 0);
        const auto id = ++spawned_;
        const pid_t child = ::fork();
        if (child == 0) {
            repairing = mark;
            try {
                work(path_, in_, id, pipe_[1]);
            } catch (...) {
                ::_exit(201);
            }
        }
        workers_[which] = child;
    }

    void reaped(std::size_t which, int status) {
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return;
        const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
        note("worker " + std::to_string(which) + " ended by itself, status " +
             std::to_string(status) + ", " +
             (code == wrong_sum ? "the balances do not sum to zero"
                                : name(static_cast<errc>(code)).data()));
    }

    /// Stopped first: what it was in the middle of is looked at before anybody can repair it.
    void kill(std::size_t which) {
        const pid_t victim = workers_[which];
        int status = 0;
        ::kill(victim, SIGSTOP);
        ::waitpid(victim, &status, WUNTRACED);
        if (!WIFSTOPPED(status)) return reaped(which, status);
        for (std::uint32_t i = 0; i < where_.geometry().slot_count; ++i) {
            const auto& slot = where_.slot(i);
            const bool its = load(slot.pid) == static_cast<std::uint64_t>(victim);
            counts.with_undo += its && load(slot.undo_used) != 0 ? 1 : 0;
        }
        const auto* marks = reinterpret_cast<const std::uint64_t*>(marks_.span().data());
        counts.in_repair += load(marks[which]);
        ::kill(victim, SIGKILL);
        ++counts.kills;
    }

    void replace(std::size_t which) {
        int status = 0;
        ::waitpid(workers_[which], &status, 0);
        reaped(which, status);
        spawn(which);
    }

    /// One death, and perhaps that of others: of one that is repairing the dead, if there is one.
    void kill_some(std::size_t first) {
        std::vector<std::size_t> dead;
        const auto strike = [&](std::size_t which) {
            if (std::find(dead.begin(), dead.end(), which) != dead.end()) return;
            kill(which);
            dead.push_back(which);
        };
        strike(first);
        for (auto more = random_() % 3; more > 0; --more) {
            const auto end = clock_type::now() + std::chrono::microseconds(random_() % 3000);
            auto next = random_() % worker_count;
            const auto* marks = reinterpret_cast<const std::uint64_t*>(marks_.span().data());
            for (bool met = false; !met && clock_type::now() < end; dawdle(20)) {
                for (std::size_t i = 0; i < worker_count; ++i) {
                    if (load(marks[i]) == 0 || i == first) continue;
                    next = i;
                    met = true;
                }
            }
            strike(next);
        }
        for (const auto which : dead) replace(which);
    }

    void stop_a_while(std::size_t which) {
        ::kill(workers_[which], SIGSTOP);
        const auto end = clock_type::now() + std::chrono::milliseconds(1 + random_() % 10);
        while (clock_type::now() < end) keep_books();
        ::kill(workers_[which], SIGCONT);
        ++counts.stops;
    }

    void keep_books() {
        journal_.clear();
        const auto head = load(where_.header().head.value);
        note(drain_ring(where_, journal_));
        for (const auto& record : journal_) enter(record);
        // At CLAIMED its claimer is asked, but not so often that workers meet no dead.
        const auto now = clock_type::now();
        const bool stuck = load(where_.header().head.value) == head;
        if (stuck && now > swept_ + std::chrono::milliseconds(20)) {
            sweep(where_);
            swept_ = now;
        }
        ack told{};
        while (::read(pipe_[0], &told, sizeof told) == sizeof told) acks_.push_back(told);
        while (!acks_.empty() && acks_.front().lsn <= drained_) {
            settle(acks_.front());
            acks_.pop_front();
        }
        if (!journal_.empty()) {
            idle_turns_ = 0;
        } else if (::usleep(100); ++idle_turns_ > idle_turns_max) {
            note("nobody gets on any more");
        }
    }

    void enter(const record_bytes& record) {
        record_header header;
        std::memcpy(&header, record.data(), sizeof header);
        if (drained_ != 0 && header.lsn != drained_ + 1) note("LSNs are not dense");
        drained_ = header.lsn;
        if (static_cast<record_state>(header.state) == record_state::padding) return;
        note(replay(image_, record));
        ++counts.commits;
        transaction_header front;
        std::memcpy(&front, record.data() + sizeof header, sizeof front);
        std::size_t at = sizeof header + sizeof front;
        for (std::uint32_t i = 0; i < front.events; ++i) {
            event_header event;
            std::memcpy(&event, record.data() + at, sizeof event);
            if (event.type == told_by_worker) {
                deed done;
                std::memcpy(&done, record.data() + at + sizeof event, sizeof done);
                if (done.number <= last_[done.worker]) note("a deed was committed twice");
                last_[done.worker] = done.number;
                unacknowledged_[header.lsn] = done;
            }
            at += event.bytes;
        }
    }

    void settle(const ack& told) {
        ++counts.acks;
        const auto found = unacknowledged_.find(told.lsn);
        if (found == unacknowledged_.end() || !(found->second == told.done)) {
            note("LSN " + std::to_string(told.lsn) + " was acknowledged and is not in the journal");
            return;
        }
        unacknowledged_.erase(found);
    }

    void finish() {
        for (std::size_t i = 0; i < worker_count; ++i) {
            int status = 0;
            ::kill(workers_[i], SIGKILL);
            ::waitpid(workers_[i], &status, 0);
            reaped(i, status);
        }
        sweep(where_);
        keep_books();
        if (!acks_.empty()) note("an acknowledged commit was never drained");
        // Each worker may have died once between its commit and its word about it.
        if (unacknowledged_.size() > spawned_) note("more commits than anybody made");
        note(difference(image_, image_of(where_)));
        for (const auto& fault : audit(where_)) note(fault);
    }

    std::mt19937_64 random_;
    std::string path_;
    region where_;
    shared_bytes marks_;
    bank in_;
    row_image image_;
    std::array<int, 2> pipe_{};
    std::array<pid_t, worker_count> workers_{};
    clock_type::time_point swept_{};
    std::uint64_t idle_turns_ = 0;
    std::uint64_t spawned_ = 0;
    std::uint64_t drained_ = 0;
    std::vector<record_bytes> journal_;
    std::deque<ack> acks_;
    std::unordered_map<std::uint64_t, deed> unacknowledged_;
    std::unordered_map<std::uint64_t, std::uint64_t> last_;
};

BOOST_AUTO_TEST_CASE(whoever_is_killed_nothing_committed_is_lost) {
    const bool torture = is_torture();
    const unsigned seed = torture ? std::random_device{}() : 1;
    soak on(seed);
    on.run(std::chrono::seconds(12), torture ? 20'000 : 100);
    const auto& c = on.counts;
    std::printf(
        "seed %u: %lu kills (%lu with an open undo, %lu inside a repair), %lu stops, "
        "%lu commits, %lu acknowledged, %zu faults\n",
        seed, c.kills, c.with_undo, c.in_repair, c.stops, c.commits, c.acks, on.faults.size());
    for (std::size_t i = 0; i < on.faults.size() && i < 20; ++i) BOOST_ERROR(on.faults[i]);
    BOOST_TEST(on.faults.empty());
    BOOST_TEST(c.with_undo * 10 >= c.kills * (torture ? 3U : 1U));
    if (torture) BOOST_TEST(c.in_repair >= 100U);
}

}  // namespace

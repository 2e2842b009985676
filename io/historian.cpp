// SPDX-License-Identifier: Apache-2.0
#include <perdure/io/historian.hpp>

#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

#include <perdure/io/catalog_facts.hpp>
#include <perdure/io/digest.hpp>
#include <perdure/io/manifest.hpp>

namespace perdure::io {
namespace {

constexpr int tries_max = 3;
constexpr std::chrono::milliseconds try_pause{100};
/// Of the newest checkpoints in the catalog: those among them that were rejected are looked for.
constexpr std::size_t reviewed_max = 1000;

/// Puts something down; empty, or why it could not. May be called again.
using fact = std::function<std::string(catalog&)>;

using standing = checkpoint_fact::standing;

/// Linux's own files, as SQLite's are: who counts or breaks the keeper's calls does not meet these.
struct promises {
    kernel_calls calls;
    file_system files{calls};
    std::optional<finding> found;

    result<manifest> read(const std::string& directory) {
        return manifest::open(files, directory, open_mode::read, found);
    }
    [[nodiscard]] std::string why(errc reason) const {
        return found ? found->file + ": " + found->cause : std::string(name(reason));
    }
};

/// A checkpoint's id, if the MANIFEST still promises it.
std::string source_of(const std::string& directory, std::uint64_t lsn) {
    promises made;
    if (const auto promised = made.read(directory); promised) {
        const auto& all = promised->checkpoints();
        const auto found = std::find_if(all.rbegin(), all.rend(),
                                        [&](const auto& each) { return each.lsn == lsn; });
        if (found != all.rend()) return to_string(found->id);
    }
    return "checkpoint of LSN " + std::to_string(lsn);
}

/// Those that the catalog holds for valid and a recovery has set aside.
std::vector<checkpoint_fact> rejected(catalog& book, file_system& files, const manifest& promised) {
    std::vector<checkpoint_fact> out;
    const auto names = files.list(checkpoint_directory(promised.directory()));
    if (!names) return out;
    for (auto& each : book.checkpoints(reviewed_max)) {
        const auto is_it = [&](const auto& entry) { return to_string(entry.id) == each.id; };
        if (each.state != standing::valid) continue;
        if (std::ranges::any_of(promised.checkpoints(), is_it)) continue;
        const auto aside = checkpoint_path(promised.directory(), each.lsn) + ".rejected";
        const auto is_named = [&](const auto& name) { return aside.ends_with("/" + name); };
        if (std::ranges::none_of(*names, is_named)) continue;
        each.state = standing::rejected;
        each.note = "did not verify at a recovery; its file is now " + aside;
        out.push_back(std::move(each));
    }
    return out;
}

/// Makes the catalog say of checkpoints what the MANIFEST does; empty, or why it does not.
std::string agree(catalog& book, const std::string& directory) {
    promises made;
    const auto promised = made.read(directory);
    if (!promised) return "what it should hold is not known: " + made.why(promised.error());
    for (const auto& each : rejected(book, made.files, *promised)) book.note(each);
    book.rebuild(facts_of(promised->checkpoints(), standing::valid));
    return book.last_error();
}

}  // namespace

/// What those who tell and the thread that writes have in common.
struct historian::desk {
    const std::string directory;
    const historian_limits limits;
    const pid_t owner = ::getpid();

    std::mutex mutex;  // Of all that follows, but for the last two.
    std::condition_variable changed;
    std::deque<fact> facts;
    std::vector<component_fact> seen;
    bool keeps = false;
    bool stops = false;
    bool is_writing = false;  // There is a thread, and it will look again.
    bool is_waiting = false;  // It waits for something to write.
    bool is_behind = false;   // A fact was lost: the MANIFEST may know more than the catalog.
    tally sum;
    std::thread hands;
    std::uint64_t agreed = 0;  // The thread's: the openings() when catalog and MANIFEST did.
    std::shared_ptr<desk> for_good{};  // Itself, in a child.

    desk(std::string where, historian_limits most) : directory(std::move(where)), limits(most) {
        PERDURE_ASSERT(limits.facts_max > 0);
    }

    void put(fact what);
    void begin(const std::shared_ptr<desk>& self);
    void write() noexcept;
    void write_all(std::unique_lock<std::mutex>& mine);
    bool write_one(catalog& book, const fact& what, std::unique_lock<std::mutex>& mine);
    [[nodiscard]] fact agreement();
    /// In a process that was forked off there is no thread, and the mutex may be held for ever.
    [[nodiscard]] bool is_copy() const noexcept { return ::getpid() != owner; }
    [[nodiscard]] bool is_idle() const noexcept {
        return facts.empty() && seen.empty() && (!is_writing || is_waiting);
    }

    /// Makes the change and sees to somebody who writes what it has put here.
    template <class Change>
    static void tell(const std::shared_ptr<desk>& self, const Change& change) noexcept;
};

/// Requires: the mutex.
void historian::desk::put(fact what) {
    if (facts.size() >= limits.facts_max) {
        facts.pop_front();
        ++sum.dropped;
        is_behind = true;  // It may have been a checkpoint.
    }
    facts.push_back(std::move(what));
}

/// Requires: the mutex.
void historian::desk::begin(const std::shared_ptr<desk>& self) {
    changed.notify_all();
    if (is_writing) return;
    if (hands.joinable()) hands.join();  // It has said that it will not look again.
    hands = std::thread([self] { self->write(); });
    is_writing = true;
}

template <class Change>
void historian::desk::tell(const std::shared_ptr<desk>& self, const Change& change) noexcept {
    if (self->is_copy()) return;
    const std::lock_guard mine(self->mutex);
    if (self->stops) {
        ++self->sum.dropped;
        return;
    }
    try {
        change(*self);
        self->begin(self);
    } catch (const std::exception& why) {  // No memory, or no thread: the next one tries again.
        self->sum.trouble = why.what();
        self->is_behind = true;
    }
}

/// Checkpoints, as the MANIFEST says.
fact historian::desk::agreement() {
    return [this](catalog& book) {
        std::string trouble = agree(book, directory);
        agreed = trouble.empty() ? book.openings() : 0;
        return trouble;
    };
}

/// Requires: the mutex, which is given back meanwhile.
bool historian::desk::write_one(catalog& book, const fact& what,
                                std::unique_lock<std::mutex>& mine) {
    for (int turn = 1;; ++turn) {
        mine.unlock();
        std::string trouble = what(book);
        mine.lock();
        const bool done = trouble.empty();
        if (!book.remark().empty()) sum.remark = book.remark();
        sum.trouble = std::move(trouble);
        if (done || turn == tries_max) return ++(done ? sum.written : sum.failed), done;
        changed.wait_for(mine, try_pause, [&] { return stops; });
    }
}

/// Until there is nothing to write and nobody keeps the world. Requires: the mutex, as above.
void historian::desk::write_all(std::unique_lock<std::mutex>& mine) {
    mine.unlock();
    auto book = catalog::open(directory);
    mine.lock();
    agreed = 0;
    for (;;) {
        bool done = false;
        if (!facts.empty()) {
            const fact next = std::move(facts.front());
            facts.pop_front();
            done = write_one(book, next, mine);
        } else if (!seen.empty()) {
            const fact next = [now = std::exchange(seen, {})](catalog& to) {
                to.note(now);
                return to.last_error();
            };
            done = write_one(book, next, mine);
        } else if (keeps && !stops) {
            is_waiting = true;
            changed.notify_all();  // For flush().
            changed.wait(mine);
            is_waiting = false;
        } else {
            break;
        }
        if (done && keeps && (std::exchange(is_behind, false) || agreed != book.openings())) {
            facts.push_front(agreement());
        }
    }
    mine.unlock();
    { const auto closed = std::move(book); }
    mine.lock();
}

void historian::desk::write() noexcept {
    std::unique_lock mine(mutex);
    try {
        while (!facts.empty() || !seen.empty()) write_all(mine);
    } catch (const std::exception& why) {
        if (!mine.owns_lock()) mine.lock();
        sum.trouble = why.what();
        sum.dropped += facts.size();
        facts.clear();
        is_behind = true;
    }
    is_writing = false;
    changed.notify_all();
}

historian::historian(std::string directory, historian_limits limits)
    : desk_(std::make_shared<desk>(std::move(directory), limits)) {}

historian::~historian() {
    if (desk_->is_copy()) {
        desk_->for_good = desk_;  // Its thread and its waiters are those of another process.
    } else {
        stop();
    }
}

void historian::took(const checkpoint_news& news) noexcept {
    if (news.trigger == "scrub") return scrubbed(news);
    desk::tell(desk_, [&](desk& to) {
        fact told = [made = fact_of(news), retired = facts_of(news.retired, standing::retired),
                     verified = verification_of(news)](catalog& book) {
            book.note(made);
            if (book.last_error().empty() && !retired.empty()) book.note_states(retired);
            if (book.last_error().empty() && verified) book.note(*verified);
            return book.last_error();
        };
        to.put(std::move(told));
    });
}

/// Rot in a file is a validation's answer: no checkpoint was to be taken.
void historian::scrubbed(const checkpoint_news& news) noexcept {
    const std::span<const std::string> problems(&news.cause, news.is_valid ? 0 : 1);
    validated({"scrub", news.report.entry.lsn, problems});
}

void historian::recovered(const opening_report& report, std::uint64_t incarnation) noexcept {
    desk::tell(desk_, [&](desk& to) {
        to.put([made = fact_of(report, incarnation), from = report.checkpoint_lsn,
                directory = to.directory](catalog& book) mutable {
            if (from != 0) made.source = source_of(directory, std::exchange(from, 0));
            book.note(made);
            return book.last_error();
        });
    });
}

void historian::validated(const validation& made) noexcept {
    desk::tell(desk_, [&](desk& to) {
        to.put([noted = fact_of(made.kind, made.lsn, made.problems)](catalog& book) {
            book.note(noted);
            return book.last_error();
        });
    });
}

void historian::observed(std::vector<component_fact> now) noexcept {
    desk::tell(desk_, [&](desk& to) { to.seen = std::move(now); });
}

void historian::keep() noexcept {
    desk::tell(desk_, [](desk& to) {
        to.keeps = true;
        to.put(to.agreement());
    });
}

void historian::rest() noexcept {
    if (desk_->is_copy()) return;
    const std::lock_guard mine(desk_->mutex);
    desk_->keeps = false;
    desk_->changed.notify_all();
}

bool historian::flush(std::chrono::milliseconds patience) noexcept {
    if (desk_->is_copy()) return false;
    std::unique_lock mine(desk_->mutex);
    return desk_->changed.wait_for(mine, patience, [&] { return desk_->is_idle(); });
}

void historian::stop() noexcept {
    if (desk_->is_copy()) return;
    std::unique_lock mine(desk_->mutex);
    desk_->stops = true;
    desk_->changed.notify_all();
    const bool ended =
        desk_->changed.wait_for(mine, desk_->limits.drain, [&] { return !desk_->is_writing; });
    if (!ended) {  // The disk hangs. What it has not taken by now it will not be asked to take.
        desk_->sum.dropped += desk_->facts.size();
        desk_->facts.clear();
        desk_->seen.clear();
    }
    if (!desk_->hands.joinable()) return;
    if (ended) {
        desk_->hands.join();
    } else {
        desk_->hands.detach();
    }
}

historian::tally historian::count() const {
    if (desk_->is_copy()) return {};
    const std::lock_guard mine(desk_->mutex);
    return desk_->sum;
}

}  // namespace perdure::io

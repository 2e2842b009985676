// SPDX-License-Identifier: Apache-2.0
//
// Claims I1 and I10 at every instruction: a child is stepped through each primitive of the library
// as users have it, without crash points; whenever the region has changed, a copy of it is repaired
// as if the child had died there, and the oracle looks at the copy.
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <cstdio>
#include <perdure/shm/crc32c.hpp>
#include <perdure/tests/crash/scenery.hpp>
#include <perdure/tests/crash/stage.hpp>
#include <perdure/tests/torture.hpp>
#include <unordered_set>

namespace {

using namespace perdure;
using namespace perdure::shm;
using namespace perdure::tests;

/// Which pages a child stores into: a page is closed for writing until its first store.
struct page_watch {
    std::byte* start = nullptr;
    std::uint64_t pages = 0;
    std::uint8_t* written = nullptr;  ///< One byte a page, shared with the parent.
} watched;

void open_page(int, siginfo_t* told, void*) {
    auto* at = static_cast<std::byte*>(told->si_addr);
    const auto page = static_cast<std::uint64_t>(at - watched.start) / page_bytes;
    if (at < watched.start || page >= watched.pages) {
        ::signal(SIGSEGV, SIG_DFL);
        return;
    }
    watched.written[page] = 1;
    ::mprotect(watched.start + page * page_bytes, page_bytes, PROT_READ | PROT_WRITE);
}

/// The primitive without crash points; `begin` and `end` mark its first and last instruction.
template <class Mark>
void perform_plain(const stage& on, region& where, Mark&& mark) {
    actor by{where, on.in(), on.round()};
    if (!on.what().joins) by.enter();
    mark();
    on.what().run(by);
    mark();
    by.leave();
}

std::vector<std::uint64_t> pages_written(stage& on) {
    const std::uint64_t pages = on.first().size() / page_bytes;
    shared_bytes marks(pages);
    const auto end = in_child(on, [&](region& where) {
        watched = {where.start(), pages, reinterpret_cast<std::uint8_t*>(marks.span().data())};
        struct sigaction action {};
        action.sa_sigaction = open_page;
        action.sa_flags = SA_SIGINFO;
        ::sigaction(SIGSEGV, &action, nullptr);
        bool begun = false;
        perform_plain(on, where, [&] {
            if (!begun) ::mprotect(where.start(), pages * page_bytes, PROT_READ);
            begun = true;
        });
    });
    BOOST_REQUIRE(end == ending::finished);
    std::vector<std::uint64_t> out;
    for (std::uint64_t page = 0; page < pages; ++page) {
        if (marks.span()[page] != std::byte{0}) out.push_back(page);
    }
    return out;
}

struct step_counts {
    std::uint64_t steps = 0;
    std::uint64_t images = 0;
    std::uint64_t repairs = 0;
};

/// One child under the parent's hand, on a memory of its own.
class stepper {
  public:
    stepper(stage& on, std::span<std::byte> memory, std::uint64_t each)
        : on_(on), memory_(memory), each_(each), hot_(pages_written(on)) {
        on_.begin_again();
        std::memcpy(memory_.data(), on_.first().data(), on_.first().size());
        seen_ = hot_bytes();
    }

    void walk(std::vector<std::string>& faults) {
        const pid_t child = ::fork();
        if (child == 0) be_stepped();
        faults_ = &faults;
        int status = 0;
        ::waitpid(child, &status, 0);
        BOOST_REQUIRE(WIFSTOPPED(status));
        while (true) {
            BOOST_REQUIRE(::ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr) == 0);
            ::waitpid(child, &status, 0);
            if (WIFEXITED(status) || WIFSIGNALED(status)) {
                faults.push_back(std::string(on_.what().name) + ": the stepped child ended early");
                return;
            }
            if (WSTOPSIG(status) == SIGUSR1) break;
            ++counts.steps;
            intrude();
            if (changed()) judge_copy();
        }
        ::ptrace(PTRACE_DETACH, child, nullptr, nullptr);
        ::waitpid(child, &status, 0);
        if (status != 0) faults.push_back(std::string(on_.what().name) + ": it does not end");
        nothing_else_changed();
    }

    step_counts counts;

  private:
    [[noreturn]] void be_stepped() {
        be_a_child();
        ::alarm(0);
        try {
            auto where = region::view(memory_.first(crash_options().capacity_bytes));
            bool begun = false;
            perform_plain(on_, where, [&] {
                if (!begun) ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
                ::raise(begun ? SIGUSR1 : SIGSTOP);
                begun = true;
                ::signal(SIGUSR1, SIG_IGN);
            });
        } catch (...) {
            ::_exit(3);
        }
        ::_exit(0);
    }

    [[nodiscard]] std::vector<std::byte> hot_bytes() const {
        std::vector<std::byte> out(hot_.size() * page_bytes);
        for (std::size_t i = 0; i < hot_.size(); ++i) {
            std::memcpy(out.data() + i * page_bytes, memory_.data() + hot_[i] * page_bytes,
                        page_bytes);
        }
        return out;
    }

    bool changed() {
        bool any = false;
        for (std::size_t i = 0; i < hot_.size(); ++i) {
            auto* before = seen_.data() + i * page_bytes;
            const auto* now = memory_.data() + hot_[i] * page_bytes;
            if (std::memcmp(before, now, page_bytes) == 0) continue;
            std::memcpy(before, now, page_bytes);
            any = true;
        }
        return any;
    }

    /// Another participant's commit between the claim and the look at the reads.
    void intrude() {
        if (!on_.what().intruded || intruded_) return;
        const auto& header = *reinterpret_cast<const region_header*>(memory_.data());
        if (header.producer.tail == on_.where().header().producer.tail) return;
        auto other = region::view(memory_.first(crash_options().capacity_bytes));
        bump(other, on_.in(), *on_.what().intruded);
        intruded_ = true;
    }

    void judge_copy() {
        const auto sum =
            static_cast<std::uint64_t>(crc32c(seen_)) << 32 | crc32c(seen_, 0x12345678);
        if (!images_.insert(sum).second) return;
        ++counts.images;
        // What comes so late in a primitive are the words of a long copy.
        if (counts.images > 400 && counts.images % each_ != 0) return;
        on_.begin_again();
        for (std::size_t i = 0; i < hot_.size(); ++i) {
            std::memcpy(on_.where().start() + hot_[i] * page_bytes, seen_.data() + i * page_bytes,
                        page_bytes);
        }
        // A lock copied while held is held for ever: the copy's locks are the first picture's.
        for (std::uint32_t i = 0; i < on_.where().geometry().slot_count; ++i) {
            auto& life = on_.where().slot(i).life;
            const auto at = on_.where().offset_of(&life);
            std::memcpy(&life, on_.first().data() + at, sizeof life);
        }
        sweep(on_.where());
        ++counts.repairs;
        const auto fault = on_.judge(counts.repairs % 16 == 0);
        if (!fault.empty()) {
            faults_->push_back(std::string(on_.what().name) + ", round " +
                               std::to_string(on_.round()) + ", instruction " +
                               std::to_string(counts.steps) + ": " + fault);
        }
        // The next look needs the tail as it was.
        on_.begin_again();
    }

    void nothing_else_changed() {
        const auto& first = on_.first();
        std::unordered_set<std::uint64_t> hot(hot_.begin(), hot_.end());
        if (on_.what().intruded) {
            const auto stripe = stripe_of(on_.in().accounts, *on_.what().intruded);
            hot.insert(on_.where().offset_of(&on_.where().stripe(stripe)) / page_bytes);
        }
        for (std::uint64_t page = 0; page * page_bytes < first.size(); ++page) {
            const bool same = std::memcmp(memory_.data() + page * page_bytes,
                                          first.data() + page * page_bytes, page_bytes) == 0;
            if (!same && !hot.contains(page)) {
                faults_->push_back(std::string(on_.what().name) +
                                   ": stores where nobody looked, page " + std::to_string(page));
            }
        }
    }

    stage& on_;
    std::span<std::byte> memory_;
    std::uint64_t each_;
    std::vector<std::uint64_t> hot_;
    std::vector<std::byte> seen_;
    std::unordered_set<std::uint64_t> images_;
    std::vector<std::string>* faults_ = nullptr;
    bool intruded_ = false;
};

/// Left to torture: a new table reads all schemas, 800 k instructions; the others copy or free
/// chunks as their like do.
bool takes_long(const primitive& what) {
    return what.name.starts_with("making a") || what.name == "blob replace" ||
           what.name == "step after a gone stager";
}

BOOST_AUTO_TEST_CASE(whoever_stops_at_any_instruction_the_state_is_the_one_before_or_after) {
    shared_bytes memory(crash_options().capacity_bytes);
    const unsigned rounds = is_torture() ? 3 : 1;
    const std::uint64_t each = is_torture() ? 1 : 8;  // Every how-manieth image is judged.
    step_counts all;
    std::vector<std::string> faults;
    for (unsigned round = 0; round < rounds; ++round) {
        for (const auto& what : primitives()) {
            // Thousands of instructions of the heap and the clock, and nothing new in the region.
            if (what.name == "inserts of a session" || what.prepare == fill_region) continue;
            if (!is_torture() && takes_long(what)) continue;
            shared_bytes judged(crash_options().capacity_bytes);
            stage on(judged, what, round);
            on.learn_the_end([&] {
                BOOST_REQUIRE(in_child(on, [&](region& where) {
                                  perform_plain(on, where, [] {});
                              }) == ending::finished);
            });
            std::memset(memory.span().data(), 0, memory.span().size());
            stepper steps(on, memory.span(), each);
            const auto before = faults.size();
            steps.walk(faults);
            std::printf("%-36.*s %6lu steps  %5lu images  %5lu repairs  %zu faults\n",
                        static_cast<int>(what.name.size()), what.name.data(), steps.counts.steps,
                        steps.counts.images, steps.counts.repairs, faults.size() - before);
            all.steps += steps.counts.steps;
            all.images += steps.counts.images;
            all.repairs += steps.counts.repairs;
        }
    }
    std::printf("%u rounds: %lu steps, %lu images, %lu repairs, %zu faults\n", rounds, all.steps,
                all.images, all.repairs, faults.size());
    for (std::size_t i = 0; i < faults.size() && i < 20; ++i) BOOST_ERROR(faults[i]);
    BOOST_TEST(faults.empty());
    BOOST_TEST(all.images > 1500U);
    BOOST_TEST(all.repairs * each + primitives().size() * each > all.images);
}

}  // namespace

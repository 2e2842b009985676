// SPDX-License-Identifier: Apache-2.0
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <perdure/tests/crash/capture_judge.hpp>
#include <perdure/tests/crash/stage.hpp>
#include <stdexcept>

namespace perdure::tests {

using namespace perdure::shm;

namespace {

// All of a region, shadow pages included, and little enough to be copied often.
constexpr std::uint64_t stage_bytes = 5U << 20;

region fresh(shared_bytes& memory) {
    auto bytes = memory.span().first(stage_bytes);
    std::memset(bytes.data(), 0, bytes.size());
    return region::over(bytes, crash_options());
}

}  // namespace

stage::stage(shared_bytes& memory, const primitive& what, unsigned round)
    : memory_(&memory),
      what_(&what),
      round_(round),
      where_(fresh(memory)),
      in_(make_ready(where_, what, round)),
      position_(where_.header().producer.tail),
      image_(image_of(where_)),
      first_(take()) {
    // What the dead of the scenery leave is not the state before: their repair is.
    sweep(where_);
    image_ = image_of(where_);
    ends_.insert(digest_of(where_));
    if (const auto fault = judge(false); !fault.empty()) {
        throw std::runtime_error(std::string(what.name) + ", made ready: " + fault);
    }
    begin_again();
}

std::span<std::byte> stage::bytes() const noexcept { return memory_->span().first(stage_bytes); }

stage::picture stage::take() const { return {where_.start(), where_.start() + stage_bytes}; }

void stage::put_back(const picture& from) {
    for (std::uint64_t at = 0; at < stage_bytes; at += page_bytes) {
        if (std::memcmp(where_.start() + at, from.data() + at, page_bytes) != 0) {
            std::memcpy(where_.start() + at, from.data() + at, page_bytes);
        }
    }
}

void stage::learn_the_end(const std::function<void()>& run) {
    run();
    sweep(where_);
    ends_.insert(digest_of(where_));
    if (const auto fault = judge(); !fault.empty()) {
        throw std::runtime_error(std::string(what_->name) + ", undisturbed: " + fault);
    }
    begin_again();
}

std::string stage::compare_with_journal(row_image& image) {
    const auto walk = walk_ring(where_, position_);
    if (!walk.fault.empty()) return walk.fault;
    image = image_;
    for (const auto& record : walk.records) {
        if (auto fault = replay(image, record); !fault.empty()) return fault;
    }
    return difference(image, image_of(where_));
}

std::string stage::go_on(row_image& image) {
    std::vector<record_bytes> away;
    if (auto fault = drain_ring(where_, away); !fault.empty()) return "drain: " + fault;
    if (load(where_.header().head.value) != load(where_.header().producer.tail)) {
        return "the drain does not reach the tail";
    }
    {
        auto self = session::join(where_, nullptr);
        if (!self) return "nobody can join";
        const auto paid = self->write(
            [&](transaction& tx) -> result<> {
                PERDURE_TRY(take_row(tx, in_.wide));
                return move(tx, in_, 1, 2, 5);
            },
            deadline::in(std::chrono::seconds(5)));
        if (!paid) return "the next commit: " + std::string(name(paid.error()));
    }
    std::vector<record_bytes> more;
    if (auto fault = drain_ring(where_, more); !fault.empty()) return "drain: " + fault;
    for (const auto& record : more) {
        if (auto fault = replay(image, record); !fault.empty()) return "then " + fault;
    }
    if (auto fault = difference(image, image_of(where_)); !fault.empty()) return "then " + fault;
    const auto faults = audit(where_);
    return faults.empty() ? std::string() : "then " + faults.front();
}

std::string stage::judge(bool goes_on) {
    if (const auto faults = audit(where_); !faults.empty()) return faults.front();
    row_image image;
    if (auto fault = compare_with_journal(image); !fault.empty()) return fault;
    if (auto fault = judge_capture(where_, first_, what_->captures); !fault.empty()) return fault;
    if (what_->whole && !ends_.contains(digest_of(where_))) {
        return "the state is neither the one before nor the one after";
    }
    return goes_on ? go_on(image) : std::string();
}

void be_a_child() {
    for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM, SIGTRAP}) {
        ::signal(signal, SIG_DFL);
    }
    ::alarm(60);
}

ending in_child(const std::function<bool()>& work) {
    const pid_t child = ::fork();
    if (child == 0) {
        be_a_child();
        try {
            ::_exit(work() ? 0 : 4);
        } catch (...) {
            ::_exit(3);
        }
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return ending::finished;
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? ending::died : ending::failed;
}

ending in_child(stage& on, const std::function<void(region&)>& work) {
    return in_child([&] {
        auto where = region::view(on.bytes());
        work(where);
        return true;
    });
}

}  // namespace perdure::tests

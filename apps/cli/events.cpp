// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/cli/history.hpp>

#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>

#include <fmt/format.h>
#include <perdure/apps/cli/configuration.hpp>
#include <perdure/apps/cli/console.hpp>
#include <perdure/apps/cli/event_text.hpp>
#include <perdure/apps/cli/journal_begin.hpp>

namespace perdure::apps {
namespace {

namespace json = boost::json;

constexpr std::size_t output_bytes = 64 << 10;
constexpr std::chrono::milliseconds wait_slice{100};

std::atomic<bool> is_stopped{false};
static_assert(std::atomic<bool>::is_always_lock_free);  // Or a signal must not touch it.

void stop_at(int) { is_stopped.store(true, std::memory_order_relaxed); }

void catch_stop_signals() {
    struct sigaction action {};
    action.sa_handler = stop_at;
    ::sigemptyset(&action.sa_mask);
    ::sigaction(SIGTERM, &action, nullptr);
    ::sigaction(SIGINT, &action, nullptr);
    // Whoever reads us may go first: that ends us, and is no failure.
    action.sa_handler = SIG_IGN;
    ::sigaction(SIGPIPE, &action, nullptr);
}

/// Standard output in large pieces.
class output {
  public:
    void line(const std::string& text) {
        waiting_ += text;
        waiting_ += '\n';
        if (waiting_.size() >= output_bytes) flush();
    }
    void flush() {
        std::string_view rest = waiting_;
        while (!rest.empty() && is_open_) {
            const auto written = ::write(STDOUT_FILENO, rest.data(), rest.size());
            if (written < 0 && errno == EINTR) continue;
            if (written < 0) is_open_ = false;
            if (written > 0) rest.remove_prefix(static_cast<std::size_t>(written));
        }
        waiting_.clear();
    }
    /// Also while there is nothing to write: a follower may have to wait long for its next event.
    [[nodiscard]] bool is_open() const noexcept {
        pollfd listener{STDOUT_FILENO, 0, 0};
        return is_open_ && (::poll(&listener, 1, 0) <= 0 || (listener.revents & POLLERR) == 0);
    }

  private:
    std::string waiting_;
    bool is_open_ = true;
};

event_filter filter_of(const events_order& order, const event_catalogue& catalogue) {
    event_filter made;
    for (const std::string& name : order.events) {
        made.only.push_back(type_named(catalogue.all(), name));
    }
    if (!order.account.empty()) made.account = account_named(order.account);
    if (!order.asset.empty()) made.asset = asset_id::of(order.asset);
    return made;
}

class printer {
  public:
    printer(const events_order& order, const world& in)
        : order_(order), in_(in), wanted_(filter_of(order, in.events())), text_(in) {}

    /// False: nothing more is wanted.
    bool take(const shm::record_batch& batch, std::uint64_t last_lsn) {
        shm::record_walk walk(batch.records);
        shm::record_view record;
        while (walk.next(record).value()) {
            if (record.lsn() > last_lsn) return false;
            for (const auto event : record.events()) {
                if (!wanted_.passes(in_.events(), event)) continue;
                print_one(record, event);
                if (++printed_ == order_.limit) return false;
            }
        }
        out_.flush();
        return out_.is_open();
    }
    void flush() { out_.flush(); }

  private:
    void print_one(const shm::record_view& record, const shm::event_view& event) {
        const std::uint64_t wall = record.transaction().wall_ns;
        if (order_.where.json) {
            out_.line(json::serialize(json::object{{"lsn", record.lsn()},
                                                   {"time", time_text(wall)},
                                                   {"type", text_.name(event)},
                                                   {"fields", text_.fields(event)}}));
            return;
        }
        out_.line(fmt::format("{:>10}  {}  {:<14}  {}", record.lsn(), time_text(wall),
                              text_.name(event), text_.line(event)));
    }

    const events_order& order_;
    const world& in_;
    event_filter wanted_;
    event_text text_;
    output out_;
    std::uint64_t printed_ = 0;
};

/// To the first record that is kept, and says so to people. False: that is not what was wrong.
bool skip_to_kept(subscription& from, const world& in, bool json, errc reason) {
    const auto begin = begin_if_gone(in, reason);
    if (!begin || *begin <= from.next_lsn()) return false;
    from.seek(*begin);
    if (!json) tell(fmt::format("from LSN {}: what was before is not kept", grouped(*begin)));
    return true;
}

[[noreturn]] void refuse(const subscription& from, const world& in, errc reason) {
    const auto begin = begin_if_gone(in, reason);
    if (begin && *begin > from.next_lsn()) {
        throw failure(errc::history_gone,
                      fmt::format("world {}: LSN {} is not kept, the first that is: LSN {}",
                                  in.directory(), from.next_lsn(), *begin),
                      fmt::format("begin with --from {}", *begin));
    }
    std::string cause = "LSN " + std::to_string(from.next_lsn());
    if (const auto& found = from.found(); found) {
        cause = found->file + " at byte " + std::to_string(found->offset) + ": " + found->cause;
    }
    throw failure(reason, "world " + in.directory() + ": " + cause, std::string(remedy(reason)));
}

}  // namespace

int events(const events_order& order) {
    catch_stop_signals();
    const world in = open_reader(order.where);
    const auto level = order.applied ? durability::applied : durability::durable;
    const condition now = in.status();
    const std::uint64_t last = order.applied ? now.last_lsn : now.durable_lsn;
    auto from = in.follow(order.from == 0 && order.follow ? last + 1 : order.from, level);
    printer out(order, in);
    const std::uint64_t end = order.follow ? ~0ULL : last;
    bool may_skip = order.from == 0 && !order.follow;  // Until something has been read.
    while (!is_stopped.load(std::memory_order_relaxed) && from.next_lsn() <= end) {
        const auto batch = from.next();
        if (!batch && may_skip && skip_to_kept(from, in, order.where.json, batch.error())) continue;
        if (!batch) refuse(from, in, batch.error());
        may_skip = false;
        if (!out.take(*batch, end)) break;
        if (!batch->is_empty()) continue;
        if (!order.follow) break;
        from.wait(shm::deadline::in(wait_slice));
    }
    out.flush();
    if (!order.follow && last < now.last_lsn && is_terminal(STDERR_FILENO)) {
        tell(fmt::format("{} later commits are not durable yet; --applied shows them",
                         grouped(now.last_lsn - last)));
    }
    return exit_done;
}

}  // namespace perdure::apps

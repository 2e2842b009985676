// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/import/supervision.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include <fmt/format.h>
#include <perdure/apps/cli/console.hpp>
#include <perdure/apps/import/options.hpp>
#include <perdure/apps/import/outcome.hpp>

namespace perdure::apps {
namespace {

using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;

/// A bar at a terminal, plain lines elsewhere; on standard error.
class progress {
  public:
    progress(std::uint64_t lines, std::uint64_t step)
        : lines_(lines), step_(step), at_terminal_(is_terminal(STDERR_FILENO)) {}

    void show(std::uint64_t done) {
        const auto now = clock::now();
        if (at_terminal_) {
            if (now - last_ < milliseconds(100)) return;
            draw(done);
        } else if (step_ != 0 ? done < next_ : now - last_ < std::chrono::seconds(1)) {
            return;
        } else {
            tell(fmt::format("{} of {} lines", done, lines_));
        }
        last_ = now;
        next_ = step_ == 0 ? 0 : (done / step_ + 1) * step_;
    }

    void end() const {
        if (at_terminal_ && ::write(STDERR_FILENO, "\r\x1b[K", 4) < 0) return;
    }

  private:
    void draw(std::uint64_t done) const {
        constexpr std::size_t width = 40;
        const std::size_t full =
            lines_ == 0 ? width : static_cast<std::size_t>(width * done / lines_);
        const std::string bar = fmt::format("\r[{:#<{}}{:.<{}}] {} of {} lines\x1b[K", "", full, "",
                                            width - full, grouped(done), grouped(lines_));
        if (::write(STDERR_FILENO, bar.data(), bar.size()) < 0) return;
    }

    std::uint64_t lines_;
    std::uint64_t step_;
    bool at_terminal_;
    clock::time_point last_ = clock::now();
    std::uint64_t next_ = 0;
};

/// A worker ended before its lines were applied.
[[noreturn]] void refuse_end(const import_order& order, std::size_t place,
                             const import_row::refusal& stopped, int status) {
    const std::string again =
        " Then give the same command again: it goes on, and applies no line twice";
    if (stopped.line != 0) {
        const auto reason = static_cast<errc>(stopped.reason);
        if (std::ranges::find(refusal_reasons, reason) != refusal_reasons.end()) {
            throw failure(reason, fmt::format("{}: line {} is refused", order.file, stopped.line),
                          std::string(remedy(reason)) + " " + std::string(what_to_do_at_a_stop));
        }
        throw failure(reason, fmt::format("{}: stopped at line {}", order.file, stopped.line),
                      std::string(remedy(reason)) + again);
    }
    const bool was_killed = WIFSIGNALED(status);
    throw failure(errc::not_attached,
                  fmt::format("import worker {}: it {} {}", place,
                              was_killed ? "was ended by signal" : "gave up, exit code",
                              was_killed ? WTERMSIG(status) : WEXITSTATUS(status)),
                  "Look for the reason above, or at who killed it." + again);
}

}  // namespace

std::vector<child> start_workers(part_order told, const shared_page& page) {
    std::vector<child> made;
    for (told.place = 0; told.place < told.of; ++told.place) {
        const std::array given{passed_descriptor{page.descriptor(), import_descriptor}};
        made.push_back(child::start(part_words(told), given));
    }
    return made;
}

void supervise(const import_order& order, std::uint64_t lines, std::vector<child>& workers,
               const import_page& page) {
    progress bar(lines, order.progress_lines);
    for (std::size_t alive = workers.size(); alive > 0;) {
        std::this_thread::sleep_for(milliseconds(1));
        bar.show(import_totals::of(page).done);
        for (std::size_t place = 0; place < workers.size(); ++place) {
            if (workers[place].pid() == 0) continue;
            const auto status = workers[place].poll();
            if (!status) continue;
            --alive;
            if (WIFEXITED(*status) && WEXITSTATUS(*status) == exit_done) continue;
            bar.end();
            refuse_end(order, place, page.rows[place].stopped, *status);
        }
    }
    bar.end();
}

}  // namespace perdure::apps

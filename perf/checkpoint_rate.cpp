// SPDX-License-Identifier: Apache-2.0
//
// What a checkpoint costs where nobody else is at work: a full one of 1 M accounts, and one of a
// hundredth of the pages. Both by the keeper, on request. An operation is a byte of rows; the
// latency is the time from the cut until file and name are durable.
#include "bazaar.hpp"
#include "report.hpp"

namespace perdure::perf {
namespace {

/// A payment inside each hundredth page that holds rows; neighbours were opened together and lie in
/// one page.
std::uint64_t touch_some(bazaar& in) {
    const std::uint64_t wanted = shm::pages_with_rows(in.in().region()) / 100;
    const std::uint64_t apart = account_count / wanted / 64 * 64;  // 64 rows fill a page.
    for (std::uint64_t i = 0; i < wanted; ++i) {
        const auto paid = in.by().write([&](tx& by) {
            return in.in().books().transfer(by, bazaar::account(i * apart),
                                            bazaar::account(i * apart + 1), in.gold(), 1);
        });
        must(paid, "pay");
    }
    in.wait_durable();
    return in.in().status().dirty_bytes / shm::page_bytes;
}

class ways {
  public:
    ways(std::string work) : line_({std::move(work), "perdure", durability_level::durable, 1}) {}

    void add(const saved_copy& made) {
        measurement run;
        run.latency.add(made.ended_ns - made.begun_ns);
        run.operations_per_second =
            static_cast<double>(made.row_bytes) * 1e9 / static_cast<double>(run.latency.sum());
        line_.add(run);
        milliseconds_.push_back(static_cast<double>(run.latency.sum()) / 1e6);
        last_ = made;
    }

    void print(const options& asked, double dirty_pages) {
        line_.note("copy_ms", median(milliseconds_));
        line_.note("capture_ms", static_cast<double>(last_.captured_ns - last_.begun_ns) / 1e6);
        line_.note("rows", static_cast<double>(last_.rows));
        line_.note("row_bytes", static_cast<double>(last_.row_bytes));
        line_.note("file_bytes", static_cast<double>(last_.file_bytes));
        line_.note("pages", static_cast<double>(last_.pages));
        line_.note("dirty_pages", dirty_pages);
        if (asked.wants_work(line_.title().work)) line_.print(asked.suite);
    }

  private:
    series line_;
    std::vector<double> milliseconds_;
    saved_copy last_{};
};

void run(const options& asked) {
    if (asked.engines_among({"perdure"}).empty()) return;
    checkpoint_diary diary;
    world_options how;
    how.checkpoint_taken = [&](const io::checkpoint_news& news) { diary.note(news); };
    bazaar in(asked, account_count, how);
    in.wait_durable();
    ways full("checkpoint-rate");
    ways increment("checkpoint-increment");
    double touched = 0;
    std::size_t taken = 0;
    const auto take = [&](bool whole) {
        if (!in.in().checkpoint(whole)) throw engine_failure("nothing was touched");
        return diary.await(++taken);
    };
    for (int turn = 0; turn < (asked.quick ? 3 : 10); ++turn) {
        touched = static_cast<double>(touch_some(in));
        if (turn > 0) {
            increment.add(take(false));
            touch_some(in);
        }
        full.add(take(true));
        stop_if_asked();
    }
    full.print(asked, touched);
    increment.print(asked, touched);
}

}  // namespace
}  // namespace perdure::perf

int main(int argc, char** argv) { return perdure::perf::program(argc, argv, perdure::perf::run); }

// SPDX-License-Identifier: Apache-2.0
//
// What a snapshot of all tables of 1 M accounts costs where nobody else is at work, and beside a
// writer at full speed, and what the writer keeps of his speed. An operation is a byte of rows; the
// latency is the time from the call until all rows are of one moment.
#include "bazaar.hpp"
#include "report.hpp"

namespace perdure::perf {
namespace {

std::uint64_t bytes_of(const io::snapshot& seen) {
    std::uint64_t sum = 0;
    for (const auto& each : seen.content().tables) sum += each.rows.size();
    return sum;
}

/// Pays until it is stopped.
class payer {
  public:
    explicit payer(bazaar& in) : in_(in), thread_([this] { pay(); }) {}
    payer(const payer&) = delete;
    payer& operator=(const payer&) = delete;
    ~payer() {
        stop_.store(true, std::memory_order_relaxed);
        thread_.join();
    }
    [[nodiscard]] std::uint64_t paid() const { return paid_.load(std::memory_order_relaxed); }

  private:
    void pay() {
        auto by = in_.in().join();
        payment_source from(draw::uniform, account_count, 1);
        while (!stop_.load(std::memory_order_relaxed)) {
            const payment what = from.next();
            const auto done = by.write(
                [&](tx& now) {
                    return in_.in().books().transfer(now, bazaar::account(what.source),
                                                     bazaar::account(what.target), in_.gold(),
                                                     what.amount);
                },
                shm::deadline::never());
            if (done) paid_.fetch_add(1, std::memory_order_relaxed);
        }
    }

    bazaar& in_;
    std::atomic<bool> stop_{false};
    std::atomic<std::uint64_t> paid_{0};
    std::thread thread_;
};

/// What the payer does a second while `beside` runs.
template <class Beside>
double pace(const payer& by, Beside&& beside) {
    const std::uint64_t before = by.paid();
    const std::uint64_t begun = nanoseconds_now();
    beside();
    return static_cast<double>(by.paid() - before) * 1e9 /
           static_cast<double>(nanoseconds_now() - begun);
}

class shots {
  public:
    explicit shots(std::string work)
        : line_({std::move(work), "perdure", durability_level::applied, 1}) {}

    void take(const world& from) {
        const std::uint64_t begun = nanoseconds_now();
        const auto seen = from.snapshot();
        measurement run;
        run.latency.add(nanoseconds_now() - begun);
        bytes_ = bytes_of(seen);
        replayed_ = seen.replayed();
        run.operations_per_second =
            static_cast<double>(bytes_) * 1e9 / static_cast<double>(run.latency.sum());
        line_.add(run);
        milliseconds_.push_back(static_cast<double>(run.latency.sum()) / 1e6);
    }
    series& line() { return line_; }
    void print(const options& asked) {
        line_.note("snapshot_ms", median(milliseconds_));
        line_.note("row_bytes", static_cast<double>(bytes_));
        line_.note("replayed", static_cast<double>(replayed_));
        if (asked.wants_work(line_.title().work)) line_.print(asked.suite);
    }

  private:
    series line_;
    std::vector<double> milliseconds_;
    std::uint64_t bytes_ = 0;
    std::uint64_t replayed_ = 0;
};

void run(const options& asked) {
    if (asked.engines_among({"perdure"}).empty()) return;
    bazaar in(asked, account_count);
    in.wait_durable();
    const int turns = asked.quick ? 3 : 10;
    shots idle("snapshot-idle");
    for (int i = 0; i < turns; ++i) idle.take(in.in());
    shots busy("snapshot-beside-writer");
    {
        const payer by(in);
        std::vector<double> alone;
        std::vector<double> beside;
        for (int i = 0; i < turns; ++i) {
            alone.push_back(
                pace(by, [] { std::this_thread::sleep_for(std::chrono::milliseconds(500)); }));
            beside.push_back(pace(by, [&] { busy.take(in.in()); }));
            stop_if_asked();
        }
        busy.line().note("writer_alone_per_s", median(alone));
        busy.line().note("writer_beside_per_s", median(beside));
    }
    idle.print(asked);
    busy.print(asked);
}

}  // namespace
}  // namespace perdure::perf

int main(int argc, char** argv) { return perdure::perf::program(argc, argv, perdure::perf::run); }

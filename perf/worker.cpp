// SPDX-License-Identifier: Apache-2.0
//
// The worker's side of harness.hpp.
#include "harness.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace perdure::perf {
namespace {

/// Prime, so that work done every so many operations (trimming, wrapping) does not hide between
/// the samples.
constexpr std::uint64_t sample_stride = 61;

/// Payments a worker knows beforehand; only engines that look ahead care.
constexpr std::size_t queue_length = 8;

class worker {
  public:
    worker(control_page& page, std::size_t place)
        : page_(page), mine_(page.workers[place]), store_(make_engine(page.plan.engine)) {}

    void run() {
        const worker_order& order = mine_.order;
        if (order.what == task::attach || order.what == task::recover) return attach();
        store_->open(page_.plan);
        if (order.what == task::hold) return hold();
        store_->warm();
        payment_source source(order.how, page_.plan.accounts, order.number);
        if (order.what == task::take_over) return take_over();
        std::thread saving;
        if (order.saves != 0) saving = std::thread([this] { keep_saving(); });
        const joining ends{saving};
        report_ready();
        while (now() == phase::waiting) doze();
        switch (order.what) {
            case task::pay: return pay(source);
            case task::read:
                return repeat([&] {
                    sink_ = store_->read(source.next_account()).balance;
                    return true;
                });
            case task::pay_durably: return pay_durably(source);
            case task::pay_then_hold: return pay_then_hold(source);
            default: throw engine_failure("a worker without a task");
        }
    }

  private:
    /// Copies end with the phase: whoever waits here needs no word.
    struct joining {
        std::thread& who;
        ~joining() {
            if (who.joinable()) who.join();
        }
    };

    void keep_saving() noexcept {
        copies_page& into = mine_.saved;
        try {
            while (now() != phase::measuring && now() != phase::ended) doze();
            for (std::uint64_t i = 0; now() == phase::measuring && i < into.copies_max; ++i) {
                into.copies[i] = store_->save();
                into.count.store(i + 1, std::memory_order_release);
            }
        } catch (const std::exception& error) {
            std::snprintf(into.failure, sizeof into.failure, "%s", error.what());
        }
    }

    phase now() const noexcept {
        return static_cast<phase>(page_.now.load(std::memory_order_acquire));
    }

    static void doze() noexcept {
        const timespec little{0, 50'000};
        nanosleep(&little, nullptr);
    }

    void report_ready() noexcept { mine_.ready.store(1, std::memory_order_release); }

    void count(std::uint64_t operations) noexcept {
        mine_.operations.fetch_add(operations, std::memory_order_relaxed);
    }

    /// The same work for every engine: a queue of payments, each announced when it enters.
    void pay(payment_source& source) {
        std::array<payment, queue_length> queue;
        for (payment& each : queue) each = source.next();
        std::size_t next = 0;
        repeat([&] {
            const payment due = queue[next];
            queue[next] = source.next();
            store_->expect(queue[next]);
            next = (next + 1) % queue_length;
            return store_->pay(due);
        });
    }

    template <class Operation>
    void timed(Operation&& operation) {
        const bool measured = now() == phase::measuring;
        if (measured && !was_measured_) {
            mine_.latency = histogram{};
            mine_.went = pace{};
        }
        was_measured_ = measured;
        const std::uint64_t started = nanoseconds_now();
        operation();
        if (measured) mine_.latency.add(nanoseconds_now() - started);
    }

    template <class Operation>
    void repeat(Operation operation) {
        while (now() != phase::ended) stride(operation);
    }

    /// Ends at a refusal; the stretch goes on until something is done again, so that it is as long
    /// as nothing was.
    template <class Operation>
    void stride(Operation& operation) {
        std::uint64_t done = 0;
        bool goes = true;
        const std::uint64_t begun = nanoseconds_now();
        const auto once = [&] {
            goes = operation();
            done += goes ? 1U : 0U;
        };
        timed(once);
        for (std::uint64_t i = 1; goes && i < sample_stride; ++i) once();
        if (!goes) mine_.refused.fetch_add(1, std::memory_order_relaxed);
        if (stretch_from_ == 0) stretch_from_ = begun;
        if (done == 0) return;
        if (was_measured_) mine_.went.add(stretch_from_, nanoseconds_now(), done);
        stretch_from_ = 0;
        count(done);
    }

    void pay_durably(payment_source& source) {
        std::vector<payment> batch(mine_.order.batch);
        while (now() != phase::ended) {
            for (payment& one : batch) one = source.next();
            timed([&] { store_->pay_durably(batch); });
            count(batch.size());
        }
    }

    void pay_then_hold(payment_source& source) {
        auto operation = [&] { return store_->pay(source.next()); };
        while (mine_.wanted.load(std::memory_order_acquire) == 0) {
            if (now() == phase::ended) return;
            stride(operation);
        }
        store_->hold(source.next_account(), [&] {
            mine_.holding.store(1, std::memory_order_release);
            while (now() != phase::ended) doze();
        });
    }

    void hold() {
        store_->hold(0, [&] {
            report_ready();
            mine_.holding.store(1, std::memory_order_release);
            while (now() != phase::ended) doze();
        });
    }

    void take_over() {
        (void)store_->pay({0, 1, 1});
        report_ready();
        for (std::uint32_t round = 1;; ++round) {
            while (page_.round.load(std::memory_order_acquire) < round) {
                if (now() == phase::ended) return;
                doze();
            }
            const pid_t victim = page_.victim.load(std::memory_order_relaxed);
            const std::uint64_t started = nanoseconds_now();
            kill(victim, SIGKILL);
            while (!store_->pay({0, 1, 1})) continue;
            mine_.latency.add(nanoseconds_now() - started);
            count(1);
        }
    }

    void attach() {
        const std::uint64_t started = nanoseconds_now();
        store_->open(page_.plan);
        if (mine_.order.what == task::recover) (void)store_->pay({0, 1, 1});
        mine_.latency.add(nanoseconds_now() - started);
        mine_.opened = store_->opened();
        mine_.opened.peak_bytes += peak_bytes(getpid());  // A server of its own counts.
        if (store_->read(0).balance <= 0) throw engine_failure("account 0 is not there");
        count(1);
        report_ready();
    }

    control_page& page_;
    worker_page& mine_;
    std::unique_ptr<engine> store_;
    bool was_measured_ = false;
    std::uint64_t stretch_from_ = 0;  // 0: none is open.
    volatile std::int64_t sink_ = 0;
};

}  // namespace

std::uint64_t peak_bytes(pid_t process) {
    std::ifstream status("/proc/" + std::to_string(process) + "/status");
    for (std::string word; status >> word;) {
        std::uint64_t kilobytes = 0;
        if (word == "VmHWM:" && status >> kilobytes) return kilobytes * 1024;
    }
    return 0;
}

int worker_main(int argc, char** argv) {
    if (argc != 4) return 2;
    const int file = std::atoi(argv[2]);
    const auto place = static_cast<std::size_t>(std::atoi(argv[3]));
    void* const at =
        mmap(nullptr, sizeof(control_page), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (at == MAP_FAILED || place >= control_page::workers_max) return 2;
    close(file);
    auto& page = *static_cast<control_page*>(at);
    try {
        worker(page, place).run();
        return 0;
    } catch (const std::exception& error) {
        std::snprintf(page.workers[place].failure, sizeof(worker_page::failure), "%s",
                      error.what());
        return 1;
    }
}

}  // namespace perdure::perf

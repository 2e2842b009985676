// SPDX-License-Identifier: Apache-2.0
//
// How fast a subscriber reads events that are there: transfers, out of the ring while they stand in
// it, out of the journal's files afterwards. An operation is an event whose type and amount were
// looked at. Nobody writes meanwhile.
#include "bazaar.hpp"
#include "report.hpp"

#include <perdure/shm/record_view.hpp>

namespace perdure::perf {
namespace {

constexpr std::uint64_t accounts = 100'000;
constexpr std::uint64_t events_in_ring = 100'000;  // Below three quarters of a ring of 32 MiB.
constexpr std::uint64_t events_in_files = 1'000'000;

/// Pays and answers the LSN before the first payment.
std::uint64_t pay(bazaar& in, std::uint64_t count) {
    payment_source from(draw::uniform, accounts, 1);
    const std::uint64_t before = in.in().status().last_lsn;
    for (std::uint64_t i = 0; i < count; ++i) {
        const payment what = from.next();
        must(in.by().write(
                 [&](tx& by) {
                     return in.in().books().transfer(by, bazaar::account(what.source),
                                                     bazaar::account(what.target), in.gold(),
                                                     what.amount);
                 },
                 shm::deadline::never()),
             "pay");
        if (i % 4096 == 0) stop_if_asked();
    }
    in.wait_durable();
    return before;
}

struct reading {
    std::uint64_t events = 0;
    std::int64_t sum = 0;
    std::uint64_t from_ring = 0;
    std::uint64_t spent_ns = 0;
};

reading read_from(bazaar& in, std::uint64_t lsn, std::uint64_t last) {
    reading made;
    auto from = in.in().follow(lsn, durability::durable);
    const std::uint64_t begun = nanoseconds_now();
    while (from.next_lsn() <= last) {
        const auto batch = from.next();
        must(batch, "read a batch");
        shm::record_walk walk(batch->records);
        shm::record_view record;
        for (auto more = walk.next(record); more && *more; more = walk.next(record)) {
            for (const auto event : record.events()) {
                if (event.type != static_cast<std::uint16_t>(event_type::transferred)) continue;
                const auto told = event.as<transferred_v1>();
                must(told, "read an event");
                made.sum += told->amount;
                ++made.events;
            }
        }
    }
    made.spent_ns = nanoseconds_now() - begun;
    made.from_ring = from.from_ring();
    return made;
}

void measure_source(bazaar& in, const options& asked, const char* work, std::uint64_t count) {
    const std::uint64_t before = pay(in, count);
    const std::uint64_t last = in.in().status().last_lsn;
    const bool is_ring = std::string_view(work) == "subscribe-ring";
    series found({work, "perdure", durability_level::durable, 1});
    const int turns = is_ring ? 20 : 1;
    std::int64_t sum = 0;
    for (int turn = 0; turn < asked.runs(); ++turn) {
        measurement made;
        std::uint64_t events = 0;
        for (int i = 0; i < turns; ++i) {
            // What was paid last stands in the ring, what came before is in the files alone.
            const auto seen = read_from(in, before + 1, last - (is_ring ? 0 : events_in_ring));
            if (seen.events == 0 || (sum != 0 && seen.sum != sum)) {
                throw engine_failure("subscription: other events than before");
            }
            if (is_ring != (seen.from_ring != 0)) {
                throw engine_failure("subscription: not from where they should come");
            }
            sum = seen.sum;
            events += seen.events;
            made.latency.add(seen.spent_ns);
        }
        made.operations_per_second =
            static_cast<double>(events) * 1e9 / static_cast<double>(made.latency.sum());
        found.add(made);
    }
    found.print(asked.suite);
}

void run(const options& asked) {
    bazaar in(asked, accounts);
    if (asked.wants_work("subscribe-ring")) {
        measure_source(in, asked, "subscribe-ring", events_in_ring);
    }
    if (asked.wants_work("subscribe-files")) {
        measure_source(in, asked, "subscribe-files", events_in_files + events_in_ring);
    }
}

}  // namespace
}  // namespace perdure::perf

int main(int argc, char** argv) { return perdure::perf::program(argc, argv, perdure::perf::run); }

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

reading read_from(subscription& from, std::uint64_t last) {
    reading made;
    const std::uint64_t ring_before = from.from_ring();
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
    made.from_ring = from.from_ring() - ring_before;
    return made;
}

void expect(bool holds, const char* what) {
    if (!holds) throw engine_failure(std::string("subscription: ") + what);
}

/// A subscriber that stands at the end reads what is paid meanwhile, all of it still in the ring.
measurement read_ring(bazaar& in) {
    measurement made;
    std::uint64_t events = 0;
    for (int turn = 0; turn < 10; ++turn) {
        auto from = in.in().follow(in.in().status().last_lsn + 1, durability::durable);
        expect(from.next()->is_empty(), "something is written meanwhile");
        pay(in, events_in_ring);
        const auto seen = read_from(from, in.in().status().last_lsn);
        expect(seen.events == events_in_ring, "other events than were paid");
        expect(seen.from_ring >= seen.events, "not out of the ring");
        events += seen.events;
        made.latency.add(seen.spent_ns);
        stop_if_asked();
    }
    made.operations_per_second =
        static_cast<double>(events) * 1e9 / static_cast<double>(made.latency.sum());
    return made;
}

/// A new subscriber begins long ago.
measurement read_files(bazaar& in, std::uint64_t before) {
    measurement made;
    auto from = in.in().follow(before + 1, durability::durable);
    const auto seen = read_from(from, before + events_in_files);
    expect(seen.from_ring == 0 && seen.events >= events_in_files, "not out of the files");
    made.latency.add(seen.spent_ns);
    made.operations_per_second =
        static_cast<double>(seen.events) * 1e9 / static_cast<double>(seen.spent_ns);
    return made;
}

void run(const options& asked) {
    bazaar in(asked, accounts);
    if (asked.wants_work("subscribe-ring")) {
        series found({"subscribe-ring", "perdure", durability_level::durable, 1});
        for (int turn = 0; turn < asked.runs(); ++turn) found.add(read_ring(in));
        found.print(asked.suite);
    }
    if (asked.wants_work("subscribe-files")) {
        // What is paid last stands in the ring, what came before in the files alone.
        const std::uint64_t before = pay(in, events_in_files + 2 * events_in_ring);
        series found({"subscribe-files", "perdure", durability_level::durable, 1});
        for (int turn = 0; turn < asked.runs(); ++turn) found.add(read_files(in, before));
        found.print(asked.suite);
    }
}

}  // namespace
}  // namespace perdure::perf

int main(int argc, char** argv) { return perdure::perf::program(argc, argv, perdure::perf::run); }

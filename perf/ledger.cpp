// SPDX-License-Identifier: Apache-2.0
//
// What the whole ledger costs over a thin one, in one process, 1 M accounts, one operation a
// transaction. Thin: two balance rows and an event of 56 bytes, the engine's conservation and
// nothing else. Whole: ledger::transfer with actor, reason and reference, frozen and sharded
// accounts noticed. Holds: hold a sum and capture it, two transactions an operation.
#include "bazaar.hpp"
#include "report.hpp"

#include <functional>

namespace perdure::perf {
namespace {

result<> transfer_thinly(tx& by, std::uint32_t balances, asset_id asset, const payment& what) {
    const auto source = bazaar::account(what.source);
    const auto target = bazaar::account(what.target);
    const std::array keys{perdure::key_of(source, asset), perdure::key_of(target, asset)};
    std::array<std::byte*, 2> copies{};
    PERDURE_TRY(shm::edit_keys(by, balances, keys, copies));
    auto* from = reinterpret_cast<balance_row*>(copies[0]);
    auto* to = reinterpret_cast<balance_row*>(copies[1]);
    if (from->available < what.amount) return errc::insufficient_funds;
    from->available -= what.amount;
    to->available = PERDURE_TRY(add(to->available, what.amount));
    const transferred_v1 told{
        {source.high, source.low}, {target.high, target.low}, what.amount, asset.value, 0, 0};
    by.event(static_cast<std::uint16_t>(event_type::transferred), 1,
             std::as_bytes(std::span(&told, 1)));
    return {};
}

using operation = std::function<result<receipt>(bazaar&, const payment&, std::uint64_t number)>;

measurement repeat(bazaar& in, const options& asked, const operation& work, std::uint32_t seed) {
    payment_source from(draw::uniform, account_count, seed);
    const auto spend = [&](double seconds, histogram& into) {
        const std::uint64_t end = nanoseconds_now() + static_cast<std::uint64_t>(seconds * 1e9);
        std::uint64_t done = 0;
        for (std::uint64_t now = nanoseconds_now(); now < end;) {
            // Every 61st operation is timed by itself, as the workers of other programs do.
            for (int i = 0; i < 60; ++i) must(work(in, from.next(), ++done), "operate");
            const std::uint64_t before = nanoseconds_now();
            must(work(in, from.next(), ++done), "operate");
            now = nanoseconds_now();
            into.add(now - before);
        }
        stop_if_asked();
        return done;
    };
    histogram ignored;
    spend(asked.short_duration().warm_seconds, ignored);
    measurement made;
    const std::uint64_t begun = nanoseconds_now();
    const std::uint64_t done = spend(asked.short_duration().seconds, made.latency);
    made.operations_per_second =
        static_cast<double>(done) * 1e9 / static_cast<double>(nanoseconds_now() - begun);
    return made;
}

void run(const options& asked) {
    bazaar in(asked, account_count);
    const auto actor = account_id::of("server");
    const auto thinly = [](bazaar& at, const payment& what, std::uint64_t) {
        return at.by().write([&](tx& by) {
            return transfer_thinly(by, at.in().books().numbers().balances, at.gold(), what);
        });
    };
    const auto wholly = [&](bazaar& at, const payment& what, std::uint64_t number) {
        return at.by().write([&](tx& by) {
            return at.in().books().transfer(by, bazaar::account(what.source),
                                            bazaar::account(what.target), at.gold(), what.amount,
                                            {7, number, actor});
        });
    };
    const auto holding = [&](bazaar& at, const payment& what,
                             std::uint64_t number) -> result<receipt> {
        const shm::row_key hold{scatter(number), number};
        PERDURE_TRY(at.by().write([&](tx& by) {
            return at.in().books().hold(by, hold, bazaar::account(what.source), at.gold(),
                                        what.amount, {7, number, actor});
        }));
        return at.by().write([&](tx& by) {
            return at.in().books().capture(by, hold, bazaar::account(what.target), {},
                                           {7, number, actor});
        });
    };
    struct contender {
        const char* work;
        operation does;
    };
    const std::array<contender, 3> all{
        {{"ledger-thin", thinly}, {"ledger-whole", wholly}, {"ledger-hold-capture", holding}}};
    std::vector<series> found;
    for (const auto& each : all) {
        found.push_back(series({each.work, "perdure", durability_level::applied, 1}));
    }
    for (int turn = 0; turn < asked.runs(); ++turn) {
        for (std::size_t i = 0; i < all.size(); ++i) {
            if (!asked.wants_work(all[i].work)) continue;
            found[i].add(repeat(in, asked, all[i].does, static_cast<std::uint32_t>(turn)),
                         in.journal());
        }
    }
    for (const series& one : found) one.print(asked.suite);
}

}  // namespace
}  // namespace perdure::perf

int main(int argc, char** argv) { return perdure::perf::program(argc, argv, perdure::perf::run); }

// SPDX-License-Identifier: Apache-2.0
//
// A million stakes paid by the yield plugin in a world that the installed `perdure serve` keeps:
// how long it takes, and how long anybody waits who pays into the same treasury meanwhile, which is
// at least as long as any of its transactions holds that row.
#include "report.hpp"
#include "served_world.hpp"

#include <algorithm>

namespace perdure::perf {
namespace {

constexpr const char* work = "stakes-paid";
constexpr std::uint64_t second = 1'000'000'000;
constexpr std::uint64_t stakes_together = 32;
constexpr amount principal = 1000;

programme_id open_programme(served_world& in) {
    programme_id made;
    must(in.by().write([&](tx& now) -> result<> {
        const account_id bank = account_id::of("bank");
        made = PERDURE_TRY(in.in().stakes().open_programme(now, "measured",
                                                           {.asset = asset_id::of("gold"),
                                                            .yield = {.apy_ppb = 1'000'000'000,
                                                                      .period_ns = 10 * second,
                                                                      .year_ns = 1000 * second},
                                                            .authority = account_id::of("treasury"),
                                                            .from = bank}));
        return {};
    }),
         "open a programme");
    return made;
}

void lay_stakes(served_world& in, programme_id programme, std::uint64_t count) {
    for (std::uint64_t first = 0; first < count; first += stakes_together) {
        must(in.by().write([&](tx& now) -> result<> {
            for (std::uint64_t i = first; i < std::min(first + stakes_together, count); ++i) {
                PERDURE_TRY(
                    in.in().stakes().stake(now, programme, account_numbered(i), 0, principal));
            }
            return {};
        }),
             "stake");
    }
}

amount distributed(served_world& in, programme_id programme) {
    const auto row =
        in.by().read([&](view& seen) { return in.in().stakes().programme(seen, programme); });
    return row ? row->distributed : 0;
}

/// Pays into the treasury until all is distributed; every payment's time.
histogram pay_beside(served_world& in, programme_id programme, amount expected) {
    histogram waits;
    const account_id payer = account_id::of("treasury");
    for (std::uint64_t turn = 0;; ++turn) {
        if (turn % 256 == 0 && distributed(in, programme) >= expected) return waits;
        const std::uint64_t from = nanoseconds_now();
        must(in.by().write([&](tx& now) {
            return in.in().books().transfer(now, payer, account_id::of("bank"),
                                            asset_id::of("gold"), 1);
        }),
             "pay beside");
        waits.add(nanoseconds_now() - from);
        rest(std::chrono::milliseconds(turn % 8 == 0 ? 1 : 0));
    }
}

void run(const options& asked) {
    if (!asked.wants_work(work)) return;
    const std::uint64_t count = asked.quick ? 100'000 : 1'000'000;
    served_world in(asked, {.accounts = count});
    must(in.by().write([&](tx& now) {
        const account_id treasury = account_id::of("treasury");
        return in.in().books().mint(now, treasury, treasury, asset_id::of("gold"), 1'000'000'000);
    }),
         "have something to pay with");
    const auto programme = open_programme(in);
    lay_stakes(in, programme, count);
    static_cast<void>(in.plugin({"load", "yield"}));
    in.await_hosts(1);

    series found({work, "perdure", durability_level::applied, 1});
    // 10 units a stake and period.
    const auto a_period = static_cast<amount>(count) * principal / 100;
    for (int turn = 1; turn <= asked.runs(); ++turn) {
        in.pass(std::chrono::seconds(10));
        const std::uint64_t from = nanoseconds_now();
        measurement one;
        one.latency = pay_beside(in, programme, turn * a_period);
        one.operations_per_second =
            static_cast<double>(count) * 1e9 / static_cast<double>(nanoseconds_now() - from);
        found.add(one);
    }
    found.note("stakes", static_cast<double>(count));
    found.print(asked.suite);
}

}  // namespace
}  // namespace perdure::perf

int main(int argc, char** argv) { return perdure::perf::program(argc, argv, perdure::perf::run); }

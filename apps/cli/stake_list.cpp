// SPDX-License-Identifier: Apache-2.0
//
// What programmes and stakes there are, and what is due to them.
#include <fmt/format.h>

#include <perdure/apps/cli/console.hpp>
#include <perdure/apps/cli/stake_place.hpp>

namespace perdure::apps {
namespace {

namespace json = boost::json;

std::string days_of(std::uint64_t span_ns) { return io::print_seconds(span_ns / 1'000'000'000); }

const char* method_of(const programme_row& row) {
    return row.method == static_cast<std::uint32_t>(yield_method::compound) ? "compound" : "simple";
}

bool is_closed(const programme_row& row) {
    return row.state == static_cast<std::uint32_t>(programme_state::closed);
}

json::object as_json(stake_place& place, const programme_row& row) {
    return {{"programme", name_of(row)},
            {"asset", place.names.asset(row.asset).code},
            {"method", method_of(row)},
            {"apy_ppb", row.apy_ppb},
            {"period_ns", row.period_ns},
            {"year_ns", row.year_ns},
            {"state", is_closed(row) ? "closed" : "open"},
            {"stakes", row.stakes},
            {"staked", place.scaled(row.asset, row.staked)},
            {"distributed", place.scaled(row.asset, row.distributed)},
            {"refused", row.refused}};
}

json::object as_json(stake_place& place, const stake_row& row) {
    const auto& by = place.programme_of(row);
    return {{"programme", name_of(by)},
            {"account", place.names.account(row.account)},
            {"number", row.number},
            {"principal", place.scaled(by.asset, row.principal)},
            {"staked", place.scaled(by.asset, row.staked)},
            {"paid", place.scaled(by.asset, row.paid)},
            {"apy_ppb", row.apy_ppb},
            {"since_ns", row.since_ns},
            {"periods_paid", row.periods_paid},
            {"last_payout_ns", row.last_payout_ns}};
}

std::string line_of(stake_place& place, const programme_row& row) {
    return fmt::format("programme {}  {} % {} each {}  {} stakes of {}  {} distributed{}",
                       name_of(row), print_amount(static_cast<amount>(row.apy_ppb), 7),
                       method_of(row), days_of(row.period_ns), row.stakes,
                       place.priced(row, row.staked), place.priced(row, row.distributed),
                       is_closed(row) ? "  closed" : "");
}

std::string line_of(stake_place& place, const stake_row& row) {
    const auto& by = place.programme_of(row);
    return fmt::format("  {}  {} #{}  {}  {} paid for {} periods", name_of(by),
                       place.names.account(row.account), row.number, place.priced(by, row.staked),
                       place.priced(by, row.paid), row.periods_paid);
}

}  // namespace

int stake_list(const stake_order& order) {
    stake_place place(order.where);
    const auto standing = place.stakes_of(order);
    json::array programmes;
    json::array stakes;
    for (const auto& each : place.programmes_of(order)) {
        if (order.where.json) {
            programmes.push_back(as_json(place, each));
        } else {
            print(line_of(place, each));
        }
    }
    for (const auto& each : standing) {
        if (order.where.json) {
            stakes.push_back(as_json(place, each));
        } else {
            print(line_of(place, each));
        }
    }
    if (order.where.json) {
        print(json::object{{"programmes", std::move(programmes)}, {"stakes", std::move(stakes)}});
    }
    return exit_done;
}

int stake_due(const stake_order& order) {
    const auto ahead = order.ahead.empty() ? 0 : span_ns(order.ahead, "--in");
    stake_place place(order.where);
    auto now_ns =
        place.read("the clock", [&](view& seen) { return place.in.clock().read(seen); }).world_ns;
    if (__builtin_add_overflow(now_ns, ahead, &now_ns)) now_ns = ~0ULL;
    json::array all;
    for (const auto& each : place.stakes_of(order)) {
        const auto due = place.by.read([&](view& seen) {
            return place.all().due(seen, stake_id{each.key.high, each.key.low}, now_ns);
        });
        if (!due && due.error() == errc::unknown_stake) continue;  // It has ended meanwhile.
        const auto& by = place.programme_of(each);
        const auto account = place.names.account(each.account);
        if (due && due->from == due->to) continue;
        const auto value =
            due ? place.scaled(by.asset, due->value) : std::string(name(due.error()));
        if (!order.where.json) {
            print(fmt::format("{}  {} #{}  {}  {} periods", name_of(by), account, each.number,
                              due ? place.priced(by, due->value) : value,
                              due ? due->to - due->from : 0));
            continue;
        }
        json::object one{{"programme", name_of(by)}, {"account", account}, {"number", each.number}};
        if (due) {
            one["from"] = due->from;
            one["to"] = due->to;
        }
        one[due ? "amount" : "refused"] = value;
        all.push_back(std::move(one));
    }
    if (order.where.json) print(json::object{{"world_ns", now_ns}, {"due", std::move(all)}});
    return exit_done;
}

}  // namespace perdure::apps

// SPDX-License-Identifier: Apache-2.0
//
// Pays what is due, by the operator's hand: each stake once, a few in a transaction.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <perdure/apps/cli/console.hpp>
#include <perdure/apps/cli/stake_place.hpp>

namespace perdure::apps {
namespace {

namespace json = boost::json;

constexpr std::size_t together_max = 128;

struct refused_payout {
    stake_row stake;
    due_yield due;
    errc why;
};

/// What one transaction came to.
struct outcome {
    std::uint64_t stakes = 0;
    std::uint64_t periods = 0;
    std::map<std::uint32_t, amount> paid{};  ///< By asset.
    std::vector<refused_payout> refused{};
};

/// An answer of the economy, after which a transaction may go on.
bool is_answer(errc why) noexcept { return why >= errc::unknown_account && why < errc::io_error; }

result<> pay_one(stake_place& place, tx& now, const stake_row& which, outcome& into) {
    const stake_id id{which.key.high, which.key.low};
    const auto due = place.all().due(now, id);
    if (!due && due.error() == errc::unknown_stake) return {};  // It has ended meanwhile.
    if (!due && is_answer(due.error())) {
        into.refused.push_back({which, {}, due.error()});
        return {};
    }
    if (!due) return due.error();
    if (due->from == due->to) return {};
    const auto paid = place.all().pay(now, id, due->from, due->to);
    if (!paid && is_answer(paid.error())) {
        PERDURE_TRY(place.all().refuse(now, id, due->to, paid.error()));
        into.refused.push_back({which, *due, paid.error()});
        return {};
    }
    if (!paid) return paid.error();
    ++into.stakes;
    into.periods += due->to - due->from;
    into.paid[place.programme_of(which).asset] += *paid;
    return {};
}

void add_to(outcome& all, outcome& part) {
    all.stakes += part.stakes;
    all.periods += part.periods;
    for (const auto& [asset, value] : part.paid) all.paid[asset] += value;
    std::move(part.refused.begin(), part.refused.end(), std::back_inserter(all.refused));
}

outcome pay_all(stake_place& place, const std::vector<stake_row>& standing) {
    outcome all;
    std::optional<receipt> last;
    std::size_t together = together_max;
    for (std::size_t at = 0; at < standing.size();) {
        const auto count = std::min(together, standing.size() - at);
        outcome part;
        const auto done = place.by.write([&](tx& now) -> result<> {
            part = {};
            for (std::size_t i = 0; i < count; ++i) {
                PERDURE_TRY(pay_one(place, now, standing[at + i], part));
            }
            return {};
        });
        if (!done && done.error() == errc::transaction_too_large && together > 1) {
            together /= 2;
            continue;
        }
        last = place.need(done, "payouts");
        at += count;
        add_to(all, part);
    }
    if (last && last->lsn != 0) place.make_durable(*last, "payouts");
    return all;
}

}  // namespace

int stake_pay(const stake_order& order) {
    stake_place place(order.where);
    const auto standing = place.stakes_of(order);
    for (const auto& each : standing) static_cast<void>(place.programme_of(each));
    const auto all = pay_all(place, standing);
    json::object sums;
    std::string words;
    for (const auto& [asset, value] : all.paid) {
        const auto& unit = place.names.asset(asset).code;
        sums[unit] = place.scaled(asset, value);
        words +=
            fmt::format("{}{} {}", words.empty() ? "" : ", ", place.scaled(asset, value), unit);
    }
    json::array refused;
    for (const auto& each : all.refused) {
        const auto& by = place.programme_of(each.stake);
        const auto account = place.names.account(each.stake.account);
        const auto value = place.scaled(by.asset, each.due.value);
        refused.push_back(json::object{{"programme", name_of(by)},
                                       {"account", account},
                                       {"number", each.stake.number},
                                       {"amount", value},
                                       {"reason", name(each.why)}});
        if (order.where.json) continue;
        tell(fmt::format("refused: {}  {} #{}  {}: {}. {}", name_of(by), account, each.stake.number,
                         value, name(each.why), remedy(each.why)));
    }
    if (order.where.json) {
        print(json::object{{"stakes", all.stakes},
                           {"periods", all.periods},
                           {"paid", std::move(sums)},
                           {"refused", std::move(refused)}});
    } else {
        print(fmt::format("{} stakes were paid for {} periods: {}", grouped(all.stakes),
                          grouped(all.periods), words.empty() ? "nothing was due" : words));
    }
    return all.refused.empty() ? exit_done : exit_refused;
}

}  // namespace perdure::apps

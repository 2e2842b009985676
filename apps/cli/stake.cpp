// SPDX-License-Identifier: Apache-2.0
//
// The verbs that change programmes and stakes, but for pay.
#include <perdure/apps/cli/stake.hpp>

#include <fmt/format.h>

#include <perdure/apps/cli/console.hpp>
#include <perdure/apps/cli/stake_place.hpp>

namespace perdure::apps {
namespace {

namespace json = boost::json;

constexpr int percent_digits = 7;  // A per cent is 10^7 parts per billion.

std::uint64_t rate_of(const std::string& text) {
    const auto parts = parse_amount(text, percent_digits);
    if (!parts || *parts < 0) {
        throw failure(errc::bad_setting, "rate " + text + ": no percentage",
                      "write the per cent in a year, for example 5 or 4.25");
    }
    return static_cast<std::uint64_t>(*parts);
}

programme_terms terms_of(const stake_order& order) {
    if (order.treasury.empty() == order.faucet.empty()) {
        throw failure(errc::bad_setting, "programme " + order.programme + ": who pays?",
                      "give either --treasury or --faucet");
    }
    programme_terms made;
    made.asset = asset_id::of(order.asset);
    made.yield = {rate_of(order.apy), span_ns(order.period, "period"), span_ns(order.year, "year"),
                  order.is_compound ? yield_method::compound : yield_method::simple};
    made.authority = account_named(order.authority);
    if (order.faucet.empty()) {
        made.from = account_named(order.treasury);
    } else {
        made.from = faucet_id::of(order.faucet);
    }
    return made;
}

/// One change as a transaction of its own, durable. Throws failure.
template <class Change>
receipt change(stake_place& place, const std::string& thing, Change&& make) {
    const auto paid = place.need(place.by.write([&](tx& now) -> result<> {
        PERDURE_TRY(make(now));
        return {};
    }),
                                 thing);
    place.make_durable(paid, thing);
    return paid;
}

void say(const stake_order& order, const receipt& paid, json::object facts,
         const std::string& line) {
    if (!order.where.json) return print(line);
    facts["lsn"] = paid.lsn;
    print(facts);
}

}  // namespace

int stake_open(const stake_order& order) {
    const auto terms = terms_of(order);
    stake_place place(order.where);
    const auto paid = change(place, "programme " + order.programme, [&](tx& now) {
        return place.all().open_programme(now, order.programme, terms);
    });
    say(order, paid, {{"programme", order.programme}, {"apy_ppb", terms.yield.apy_ppb}},
        fmt::format("programme {} is open, durable", order.programme));
    return exit_done;
}

int stake_close(const stake_order& order) {
    stake_place place(order.where);
    const auto paid = change(place, "programme " + order.programme, [&](tx& now) {
        return place.all().close_programme(now, account_named(order.authority),
                                           programme_id::of(order.programme));
    });
    say(order, paid, {{"programme", order.programme}, {"closed", true}},
        fmt::format("programme {} is closed: it pays periods that have begun", order.programme));
    return exit_done;
}

int stake_rate(const stake_order& order) {
    const auto rate = rate_of(order.apy);
    stake_place place(order.where);
    const auto paid = change(place, "programme " + order.programme, [&](tx& now) {
        return place.all().set_rate(now, account_named(order.authority),
                                    programme_id::of(order.programme), rate);
    });
    say(order, paid, {{"programme", order.programme}, {"apy_ppb", rate}},
        fmt::format("stakes made from now on earn {} %", order.apy));
    return exit_done;
}

int stake_stake(const stake_order& order) {
    stake_place place(order.where);
    const auto in = place.programme(order.programme);
    const amount value = place.read_amount(in.asset, order.amount);
    const auto paid = change(place, thing_of(order), [&](tx& now) {
        return place.all().stake(now, programme_id::of(order.programme),
                                 account_named(order.account), order.number, value);
    });
    say(order, paid,
        {{"programme", order.programme},
         {"account", order.account},
         {"number", order.number},
         {"staked", place.scaled(in.asset, value)}},
        fmt::format("{}: {} staked", thing_of(order), place.priced(in, value)));
    return exit_done;
}

int stake_unstake(const stake_order& order) {
    stake_place place(order.where);
    const auto in = place.programme(order.programme);
    const auto account = account_named(order.account);
    const auto which = stake_id::of(programme_id::of(order.programme), account, order.number);
    unstake_choice how{.forfeits = order.forfeits};
    if (!order.amount.empty()) how.part = place.read_amount(in.asset, order.amount);
    amount before = 0;
    amount after = 0;
    const auto paid = change(place, thing_of(order), [&](tx& now) -> result<> {
        before = PERDURE_TRY(place.in.books().balance(now, account, asset_id{in.asset}));
        PERDURE_TRY(place.all().unstake(now, which, how));
        after = PERDURE_TRY(place.in.books().balance(now, account, asset_id{in.asset}));
        return {};
    });
    say(order, paid,
        {{"programme", order.programme},
         {"account", order.account},
         {"number", order.number},
         {"received", place.scaled(in.asset, after - before)}},
        fmt::format("{}: {} came back, interest included", thing_of(order),
                    place.priced(in, after - before)));
    return exit_done;
}

}  // namespace perdure::apps

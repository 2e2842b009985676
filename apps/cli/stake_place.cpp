// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/cli/stake_place.hpp>

#include <cstring>

#include <fmt/format.h>

namespace perdure::apps {
namespace {

/// Every live row of a table that `wanted` wants.
template <class Row, class Wanted>
std::vector<Row> rows_of(stake_place& place, std::uint32_t table, Wanted&& wanted) {
    std::vector<Row> out;
    const std::uint64_t end = shm::load(place.in.region().descriptor(table).row_high);
    for (std::uint64_t row = 0; row < end; ++row) {
        const auto copy = place.by.read([&](view& seen) { return seen.get<Row>(table, row); });
        if (!copy && copy.error() != errc::not_found) state_place::refuse("a row", copy.error());
        if (copy && copy->header.live == 1 && wanted(*copy)) out.push_back(*copy);
    }
    return out;
}

}  // namespace

std::string name_of(const programme_row& of) {
    return shown({of.name.data(), ::strnlen(of.name.data(), of.name.size())});
}

std::string thing_of(const stake_order& order) {
    return fmt::format("stake {} of {} in {}", order.number, order.account, order.programme);
}

std::uint64_t span_ns(const std::string& text, const char* what) {
    const auto seconds = io::parse_seconds(text);
    std::uint64_t span = 0;
    if (!seconds || __builtin_mul_overflow(*seconds, std::uint64_t{1'000'000'000}, &span)) {
        throw failure(errc::bad_setting, std::string(what) + " " + text + ": no length of time",
                      "write it as 90s, 15min, 12h or 30d");
    }
    return span;
}

programme_row stake_place::programme(const std::string& name) {
    return read("programme " + name,
                [&](view& seen) { return all().programme(seen, programme_id::of(name)); });
}

std::vector<programme_row> stake_place::programmes_of(const stake_order& order) {
    if (!order.programme.empty()) return {programme(order.programme)};
    return rows_of<programme_row>(*this, all().numbers().programmes,
                                  [](const auto&) { return true; });
}

std::vector<stake_row> stake_place::stakes_of(const stake_order& order) {
    known_ = programmes_of(order);
    std::optional<account_id> account;
    if (!order.account.empty()) account = account_named(order.account);
    return rows_of<stake_row>(*this, all().numbers().stakes, [&](const stake_row& row) {
        const bool is_theirs =
            !account || (row.account.high == account->high && row.account.low == account->low);
        return is_theirs && (order.programme.empty() || row.programme == known_.front().key);
    });
}

const programme_row& stake_place::programme_of(const stake_row& of) {
    for (const auto& each : known_) {
        if (each.key == of.programme) return each;
    }
    // Opened since.
    return known_.emplace_back(read("programme", [&](view& seen) {
        return all().programme(seen, programme_id{of.programme.high, of.programme.low});
    }));
}

std::string stake_place::scaled(std::uint32_t asset, amount value) {
    return print_amount(value, names.asset(asset).scale);
}

std::string stake_place::priced(const programme_row& of, amount value) {
    return scaled(of.asset, value) + " " + names.asset(of.asset).code;
}

amount stake_place::read_amount(std::uint32_t asset, const std::string& text) {
    return need(parse_amount(text, names.asset(asset).scale), "amount " + text);
}

}  // namespace perdure::apps

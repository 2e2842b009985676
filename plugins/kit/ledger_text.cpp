// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <perdure/core/purse.hpp>
#include <perdure/plugins/kit/ledger_text.hpp>
#include <perdure/plugins/kit/stage.hpp>

namespace perdure::plugins {
namespace {

std::string hexadecimal(std::span<const std::byte> bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (const auto each : bytes) {
        out += digits[std::to_integer<unsigned>(each) >> 4];
        out += digits[std::to_integer<unsigned>(each) & 15U];
    }
    return out;
}

std::string key_text(const shm::row_key& key) {
    const std::array words{key.high, key.low};
    return "0x" + hexadecimal(std::as_bytes(std::span(words)));
}

account_id id_of_key(const shm::row_key& key) noexcept {
    return {key.high, static_cast<std::uint32_t>(key.low)};
}

/// Live rows as they lie, each true by itself.
template <class Row>
std::vector<Row> rows_of(const world& in, std::uint32_t table) {
    std::vector<Row> out;
    auto by = in.reader();
    const std::uint64_t end = shm::load(in.region().descriptor(table).row_high);
    for (std::uint64_t number = 0; number < end; ++number) {
        const auto seen = by.read([&](view& now) -> result<Row> {
            const auto there = now.get<Row>(table, number);
            if (!there && there.error() == errc::not_found) return Row{};
            return there;
        });
        if (!seen) throw stage_failure("a row: " + std::string(name(seen.error())));
        if (seen->header.live == 1) out.push_back(*seen);
    }
    return out;
}

std::string money_text(const world& in, const batch_command& c) {
    return std::to_string(c.amount) +
           (c.asset == 0 ? std::string() : " of " + asset_text(in, asset_id{c.asset}));
}

/// Everything that is not zero, so that no two commands have one text.
std::string command_text(const world& in, const command_view& what) {
    const auto& c = what.command;
    std::string out(command_name(c.kind));
    if (c.amount != 0 || c.asset != 0) out += " " + money_text(in, c);
    if (c.source.high != 0 || c.source.low != 0) {
        out += " from " + account_text(in, id_of_key(c.source));
        if (c.source.low >> 32 != 0) out += " (" + key_text(c.source) + ")";
    }
    if (c.target.high != 0 || c.target.low != 0) {
        out += " to " + account_text(in, id_of_key(c.target));
        if (c.target.low >> 32 != 0) out += " (" + key_text(c.target) + ")";
    }
    if (c.object.high != 0 || c.object.low != 0) out += ", hold " + key_text(c.object);
    if (c.until != 0) out += ", until " + std::to_string(c.until);
    if (c.reason != 0) out += ", reason " + std::to_string(c.reason);
    if (c.reference != 0) out += ", reference " + std::to_string(c.reference);
    if (c.event_type != 0) {
        out += " " + std::to_string(c.event_type) + " version " + std::to_string(c.event_version) +
               " 0x" + hexadecimal(what.payload);
    }
    return out;
}

void add_money(const world& in, std::vector<std::string>& lines) {
    const auto& numbers = in.books().numbers();
    for (const auto& row : rows_of<asset_row>(in, numbers.assets)) {
        lines.push_back("supply of " + std::string(text_in(row.code)) + ": " +
                        std::to_string(row.supply) + ", minted " + std::to_string(row.minted));
    }
    auto by = in.reader();
    for (const auto& row : rows_of<balance_row>(in, numbers.balances)) {
        const auto who = id_of_key(row.key);
        const auto has =
            by.read([&](view& now) { return in.books().holding(now, who, asset_id{row.asset}); });
        if (!has) throw stage_failure("a balance: " + std::string(name(has.error())));
        lines.push_back(account_text(in, who) + ": " + std::to_string(has->available) + " of " +
                        asset_text(in, asset_id{row.asset}) + ", held " +
                        std::to_string(has->held));
    }
    for (const auto& row : rows_of<hold_row>(in, numbers.holds)) {
        lines.push_back("hold " + key_text(row.key) + ": " + std::to_string(row.amount) + " of " +
                        account_text(in, id_of(row.account)));
    }
    for (const auto& row : rows_of<account_row>(in, numbers.accounts)) {
        if (row.frozen_until == 0) continue;
        lines.push_back(account_text(in, id_of_key(row.key)) + ": frozen until " +
                        std::to_string(row.frozen_until) + ", reason " +
                        std::to_string(row.freeze_reason));
    }
}

void add_plugin(const world& in, const registry& tables, account_id plugin,
                std::vector<std::string>& lines) {
    auto by = in.reader();
    const auto states = shm::find_table(in.region(), "plugin_states");
    if (!states) throw stage_failure("plugin_states: " + std::string(name(states.error())));
    for (const auto& row : rows_of<plugin_state_row>(in, *states)) {
        if (!(row.plugin == words_of(plugin))) continue;
        const auto key = std::as_bytes(std::span(row.name.data(), row.name_bytes));
        const auto value = by.read([&](view& now) { return tables.state(now, plugin, key); });
        if (!value) throw stage_failure("a state: " + std::string(name(value.error())));
        lines.push_back("state " + bytes_text(key) + ": 0x" + hexadecimal(*value));
    }
    const auto row = by.read([&](view& now) { return tables.row(now, plugin); });
    if (!row) return;
    lines.push_back("the plugin: " + std::to_string(row->window) + " windows, up to " +
                    std::to_string(row->from_ns) + ", " + std::to_string(row->done) +
                    " commits of the next, events up to " + std::to_string(row->cursor) +
                    ", state version " + std::to_string(row->state_version));
}

}  // namespace

account_id account_named(std::string_view text) {
    if (!text.starts_with('@')) return account_id::of(text);
    std::uint64_t number = 0;
    const auto* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data() + 1, end, number);
    if (read.ec != std::errc() || read.ptr != end) {
        throw stage_failure("account " + std::string(text) + ": behind @ there must be a number");
    }
    return account_id::of(number);
}

std::string account_text(const world& in, account_id account) {
    auto by = in.reader();
    const auto row = by.read([&](view& now) { return in.books().account(now, account); });
    if (row && row->name[0] != '\0') return std::string(text_in(row->name));
    if (account.low == 0) return "@" + std::to_string(account.high);
    return key_text(key_of(account));
}

std::string asset_text(const world& in, asset_id asset) {
    auto by = in.reader();
    const auto row = by.read([&](view& now) { return in.books().asset(now, asset); });
    return row ? std::string(text_in(row->code)) : std::to_string(asset.value);
}

std::string bytes_text(std::span<const std::byte> bytes) {
    const bool is_text = !bytes.empty() && std::ranges::all_of(bytes, [](std::byte each) {
        return each >= std::byte{' '} && each <= std::byte{'~'};
    });
    if (!is_text) return "0x" + hexadecimal(bytes);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::vector<std::string> lines_of(const world& in, const batch_view& batch) {
    std::vector<std::string> out;
    for (const auto& each : batch.commands) out.push_back(command_text(in, each));
    for (const auto& each : batch.states) {
        out.push_back("state " + bytes_text(each.key) +
                      (each.is_erased ? " erased" : ": 0x" + hexadecimal(each.value)));
    }
    return out;
}

std::string books_text(const world& in, const registry* tables, account_id plugin) {
    std::vector<std::string> lines;
    add_money(in, lines);
    if (tables != nullptr) add_plugin(in, *tables, plugin, lines);
    std::ranges::sort(lines);
    std::string out;
    for (const auto& each : lines) out += each + "\n";
    return out;
}

}  // namespace perdure::plugins

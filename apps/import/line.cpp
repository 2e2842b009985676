// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/import/line.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace perdure::apps {
namespace {

constexpr std::size_t name_max = sizeof(account_row::name);

constexpr std::array<std::pair<std::string_view, account_kind>, 6> kinds{{
    {"player", account_kind::player},
    {"agent", account_kind::agent},
    {"treasury", account_kind::treasury},
    {"escrow", account_kind::escrow},
    {"market", account_kind::market},
    {"plugin", account_kind::plugin},
}};

std::optional<account_kind> kind_named(std::string_view name) noexcept {
    const auto found = std::ranges::find(kinds, name, [](const auto& each) { return each.first; });
    if (found == kinds.end()) return {};
    return found->second;
}

const std::string transfer_usage =
    "write from=NAME,to=NAME,amount=NAME; also time=, opening_from=, opening_to=, after_from= and "
    "after_to=; ==TEXT{NAME} is text with columns in it, amount=NAME*NAME a product";
const std::string account_usage = "write name=NAME; also kind= and balance=";

}  // namespace

opening_choice opening_choice::of(const line_rules& rules) {
    constexpr std::string_view fixed = "fixed:";
    const std::string_view text = rules.opening;
    if (text == "grant") return {opening_rule::grant, 0};
    if (text == "zero") return {opening_rule::zero, 0};
    if (text == "column") return {opening_rule::column, 0};
    if (text.starts_with(fixed)) {
        const auto value = parse_amount(text.substr(fixed.size()), rules.scale);
        if (value && *value >= 0) return {opening_rule::fixed, *value};
    }
    throw failure(errc::bad_setting, "--opening " + rules.opening + ": what is that?",
                  "write grant, zero, column or fixed:AMOUNT");
}

line_parser::line_parser(const line_rules& rules, const csv_reader& header)
    : accounts_(rules.accounts),
      signed_(rules.is_signed),
      scale_(rules.scale),
      shift_(rules.shift),
      kind_(account_kind::player),
      count_(header.fields().size()) {
    const auto kind = kind_named(rules.kind);
    if (!kind) {
        throw failure(errc::bad_setting, "--kind " + rules.kind + ": what is that?",
                      "write player, agent, treasury, escrow, market or plugin");
    }
    kind_ = *kind;
    const auto roles = accounts_ ? std::vector<std::string_view>{"name", "kind", "balance"}
                                 : std::vector<std::string_view>{
                                       "from",         "to",         "amount",     "time",
                                       "opening_from", "opening_to", "after_from", "after_to"};
    const std::string& usage = accounts_ ? account_usage : transfer_usage;
    for (const auto& [role, pattern] : split_roles(rules.columns, roles, usage)) {
        take_role(role, pattern, header);
    }
    demand_roles(rules);
    if (!rules.where.empty()) where_ = line_condition::find(rules.where, header);
    if (!rules.reverse.empty()) reverse_ = line_condition::find(rules.reverse, header);
}

void line_parser::take_role(std::string_view role, std::string_view pattern,
                            const csv_reader& header) {
    if (role == "from") from_.name = text_pattern::find(pattern, header);
    if (role == "to" || role == "name") to_.name = text_pattern::find(pattern, header);
    if (role == "opening_from") from_.opening = column_named(pattern, header);
    if (role == "opening_to" || role == "balance") to_.opening = column_named(pattern, header);
    if (role == "after_from") from_.after = column_named(pattern, header);
    if (role == "after_to") to_.after = column_named(pattern, header);
    if (role == "kind") kind_column_ = column_named(pattern, header);
    if (role == "time") time_ = column_named(pattern, header);
    if (role != "amount") return;
    for (;;) {
        const std::size_t end = std::min(pattern.find('*'), pattern.size());
        factors_.push_back(column_named(pattern.substr(0, end), header));
        if (end == pattern.size()) return;
        pattern.remove_prefix(end + 1);
    }
}

void line_parser::demand_roles(const line_rules& rules) const {
    const bool whole = to_.name && (accounts_ || (from_.name && !factors_.empty()));
    if (!whole) {
        throw failure(errc::bad_setting, "--columns " + rules.columns + ": a column is not named",
                      accounts_ ? account_usage : transfer_usage);
    }
    if (!accounts_ && opening_choice::of(rules).rule == opening_rule::column &&
        !(from_.opening && to_.opening)) {
        throw failure(errc::bad_setting, "--opening column: --columns does not say which",
                      "add opening_from=NAME,opening_to=NAME to --columns, or give another rule "
                      "for the side without one");
    }
}

/// The amount of a line: in minor units, and at the full precision that files have.
struct line_parser::number {
    __int128 minor = 0;
    __int128 exact = 0;
    bool has_exact = true;
    bool rounded = false;
};

namespace {

std::string_view why_no_number(errc reason) noexcept {
    return reason == errc::overflow ? "the amount leaves 64 bits"
                                    : "the amount is no decimal number";
}

bool is_amount(__int128 value) noexcept {
    // Its negative must be one too: a sign may turn the direction.
    return value <= INT64_MAX && value >= -INT64_MAX;
}

}  // namespace

std::string_view line_parser::read_amount(const csv_reader& record, number& into) const {
    const auto fields = record.fields();
    const auto first = read_decimal(fields[factors_.front()], scale_, shift_);
    if (!first) return why_no_number(first.error());
    into = {first->value, 0, false, first->rounded};
    const auto exact = read_decimal(fields[factors_.front()], decimal_scale_max, shift_);
    if (exact) into.exact = exact->value, into.has_exact = !exact->rounded;
    for (std::size_t i = 1; i < factors_.size(); ++i) {
        if (fields[factors_[i]].empty()) continue;  // Counts as one.
        const auto next = read_decimal(fields[factors_[i]], 0);
        if (!next) return why_no_number(next.error());
        if (next->rounded) return "a factor of the amount is no whole number";
        if (__builtin_mul_overflow(into.minor, next->value, &into.minor)) {
            return why_no_number(errc::overflow);
        }
        if (__builtin_mul_overflow(into.exact, next->value, &into.exact)) into.has_exact = false;
    }
    return is_amount(into.minor) ? std::string_view() : why_no_number(errc::overflow);
}

std::string_view line_parser::read_party(const csv_reader& record, const side& from, party& into,
                                         bool& rounded) const {
    from.name->fill(record, into.name);
    into.opening.reset();
    into.after.reset();
    into.adds_up.reset();
    if (into.name.empty()) return "an account without a name";
    if (into.name.size() > name_max) return "an account's name is longer than 40 bytes";
    const auto read = [&](std::optional<std::size_t> column, std::optional<amount>& place) {
        if (!column) return true;
        const auto value = read_decimal(record.fields()[*column], scale_, shift_);
        if (!value || !is_amount(value->value)) return false;
        rounded = rounded || value->rounded;
        place = static_cast<amount>(value->value);
        return true;
    };
    if (!read(from.opening, into.opening) || !read(from.after, into.after)) {
        return "a balance is no amount";
    }
    return {};
}

void line_parser::check_sum(const csv_reader& record, const side& from, __int128 moved,
                            party& into) const {
    if (!from.opening || !from.after) return;
    const auto before = read_decimal(record.fields()[*from.opening], decimal_scale_max, shift_);
    const auto after = read_decimal(record.fields()[*from.after], decimal_scale_max, shift_);
    // Numbers beyond that precision are not judged.
    if (!before || !after || before->rounded || after->rounded) return;
    into.adds_up = before->value + moved == after->value;
}

std::string_view line_parser::read_line(const csv_reader& record, import_line& line) const {
    auto why = read_party(record, to_, line.payee, line.rounded);
    if (!why.empty()) return why;
    if (accounts_) {
        line.value = line.payee.opening.value_or(0);
        line.kind = kind_;
        if (line.value < 0) return "the balance is below zero";
        if (!kind_column_ || record.fields()[*kind_column_].empty()) return {};
        const auto kind = kind_named(record.fields()[*kind_column_]);
        if (!kind) return "there is no such kind of account";
        line.kind = *kind;
        return {};
    }
    why = read_party(record, from_, line.payer, line.rounded);
    if (!why.empty()) return why;
    number value;
    why = read_amount(record, value);
    if (!why.empty()) return why;
    line.rounded = line.rounded || value.rounded;
    bool turned = reverse_ && reverse_->holds(record);
    if (value.has_exact) {
        const __int128 moved = turned ? -value.exact : value.exact;
        check_sum(record, from_, -moved, line.payer);
        check_sum(record, to_, moved, line.payee);
    }
    line.value = static_cast<amount>(value.minor);
    if (signed_ && line.value < 0) line.value = -line.value, turned = !turned;
    line.turned = turned;
    if (turned) std::swap(line.payer, line.payee);
    if (line.payer.opening.value_or(0) < 0 || line.payee.opening.value_or(0) < 0) {
        return "a balance before the line is below zero";
    }
    return {};
}

void line_parser::parse(const csv_reader& record, import_line& line) const {
    line.turned = false;
    line.rounded = false;
    line.left_out = false;
    line.time = {};
    line.malformed = record.broken();
    if (!line.malformed.empty()) return;
    if (record.fields().size() != count_) {
        line.malformed = "another number of fields than the header";
        return;
    }
    if (where_ && !where_->holds(record)) {
        line.left_out = true;
        return;
    }
    if (time_) line.time = record.fields()[*time_];
    line.malformed = read_line(record, line);
}

}  // namespace perdure::apps

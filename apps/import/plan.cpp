// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/import/plan.hpp>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>
#include <unordered_map>

namespace perdure::apps {
namespace {

constexpr amount grant_least = 1'000'000'000'000;

/// Whether `now` comes before `then`: as numbers if both are, else as ISO 8601 sorts.
bool is_before(std::string_view now, std::string_view then) noexcept {
    const auto number = [](std::string_view text, std::uint64_t& into) {
        const auto end = text.data() + text.size();
        const auto [at, bad] = std::from_chars(text.data(), end, into);
        return bad == std::errc() && at == end;
    };
    std::uint64_t left = 0;
    std::uint64_t right = 0;
    if (number(now, left) && number(then, right)) return left < right;
    return now < then;
}

void count_sum(const party& side, file_survey::sum_check& into) noexcept {
    if (side.adds_up) ++(*side.adds_up ? into.right : into.wrong);
}

/// Accounts and what each pays.
class outflow {
  public:
    explicit outflow(const std::string& file) : file_(file) {}

    void add(const import_line& line) {
        paid_.try_emplace(line.payee.name, 0);
        if (line.payer.name.empty()) return;
        amount& paid = paid_[line.payer.name];
        const auto sum = perdure::add(paid, std::max<amount>(line.value, 0));
        if (!sum) {
            throw failure(sum.error(), file_ + ": what " + line.payer.name + " pays leaves 64 bits",
                          "give a smaller --scale");
        }
        paid = *sum;
        most_ = std::max(most_, paid);
    }
    [[nodiscard]] std::uint64_t accounts() const noexcept { return paid_.size(); }
    [[nodiscard]] amount most() const noexcept { return most_; }

  private:
    const std::string& file_;
    std::unordered_map<std::string, amount> paid_;
    amount most_ = 0;
};

}  // namespace

import_identity identify(const std::string& file, const line_rules& rules) {
    std::string more =
        rules.accounts ? "\nperdure import accounts 2\n" : "\nperdure import transfers 2\n";
    for (const std::string& each :
         {rules.columns, std::to_string(rules.scale), rules.asset, std::to_string(rules.shift),
          rules.where, rules.reverse, std::string(rules.is_signed ? "signed" : "")}) {
        more += each + '\n';
    }
    const io::block_hash hash = io::hash_file(file, std::as_bytes(std::span(more)));
    import_identity made;
    static_assert(sizeof hash == sizeof made);
    std::memcpy(made.data(), &hash, made.size());
    return made;
}

std::string print_identity(const import_identity& identity) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const std::byte byte : identity) {
        text += digits[std::to_integer<std::size_t>(byte >> 4)];
        text += digits[std::to_integer<std::size_t>(byte & std::byte{15})];
    }
    return text;
}

import_identity parse_identity(std::string_view text) {
    import_identity made{};
    PERDURE_ASSERT(text.size() == made.size() * 2);
    for (std::size_t i = 0; i < made.size(); ++i) {
        unsigned byte = 0;
        std::from_chars(text.data() + i * 2, text.data() + i * 2 + 2, byte, 16);
        made[i] = static_cast<std::byte>(byte);
    }
    return made;
}

shm::transaction_key key_of_line(const import_identity& identity, std::uint64_t line) noexcept {
    const io::block_hash hash = io::blake2b(identity, std::as_bytes(std::span(&line, 1)));
    shm::transaction_key made;
    std::memcpy(&made, &hash, sizeof made);
    return made;
}

file_survey survey(const std::string& file, const line_rules& rules) {
    csv_reader reader(file);
    if (!reader.next()) {
        throw failure(errc::bad_setting, file + ": it is empty",
                      "give a CSV whose first line names its columns");
    }
    const line_parser parser(rules, reader);
    outflow paid(file);
    file_survey seen;
    import_line line;
    std::string time;
    while (reader.next() && !seen.stopped) {
        ++seen.lines;
        seen.last_line = reader.line();
        parser.parse(reader, line);
        if (line.left_out) {
            ++seen.left_out;
            continue;
        }
        if (!line.malformed.empty()) {
            ++seen.malformed_by_cause[line.malformed];
            if (seen.malformed++ < file_survey::notes_max) {
                seen.first_malformed.push_back({reader.line(), line.malformed});
            }
            seen.stopped = rules.on_bad_line == "stop";
            continue;
        }
        paid.add(line);
        count_sum(line.turned ? line.payee : line.payer, seen.from);
        count_sum(line.turned ? line.payer : line.payee, seen.to);
        if (line.rounded) ++seen.rounded;
        if (is_before(line.time, time)) ++seen.back_in_time;
        time = line.time;
    }
    seen.accounts = paid.accounts();
    seen.outflow_max = paid.most();
    return seen;
}

amount choose_grant(const file_survey& seen, amount wanted) {
    amount grant = wanted > 0 ? wanted : grant_least;
    amount all = 0;
    bool too_much = false;
    while (wanted <= 0 && grant < seen.outflow_max && !too_much) {
        too_much = __builtin_mul_overflow(grant, amount{10}, &grant);
    }
    if (too_much || seen.accounts > std::uint64_t{std::numeric_limits<std::int64_t>::max()} ||
        __builtin_mul_overflow(grant, static_cast<amount>(seen.accounts), &all)) {
        throw failure(errc::overflow,
                      std::to_string(seen.accounts) + " accounts with a grant of " +
                          std::to_string(grant) + " minor units each leave 64 bits",
                      "give a smaller --scale, or a --grant of your own");
    }
    return grant;
}

}  // namespace perdure::apps

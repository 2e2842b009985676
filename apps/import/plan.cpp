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
constexpr std::size_t name_max = sizeof(account_row::name);

std::size_t column_named(std::string_view name, const csv_reader& header) {
    const auto fields = header.fields();
    const auto found = std::ranges::find(fields, name);
    if (found != fields.end()) return static_cast<std::size_t>(found - fields.begin());
    std::string there;
    for (const std::string_view each : fields)
        there += (there.empty() ? "" : ", ") + std::string(each);
    throw failure(errc::bad_setting,
                  "--columns: the file has no column \"" + std::string(name) + "\"",
                  "its columns are " + there);
}

}  // namespace

transfer_columns transfer_columns::find(std::string_view wanted, const csv_reader& header) {
    constexpr auto missing = std::numeric_limits<std::size_t>::max();
    transfer_columns made{missing, missing, missing, header.fields().size()};
    const auto refuse = [&](const std::string& why) {
        throw failure(errc::bad_setting, "--columns " + std::string(wanted) + ": " + why,
                      "write from=NAME,to=NAME,amount=NAME");
    };
    for (std::string_view rest = wanted; !rest.empty();) {
        const std::string_view pair = rest.substr(0, rest.find(','));
        rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
        const std::size_t equals = pair.find('=');
        const std::string_view role = pair.substr(0, equals);
        std::size_t* place = role == "from"     ? &made.from
                             : role == "to"     ? &made.to
                             : role == "amount" ? &made.amount
                                                : nullptr;
        if (place == nullptr || equals == std::string_view::npos)
            refuse("what is " + std::string(pair) + "?");
        if (*place != missing) refuse(std::string(role) + " is named twice");
        *place = column_named(pair.substr(equals + 1), header);
    }
    if (std::max({made.from, made.to, made.amount}) == missing) refuse("a column is not named");
    return made;
}

parsed_line parse_line(const csv_reader& record, const transfer_columns& columns,
                       int scale) noexcept {
    const auto fields = record.fields();
    if (!record.broken().empty()) return {{}, record.broken()};
    if (fields.size() != columns.count) return {{}, "another number of fields than the header"};
    const std::string_view from = fields[columns.from];
    const std::string_view to = fields[columns.to];
    if (from.empty() || to.empty()) return {{}, "an account without a name"};
    if (from.size() > name_max || to.size() > name_max) {
        return {{}, "an account's name is longer than 40 bytes"};
    }
    const auto value = parse_amount(fields[columns.amount], scale);
    if (!value) {
        return {{},
                value.error() == errc::overflow ? "the amount leaves 64 bits"
                                                : "the amount is no decimal number"};
    }
    return {{from, to, *value}, {}};
}

import_identity identify(const std::string& file, std::string_view columns, int scale,
                         std::string_view asset) {
    std::string more = "\nperdure import transfers 1\n";
    more += std::string(columns) + '\n' + std::to_string(scale) + '\n' + std::string(asset) + '\n';
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

file_survey survey(const std::string& file, std::string_view columns, int scale) {
    csv_reader reader(file);
    if (!reader.next()) {
        throw failure(errc::bad_setting, file + ": it is empty",
                      "give a CSV whose first line names its columns");
    }
    const auto places = transfer_columns::find(columns, reader);
    std::unordered_map<std::string, amount> outflow;
    file_survey seen;
    while (reader.next()) {
        ++seen.lines;
        const parsed_line line = parse_line(reader, places, scale);
        if (!line.malformed.empty()) {
            if (seen.malformed++ < file_survey::notes_max) {
                seen.first_malformed.push_back({reader.line(), line.malformed});
            }
            continue;
        }
        outflow.try_emplace(std::string(line.transfer.to), 0);
        amount& paid = outflow[std::string(line.transfer.from)];
        const auto sum = add(paid, std::max<amount>(line.transfer.value, 0));
        if (!sum) {
            throw failure(
                sum.error(),
                file + ": what " + std::string(line.transfer.from) + " pays leaves 64 bits",
                "give a smaller --scale");
        }
        paid = *sum;
        seen.outflow_max = std::max(seen.outflow_max, paid);
    }
    seen.accounts = outflow.size();
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

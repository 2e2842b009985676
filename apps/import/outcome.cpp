// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/import/outcome.hpp>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>

#include <fmt/format.h>
#include <boost/json.hpp>
#include <perdure/apps/cli/console.hpp>

namespace perdure::apps {
namespace {

void tell_what_was_left_out(const file_survey& seen, const import_page& page, int scale) {
    for (const auto& each : seen.first_malformed) {
        tell(fmt::format("line {}: malformed: {}", each.line, each.cause));
    }
    if (seen.malformed > seen.first_malformed.size()) {
        tell(fmt::format("and {} more malformed lines",
                         seen.malformed - seen.first_malformed.size()));
    }
    for (const import_row& row : page.rows) {
        for (const auto& each : row.first_refused) {
            if (each.line == 0) continue;
            const auto reason = static_cast<errc>(each.reason);
            tell(fmt::format("line {}: refused: {}. {}", each.line, name(reason), remedy(reason)));
        }
        for (const auto& each : row.first_departures) {
            if (each.line == 0) continue;
            tell(fmt::format("line {}: the balance is now {} away from what the file says",
                             each.line, print_amount(each.difference, scale)));
        }
    }
}

boost::json::object sums_of(const file_survey::sum_check& check) {
    return {{"right", check.right}, {"wrong", check.wrong}};
}

bool has_sums(const file_survey& seen) noexcept {
    return seen.from.right + seen.from.wrong + seen.to.right + seen.to.wrong != 0;
}

boost::json::object refused_by(const import_totals& sum) {
    boost::json::object made;
    for (std::size_t i = 0; i < refusal_reasons.size(); ++i) {
        if (sum.refused_by[i] != 0) made[name(refusal_reasons[i])] = sum.refused_by[i];
    }
    return made;
}

boost::json::object as_object(const import_outcome& outcome, const import_totals& sum) {
    const file_survey& seen = outcome.seen;
    boost::json::object malformed;
    for (const auto& [cause, times] : seen.malformed_by_cause) malformed[cause] = times;
    boost::json::object made{{"identity", print_identity(outcome.identity)},
                             {"lines", seen.lines},
                             {"applied", sum.applied},
                             {"already_applied", sum.already_applied},
                             {"refused", sum.refused},
                             {"refused_by_reason", refused_by(sum)},
                             {"malformed", seen.malformed},
                             {"malformed_by_reason", std::move(malformed)},
                             {"left_out", seen.left_out},
                             {"rounded", seen.rounded},
                             {"back_in_time", seen.back_in_time},
                             {"accounts", seen.accounts},
                             {"seconds", outcome.seconds}};
    if (has_sums(seen)) {
        made["sums"] = boost::json::object{{"from", sums_of(seen.from)}, {"to", sums_of(seen.to)}};
    }
    if (sum.compared != 0) {
        made["balances"] = boost::json::object{
            {"compared", sum.compared},
            {"equal", sum.equal},
            {"departures", sum.departures},
            {"difference_max",
             print_amount(static_cast<amount>(sum.difference_max), outcome.order.rules.scale)}};
    }
    return made;
}

void print_reasons(const file_survey& seen, const import_totals& sum) {
    for (std::size_t i = 0; i < refusal_reasons.size(); ++i) {
        if (sum.refused_by[i] == 0) continue;
        print(fmt::format("  refused    {:>12}  {}", grouped(sum.refused_by[i]),
                          name(refusal_reasons[i])));
    }
    for (const auto& [cause, times] : seen.malformed_by_cause) {
        print(fmt::format("  malformed  {:>12}  {}", grouped(times), cause));
    }
    if (seen.left_out != 0) {
        print(fmt::format("  left out   {:>12}  by --where", grouped(seen.left_out)));
    }
    if (seen.rounded != 0) {
        print(
            fmt::format("  rounded    {:>12}  to the scale, half to even", grouped(seen.rounded)));
    }
    if (seen.back_in_time != 0) {
        print(fmt::format("  time       {:>12}  lines are earlier than the one above",
                          grouped(seen.back_in_time)));
    }
}

void print_checks(const import_outcome& outcome, const import_totals& sum) {
    const file_survey& seen = outcome.seen;
    for (const auto& [side, check] : {std::pair("from", seen.from), std::pair("to", seen.to)}) {
        if (check.right + check.wrong == 0) continue;
        print(
            fmt::format("  {:<10} {:>12}  of {} lines: balance before and amount make balance "
                        "after",
                        side, grouped(check.right), grouped(check.right + check.wrong)));
    }
    if (sum.compared == 0) return;
    print(fmt::format(
        "  balances   {:>12}  of {} as the file says; departures: {}; at most {} away",
        grouped(sum.equal), grouped(sum.compared), grouped(sum.departures),
        print_amount(static_cast<amount>(sum.difference_max), outcome.order.rules.scale)));
}

}  // namespace

import_totals import_totals::of(const import_page& page) {
    import_totals sum;
    for (const import_row& row : page.rows) {
        const auto load = [](const std::uint64_t& place) {
            return std::atomic_ref(const_cast<std::uint64_t&>(place))
                .load(std::memory_order_acquire);
        };
        sum.done += load(row.done);
        sum.applied += load(row.applied);
        sum.already_applied += load(row.already_applied);
        sum.refused += load(row.refused);
        sum.malformed += load(row.malformed);
        for (std::size_t i = 0; i < sum.refused_by.size(); ++i) {
            sum.refused_by[i] += load(row.refused_by[i]);
        }
        sum.compared += load(row.compared);
        sum.equal += load(row.equal);
        sum.departures += load(row.departures);
        sum.difference_max = std::max(sum.difference_max, row.difference_max);
    }
    return sum;
}

void report(const import_outcome& outcome) {
    const file_survey& seen = outcome.seen;
    const import_totals sum = import_totals::of(outcome.page);
    tell_what_was_left_out(seen, outcome.page, outcome.order.rules.scale);
    if (outcome.order.where.json) {
        print(as_object(outcome, sum));
        return;
    }
    print(
        fmt::format("{} lines in {:.2f} s: {} applied, {} already applied, {} refused, {} "
                    "malformed; all of it durable",
                    grouped(seen.lines), outcome.seconds, grouped(sum.applied),
                    grouped(sum.already_applied), grouped(sum.refused), grouped(seen.malformed)));
    print_reasons(seen, sum);
    print_checks(outcome, sum);
    print("  import     " + print_identity(outcome.identity).substr(0, 16));
}

void list_refused(const import_outcome& outcome, const import_log& log, session& by) {
    const std::string& path = outcome.order.refused_file;
    std::ofstream stream(path);
    stream << "line,outcome,reason\n";
    csv_reader reader(outcome.order.file);
    reader.next();
    const line_parser parser(outcome.order.rules, reader);
    const bool any = import_totals::of(outcome.page).refused != 0;
    import_line line;
    while (reader.next() && reader.line() <= outcome.seen.last_line) {
        parser.parse(reader, line);
        if (line.left_out) continue;
        if (!line.malformed.empty()) {
            stream << reader.line() << ",malformed," << line.malformed << '\n';
            continue;
        }
        if (!any) continue;
        const auto key = key_of_line(outcome.identity, reader.line());
        const auto refused = by.read([&](view& v) { return log.refusal(v, key); });
        if (!refused) continue;
        stream << reader.line() << ",refused," << name(static_cast<errc>(refused->reason)) << '\n';
    }
    if (!stream.flush()) {
        throw failure(errc::io_error, path + ": " + std::strerror(errno),
                      "the import is done; give the same command with another --refused");
    }
}

}  // namespace perdure::apps

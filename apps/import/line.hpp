// SPDX-License-Identifier: Apache-2.0
//
// What one line of a file means: who pays whom how much, or which account is opened with what.
//
// Promise     The same rules and the same line mean the same in every worker and in every run.
// Threads     Values.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <perdure/apps/cli/command.hpp>
#include <perdure/apps/import/columns.hpp>
#include <perdure/core/ledger.hpp>

namespace perdure::apps {

/// One side of a line.
struct party {
    std::string name;
    std::optional<amount> opening;  ///< What the file says it held before the line.
    std::optional<amount> after;    ///< And after it.
    std::optional<bool> adds_up;    ///< Whether before, amount and after fit, at full precision.
};

struct import_line {
    party payer;  ///< Of an account that is opened: without a name.
    party payee;
    amount value = 0;
    account_kind kind = account_kind::player;
    bool turned = false;         ///< The payer is what the columns call `to`.
    bool rounded = false;        ///< A number of the line had more digits than the scale.
    bool left_out = false;       ///< --where does not hold.
    std::string_view time;       ///< As it stands in the file.
    std::string_view malformed;  ///< In one phrase why it means nothing; empty: it does.
};

/// How accounts are opened that the file names before anything has opened them.
enum class opening_rule { grant, zero, fixed, column };

/// --opening as a rule, and its amount if it is fixed. Throws failure: bad_setting.
struct opening_choice {
    opening_rule rule = opening_rule::grant;
    amount fixed = 0;
    static opening_choice of(const line_rules& rules);
};

/// The rules, resolved against a file's header.
class line_parser {
  public:
    /// Throws failure: bad_setting.
    line_parser(const line_rules& rules, const csv_reader& header);

    /// Reads the record at hand into `line`, whose memory is used again.
    void parse(const csv_reader& record, import_line& line) const;

    [[nodiscard]] bool has_after() const noexcept { return from_.after || to_.after; }
    [[nodiscard]] bool has_time() const noexcept { return time_.has_value(); }

  private:
    struct side {
        std::optional<text_pattern> name;
        std::optional<std::size_t> opening;
        std::optional<std::size_t> after;
    };
    struct number;

    void take_role(std::string_view role, std::string_view pattern, const csv_reader& header);
    void demand_roles(const line_rules& rules) const;
    [[nodiscard]] std::string_view read_amount(const csv_reader& record, number& into) const;
    [[nodiscard]] std::string_view read_party(const csv_reader& record, const side& from,
                                              party& into, bool& rounded) const;
    void check_sum(const csv_reader& record, const side& from, __int128 moved, party& into) const;
    [[nodiscard]] std::string_view read_line(const csv_reader& record, import_line& line) const;

    bool accounts_;
    bool signed_;
    int scale_;
    int shift_;
    account_kind kind_;
    std::size_t count_;  // Fields of the header.
    side from_;
    side to_;
    std::vector<std::size_t> factors_;  // Of the amount.
    std::optional<std::size_t> kind_column_;
    std::optional<std::size_t> time_;
    std::optional<line_condition> where_;
    std::optional<line_condition> reverse_;
};

}  // namespace perdure::apps

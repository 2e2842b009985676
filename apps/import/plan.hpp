// SPDX-License-Identifier: Apache-2.0
//
// What an import knows before its first line is played: which import it is, what the file holds.
//
// Promise     A line's key depends on the file's content, on what the command says its lines mean,
//             and on the line's number alone: the same command applies no line twice.
// Threads     Values.
#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>

#include <perdure/apps/import/line.hpp>

namespace perdure::apps {

/// Which import this is. The rule for opening balances, the budget and what happens at a bad line
/// are no part of it.
using import_identity = std::array<std::byte, 32>;
[[nodiscard]] import_identity identify(const std::string& file, const line_rules& rules);
[[nodiscard]] std::string print_identity(const import_identity& identity);
/// Requires: the text print_identity made.
[[nodiscard]] import_identity parse_identity(std::string_view text);

[[nodiscard]] shm::transaction_key key_of_line(const import_identity& identity,
                                               std::uint64_t line) noexcept;

/// Everything a first reading of the file tells.
struct file_survey {
    std::uint64_t lines = 0;
    std::uint64_t last_line = 0;  ///< Its number.
    std::uint64_t malformed = 0;
    std::uint64_t left_out = 0;
    std::uint64_t rounded = 0;
    std::uint64_t back_in_time = 0;  ///< Lines whose time is before that of the line above.
    std::uint64_t accounts = 0;
    amount outflow_max = 0;  ///< The most that one account pays in the whole file.
    struct sum_check {       ///< Balances before and after that stand beside an amount.
        std::uint64_t right = 0;
        std::uint64_t wrong = 0;
    };
    sum_check from;
    sum_check to;
    struct note {
        std::uint64_t line;
        std::string_view cause;
    };
    static constexpr std::size_t notes_max = 10;
    std::vector<note> first_malformed;
    std::map<std::string_view, std::uint64_t> malformed_by_cause;
    bool stopped = false;  ///< --on-bad-line stop: read to the first malformed line, not beyond.
};
/// Throws failure: not_found, io_error, damaged, bad_setting, overflow.
[[nodiscard]] file_survey survey(const std::string& file, const line_rules& rules);

/// What each new account is opened with: a power of ten, at least 10^12 and no less than any
/// account pays. Throws failure: overflow when all accounts together would hold more than 2^63.
[[nodiscard]] amount choose_grant(const file_survey& seen, amount wanted);

/// Whose the faucet is that opens accounts.
inline constexpr std::string_view import_treasury = "import";
inline std::string import_faucet(std::string_view asset) { return "import/" + std::string(asset); }

}  // namespace perdure::apps

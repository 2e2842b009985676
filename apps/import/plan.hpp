// SPDX-License-Identifier: Apache-2.0
//
// What an import of transfers does with each line, the same in every worker and in every run.
//
// Promise     A line's key depends on the file's content, the columns, the scale, the asset and the
//             line's number alone: the same command applies no line twice.
// Threads     Values.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include <perdure/apps/import/csv.hpp>
#include <perdure/core/ledger.hpp>

namespace perdure::apps {

/// Where in a record the three values stand.
struct transfer_columns {
    std::size_t from;
    std::size_t to;
    std::size_t amount;
    std::size_t count;  ///< Fields of the header.

    /// `wanted` as "from=A,to=B,amount=C", found in the header that the reader is at.
    /// Throws failure: bad_setting.
    static transfer_columns find(std::string_view wanted, const csv_reader& header);
};

struct transfer_line {
    std::string_view from;
    std::string_view to;
    amount value;
};

/// The transfer a record holds, or in one phrase why it holds none.
struct parsed_line {
    transfer_line transfer{};
    std::string_view malformed;  ///< Empty: `transfer` is one.
};
[[nodiscard]] parsed_line parse_line(const csv_reader& record, const transfer_columns& columns,
                                     int scale) noexcept;

/// Which import this is.
using import_identity = std::array<std::byte, 32>;
[[nodiscard]] import_identity identify(const std::string& file, std::string_view columns, int scale,
                                       std::string_view asset);
[[nodiscard]] std::string print_identity(const import_identity& identity);
/// Requires: the text print_identity made.
[[nodiscard]] import_identity parse_identity(std::string_view text);

[[nodiscard]] shm::transaction_key key_of_line(const import_identity& identity,
                                               std::uint64_t line) noexcept;

/// Everything a first reading of the file tells.
struct file_survey {
    std::uint64_t lines = 0;
    std::uint64_t malformed = 0;
    std::uint64_t accounts = 0;
    amount outflow_max = 0;  ///< The most that one account pays in the whole file.
    struct note {
        std::uint64_t line;
        std::string_view cause;
    };
    static constexpr std::size_t notes_max = 10;
    std::vector<note> first_malformed;
};
/// Throws failure: not_found, io_error, damaged, bad_setting, overflow.
[[nodiscard]] file_survey survey(const std::string& file, std::string_view columns, int scale);

/// What each new account is opened with: a power of ten, at least 10^12 and no less than any
/// account pays. Throws failure: overflow when all accounts together would hold more than 2^63.
[[nodiscard]] amount choose_grant(const file_survey& seen, amount wanted);

/// Whose the faucet is that opens accounts.
inline constexpr std::string_view import_treasury = "import";

}  // namespace perdure::apps

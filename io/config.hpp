// SPDX-License-Identifier: Apache-2.0
//
// What a world is configured with: its own world.toml, overridden by PERDURE_<SECTION>_<KEY>,
// overridden by assignments from the command line.
//
// Promise     A key that nobody knows and a value outside its range are refused by name, with the
//             nearest key that exists; nothing is ignored and nothing is guessed.
// Threads     A value; settings() is constant.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <perdure/shm/error.hpp>

namespace perdure::io {

enum class setting_kind : std::uint8_t {
    text = 1,
    path = 2,    ///< Empty or absolute.
    choice = 3,  ///< One of `choices`.
    bytes = 4,   ///< A number, or one with B, KiB, MiB, GiB or TiB.
    count = 5,
    file_name = 6,  ///< Empty, or a name without a folder.
    time = 7,       ///< A number with s, min, h or d; kept as seconds.
    span = 8,       ///< The same, or one with ms; kept as milliseconds.
};

/// One key of world.toml: what may stand behind it and what it means.
struct setting {
    std::string_view name;  ///< "region.capacity".
    setting_kind kind;
    std::string_view standard;  ///< The value where nobody says otherwise.
    std::uint64_t least;        ///< Of numbers.
    std::uint64_t most;
    std::uint64_t step;        ///< Numbers are multiples of it; 0: powers of two.
    std::string_view choices;  ///< Separated by '|'.
    std::string_view comment;
};

/// Every key there is, by section.
[[nodiscard]] std::span<const setting> settings() noexcept;

class config {
  public:
    /// Everything as it stands in settings().
    config();

    /// An absent file changes nothing. Throws failure: bad_setting, io_error.
    void read_file(const std::string& path);
    /// Variables of the known sections; others named PERDURE_ are not configuration.
    /// Throws failure: bad_setting.
    void read_environment(std::span<const char* const> variables);
    /// The process's own variables.
    void read_environment();
    /// "region.ring=64MiB". Throws failure: bad_setting.
    void assign(std::string_view assignment);

    /// Requires: `name` stands in settings(), and is of that kind.
    [[nodiscard]] const std::string& text(std::string_view name) const noexcept;
    [[nodiscard]] std::uint64_t number(std::string_view name) const noexcept;
    /// Who had the last word: "standard", a file's path, a variable's name or "command line".
    [[nodiscard]] const std::string& origin(std::string_view name) const noexcept;

    /// A world.toml with every key explained; those still at their standard are commented out.
    [[nodiscard]] std::string print() const;

  private:
    struct value {
        std::string text;
        std::uint64_t number = 0;
        std::string origin;
    };
    void set(std::string_view name, std::string_view text, const std::string& origin);
    [[nodiscard]] const value& at(std::string_view name) const noexcept;

    std::vector<value> values_;  // One a setting, in the same order.
};

/// "64 MiB" and the like as bytes. Answers bad_setting, overflow.
[[nodiscard]] result<std::uint64_t> parse_bytes(std::string_view text) noexcept;

/// "90s", "5min", "1h", "7d" as seconds. Answers bad_setting, overflow.
[[nodiscard]] result<std::uint64_t> parse_seconds(std::string_view text) noexcept;

/// The shortest exact text: "5min", "90s".
[[nodiscard]] std::string print_seconds(std::uint64_t seconds);

/// "100ms" and what parse_seconds() takes as milliseconds; a bare number is milliseconds. Answers
/// bad_setting, overflow.
[[nodiscard]] result<std::uint64_t> parse_milliseconds(std::string_view text) noexcept;

/// The shortest exact text: "1s", "250ms".
[[nodiscard]] std::string print_milliseconds(std::uint64_t milliseconds);

/// The shortest exact text: "64MiB", "4097B".
[[nodiscard]] std::string print_bytes(std::uint64_t bytes);

/// That of `known` which takes the fewest edits to reach; empty when none is near.
[[nodiscard]] std::string_view nearest(std::string_view word,
                                       std::span<const std::string_view> known);

}  // namespace perdure::io

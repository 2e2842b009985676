// SPDX-License-Identifier: Apache-2.0
//
// A table of a TOML file whose keys are all known: hands out values of the wanted type.
//
// Promise     What is unknown, missing, of another type or out of bounds is refused by line and
//             key, with what to write instead; nothing is ignored.
// Threads     A value; as long as the file's table lives.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <perdure/shm/error.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <toml++/toml.h>

namespace perdure::plugins {

inline constexpr std::size_t list_max = 64;  ///< Entries of one list or table.

/// What a text may be, and how that is said: "1 to 31 of [a-z0-9_]".
struct text_rule {
    std::string_view words;
    bool (*holds)(std::string_view);
};

class toml_section {
  public:
    /// Throws failure: bad_plugin, when there are more than list_max keys.
    /// @param name    "" for the whole file, else as "capabilities.mint"
    /// @param origin  the file, as messages name it
    toml_section(const toml::table& content, std::string name, std::string origin);

    /// Refuses every other key; a slip is answered with the nearest. Throws failure: bad_plugin.
    void only(std::span<const std::string_view> known) const;

    [[nodiscard]] bool has(std::string_view key) const { return content_->contains(key); }
    [[nodiscard]] std::vector<std::string> keys() const;

    /// Each of these throws failure: bad_plugin, also for a key that is not there.
    [[nodiscard]] std::string text(std::string_view key, const text_rule& rule) const;
    [[nodiscard]] std::int64_t number(std::string_view key, std::int64_t least,
                                      std::int64_t most) const;
    [[nodiscard]] bool yes_or_no(std::string_view key) const;
    /// Which of the choices it is, counted from 0.
    [[nodiscard]] std::size_t choice(std::string_view key,
                                     std::span<const std::string_view> choices) const;
    /// Texts, none of them twice; empty when the key is not there.
    [[nodiscard]] std::vector<std::string> list(std::string_view key, const text_rule& rule) const;
    /// The table of that name; none when the key is not there.
    [[nodiscard]] std::optional<toml_section> below(std::string_view key) const;

    /// At the key's line, or the table's where the key is not there.
    [[noreturn]] void refuse(std::string_view key, const std::string& cause,
                             std::string todo) const;
    [[nodiscard]] std::string full_name(std::string_view key) const;

  private:
    [[nodiscard]] const toml::node& at(std::string_view key, std::string_view wanted) const;

    const toml::table* content_;
    std::string name_;
    std::string origin_;
};

/// "one, two or three".
[[nodiscard]] std::string one_of(std::span<const std::string_view> choices);

/// Shown in a message: shortened, and without control characters.
[[nodiscard]] std::string shown(std::string_view text);

/// UTF-8 is what the parser made sure of; no control characters.
[[nodiscard]] bool is_one_line(std::string_view text) noexcept;

}  // namespace perdure::plugins

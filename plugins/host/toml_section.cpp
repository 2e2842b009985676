// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <perdure/io/config.hpp>
#include <perdure/plugins/host/toml_section.hpp>

namespace perdure::plugins {
namespace {

constexpr std::size_t shown_max = 80;

bool is_control(char c) noexcept { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

std::string text_of(const toml::node& node) {
    if (const auto* text = node.as_string()) return " = \"" + shown(text->get()) + '"';
    if (const auto* number = node.as_integer()) return " = " + std::to_string(number->get());
    if (const auto* flag = node.as_boolean()) return flag->get() ? " = true" : " = false";
    return node.is_array() ? " is a list" : node.is_table() ? " is a table" : "";
}

std::string hint(std::string_view word, std::span<const std::string_view> known,
                 const std::string& otherwise) {
    const std::string_view near = io::nearest(word, known);
    return near.empty() ? otherwise : "did you mean " + std::string(near) + "?";
}

}  // namespace

bool is_one_line(std::string_view text) noexcept { return std::ranges::none_of(text, is_control); }

std::string shown(std::string_view text) {
    std::string out(text.substr(0, shown_max));
    // A cut through a character is not shown.
    while (out.size() < text.size() && !out.empty() &&
           (static_cast<unsigned char>(text[out.size()]) & 0xc0U) == 0x80) {
        out.pop_back();
    }
    std::ranges::replace_if(out, is_control, '?');
    return out.size() < text.size() ? out + "..." : out;
}

std::string one_of(std::span<const std::string_view> choices) {
    std::string out;
    for (std::size_t i = 0; i < choices.size(); ++i) {
        if (i > 0) out += i + 1 == choices.size() ? " or " : ", ";
        out += choices[i];
    }
    return out;
}

toml_section::toml_section(const toml::table& content, std::string name, std::string origin)
    : content_(&content), name_(std::move(name)), origin_(std::move(origin)) {
    if (content.size() > list_max) {
        refuse("", std::to_string(content.size()) + " keys",
               "give at most " + std::to_string(list_max));
    }
}

std::string toml_section::full_name(std::string_view key) const {
    if (key.empty()) return name_.empty() ? "the file" : '[' + name_ + ']';
    return name_.empty() ? shown(key) : name_ + '.' + shown(key);
}

void toml_section::refuse(std::string_view key, const std::string& cause, std::string todo) const {
    const toml::node* node = content_->get(key);
    const toml::node& place = node == nullptr ? static_cast<const toml::node&>(*content_) : *node;
    const auto line = std::max<toml::source_index>(place.source().begin.line, 1);
    throw failure(errc::bad_plugin,
                  origin_ + ':' + std::to_string(line) + ": " + full_name(key) +
                      (node == nullptr ? "" : text_of(*node)) + ": " + cause,
                  std::move(todo));
}

void toml_section::only(std::span<const std::string_view> known) const {
    for (const std::string& key : keys()) {
        if (std::ranges::find(known, key) == known.end()) {
            refuse(key, "no such key", hint(key, known, "known here: " + one_of(known)));
        }
    }
}

std::vector<std::string> toml_section::keys() const {
    std::vector<std::string> out;
    for (const auto& [key, node] : *content_) out.emplace_back(key.str());
    return out;
}

const toml::node& toml_section::at(std::string_view key, std::string_view wanted) const {
    const toml::node* node = content_->get(key);
    if (node == nullptr) {
        refuse(key, "is not there", "write " + std::string(key) + " = " + std::string(wanted));
    }
    return *node;
}

std::string toml_section::text(std::string_view key, const text_rule& rule) const {
    const auto* text = at(key, "\"...\"").as_string();
    if (text == nullptr) refuse(key, "a text is wanted", "write it in double quotes");
    if (!is_one_line(text->get()) || !rule.holds(text->get())) {
        refuse(key, "not what it may be", "give " + std::string(rule.words));
    }
    return text->get();
}

std::int64_t toml_section::number(std::string_view key, std::int64_t least,
                                  std::int64_t most) const {
    const auto* number = at(key, "NUMBER").as_integer();
    if (number == nullptr) refuse(key, "a whole number is wanted", "write it without quotes");
    if (number->get() < least || number->get() > most) {
        refuse(key, "out of range",
               "give " + std::to_string(least) + " to " + std::to_string(most));
    }
    return number->get();
}

bool toml_section::yes_or_no(std::string_view key) const {
    const auto* flag = at(key, "false").as_boolean();
    if (flag == nullptr) refuse(key, "true or false is wanted", "write it without quotes");
    return flag->get();
}

std::size_t toml_section::choice(std::string_view key,
                                 std::span<const std::string_view> choices) const {
    const std::string given =
        text(key, {"one of " + one_of(choices), [](std::string_view) { return true; }});
    const auto found = std::ranges::find(choices, given);
    if (found == choices.end()) {
        refuse(key, "not what it may be", hint(given, choices, "give " + one_of(choices)));
    }
    return static_cast<std::size_t>(found - choices.begin());
}

std::vector<std::string> toml_section::list(std::string_view key, const text_rule& rule) const {
    std::vector<std::string> out;
    if (!has(key)) return out;
    const toml::array* entries = at(key, "[]").as_array();
    if (entries == nullptr) refuse(key, "a list is wanted", "write it in brackets: [\"...\"]");
    if (entries->size() > list_max) {
        refuse(key, std::to_string(entries->size()) + " entries",
               "give at most " + std::to_string(list_max));
    }
    for (const toml::node& each : *entries) {
        const auto* text = each.as_string();
        if (text == nullptr) refuse(key, "a list of texts is wanted", "write each in quotes");
        if (!is_one_line(text->get()) || !rule.holds(text->get())) {
            refuse(key, '"' + shown(text->get()) + "\" is not what an entry may be",
                   "give " + std::string(rule.words));
        }
        if (std::ranges::find(out, text->get()) != out.end()) {
            refuse(key, '"' + shown(text->get()) + "\" stands there twice", "give it once");
        }
        out.push_back(text->get());
    }
    return out;
}

std::optional<toml_section> toml_section::below(std::string_view key) const {
    if (!has(key)) return std::nullopt;
    const toml::table* table = at(key, "").as_table();
    const std::string name = full_name(key);
    if (table == nullptr) refuse(key, "a table is wanted", "write [" + name + "] above its keys");
    return toml_section(*table, name, origin_);
}

}  // namespace perdure::plugins

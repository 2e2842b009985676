// SPDX-License-Identifier: Apache-2.0
#include <perdure/plugins/host/manifest.hpp>

#include <algorithm>
#include <array>

#include <boost/json.hpp>
#include <perdure/core/json_text.hpp>
#include <perdure/io/config.hpp>
#include <perdure/plugins/host/plugin_file.hpp>

namespace perdure::plugins {
namespace {

constexpr std::size_t given_max = 64ULL << 10;

/// By kind of perdure_plugin.h; 0 is none.
constexpr std::array<std::string_view, 12> command_names{
    "",        "transfer", "mint",     "burn",  "hold",      "release",
    "capture", "freeze",   "unfreeze", "event", "pay_stake", "refuse_stake"};

[[noreturn]] void refuse(const std::string& id, std::string_view key, const std::string& cause,
                         std::string todo) {
    throw failure(errc::bad_setting, id + ": " + std::string(key) + ": " + cause, std::move(todo));
}

std::string range_of(const plugin_option& option) {
    std::string words = "give a whole number";
    if (option.least) words += " from " + std::to_string(*option.least);
    if (option.most) words += (option.least ? " to " : " up to ") + std::to_string(*option.most);
    return option.unit.empty() ? words : words + " (" + option.unit + ')';
}

boost::json::value to_json(const option_value& value) {
    return std::visit([](const auto& each) { return boost::json::value(each); }, value);
}

/// The value, which is of the option's type and in its range, or a refusal.
boost::json::value checked(const std::string& id, const plugin_option& option,
                           const boost::json::value& given) {
    if (std::holds_alternative<bool>(option.standard)) {
        if (!given.is_bool()) refuse(id, option.name, "true or false is wanted", "give one");
        return given;
    }
    if (std::holds_alternative<std::string>(option.standard)) {
        if (!given.is_string() || given.get_string().size() > 4096) {
            refuse(id, option.name, "a text is wanted", "give at most 4096 bytes, in quotes");
        }
        return given;
    }
    boost::system::error_code error;
    const auto number =
        given.is_number() && !given.is_double() ? given.to_number<std::int64_t>(error) : 0;
    if (!given.is_number() || given.is_double() || error ||
        (option.least && number < *option.least) || (option.most && number > *option.most)) {
        refuse(id, option.name, boost::json::serialize(given) + " is not what it may be",
               range_of(option));
    }
    return number;
}

boost::json::object object_of(const std::string& id, std::string_view given) {
    if (given.empty()) return {};
    if (given.size() > given_max || !is_json(std::as_bytes(std::span(given)))) {
        refuse(id, "the configuration", "not JSON, or longer than 65536 bytes",
               "give an object: {\"KEY\": VALUE}");
    }
    boost::system::error_code error;
    boost::json::value read = boost::json::parse(given, error);
    if (error || !read.is_object()) {
        refuse(id, "the configuration", "no JSON object", "give an object: {\"KEY\": VALUE}");
    }
    return std::move(read.get_object());
}

/// Names of the first list that the second lacks.
void append_beyond(std::vector<std::string>& words, const std::string& what,
                   const std::set<std::string>& wanted, const std::set<std::string>& granted) {
    for (const std::string& each : wanted) {
        if (!granted.contains(each)) words.push_back(what + each);
    }
}

/// The length first: no name, whatever it holds, reads as two.
void append_line(std::string& text, std::string_view kind, std::string_view name) {
    text += std::string(kind) + ' ' + std::to_string(name.size()) + ' ' + std::string(name) + '\n';
}

}  // namespace

std::string_view command_name(std::uint32_t kind) noexcept {
    return kind < command_names.size() ? command_names[kind] : "";
}

std::uint32_t command_named(std::string_view name) noexcept {
    const auto* found = std::find(command_names.begin() + 1, command_names.end(), name);
    return found == command_names.end() ? 0
                                        : static_cast<std::uint32_t>(found - command_names.begin());
}

std::vector<std::string> capabilities::beyond(const capabilities& granted) const {
    std::vector<std::string> words;
    for (std::uint32_t kind = 0; kind < 32; ++kind) {
        if ((commands & ~granted.commands & 1U << kind) == 0) continue;
        const std::string_view name = command_name(kind);
        words.push_back("post " +
                        (name.empty() ? "kind " + std::to_string(kind) : std::string(name)));
    }
    append_beyond(words, "take from account ", debit, granted.debit);
    append_beyond(words, "read table ", read, granted.read);
    append_beyond(words, "emit event ", emit, granted.emit);
    append_beyond(words, "have host called: ", hosts, granted.hosts);
    for (const auto& [code, most] : mint) {
        const auto found = granted.mint.find(code);
        if (found != granted.mint.end() && most <= found->second) continue;
        std::string line =
            "mint up to " + std::to_string(most) + " minor units of " + code + " a window";
        if (found != granted.mint.end()) line += ", " + std::to_string(found->second) + " granted";
        words.push_back(std::move(line));
    }
    return words;
}

std::string capabilities::canonical() const {
    std::string text = "perdure capabilities 1\n";
    for (std::uint32_t kind = 0; kind < 32; ++kind) {
        if ((commands & 1U << kind) != 0) append_line(text, "command", std::to_string(kind));
    }
    for (const std::string& each : debit) append_line(text, "debit", each);
    for (const std::string& each : read) append_line(text, "read", each);
    for (const std::string& each : emit) append_line(text, "emit", each);
    for (const std::string& each : hosts) append_line(text, "host", each);
    for (const auto& [code, most] : mint) {
        append_line(text, "mint", code);
        append_line(text, "most", std::to_string(most));
    }
    return text;
}

manifest manifest::of_file(const std::string& path) { return inspect(path).what; }

std::string manifest::configure(std::string_view given) const {
    const boost::json::object overrides = object_of(id, given);
    std::vector<std::string_view> known;
    for (const plugin_option& each : options) known.push_back(each.name);
    for (const auto& each : overrides) {
        const std::string_view key = each.key();
        if (std::ranges::find(known, key) != known.end()) continue;
        const std::string_view near = io::nearest(key, known);
        refuse(id, key, "the plugin has no such key",
               near.empty() ? "`perdure plugin inspect` lists its keys"
                            : "did you mean " + std::string(near) + "?");
    }
    boost::json::object whole;
    for (const plugin_option& each : options) {
        const auto* value = overrides.if_contains(each.name);
        whole.emplace(each.name,
                      value == nullptr ? to_json(each.standard) : checked(id, each, *value));
    }
    return boost::json::serialize(whole);
}

}  // namespace perdure::plugins

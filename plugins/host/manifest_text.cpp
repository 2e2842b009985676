// SPDX-License-Identifier: Apache-2.0
//
// plugin.toml as a manifest: docs/formats/plugin_manifest.md, rule by rule.
#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <perdure/io/config.hpp>
#include <perdure/plugins/host/manifest.hpp>
#include <perdure/plugins/host/toml_section.hpp>

#include <perdure/plugins/abi/perdure_plugin.h>

namespace perdure::plugins {
namespace {

using names = std::vector<std::string_view>;

constexpr std::size_t bytes_max = 64ULL << 10;
constexpr std::size_t dots_max = 1000;  // Dotted keys nest tables, which are freed by recursion.
constexpr std::uint64_t millisecond = 1'000'000;
constexpr std::uint64_t second = 1000 * millisecond;
constexpr std::uint64_t day = 86'400 * second;
constexpr std::uint64_t mib = 1ULL << 20;
constexpr std::int64_t lowest = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t highest = std::numeric_limits<std::int64_t>::max();

struct time_unit {
    std::string_view name;
    std::uint64_t ns;
};
constexpr std::array time_units{time_unit{"ms", millisecond}, time_unit{"s", second},
                                time_unit{"min", 60 * second}, time_unit{"h", 3600 * second},
                                time_unit{"d", day}};

bool is_lower(char c) noexcept { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// A number without sign and leading zeros at the text's beginning, which it leaves.
std::optional<std::uint64_t> take_number(std::string_view& text) noexcept {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || (text[0] == '0' && end != text.data() + 1)) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return number;
}

std::vector<std::string_view> parts_of(std::string_view text) {
    std::vector<std::string_view> parts;
    for (std::size_t dot = text.find('.'); dot != std::string_view::npos; dot = text.find('.')) {
        parts.push_back(text.substr(0, dot));
        text.remove_prefix(dot + 1);
    }
    parts.push_back(text);
    return parts;
}

bool is_label(std::string_view label) noexcept {
    return !label.empty() && label.front() != '-' && label.back() != '-' &&
           std::ranges::all_of(label,
                               [](char c) { return is_lower(c) || is_digit(c) || c == '-'; });
}

bool is_id(std::string_view text) {
    const auto labels = parts_of(text);
    return text.size() >= 3 && text.size() <= 63 && labels.size() >= 2 && is_lower(text[0]) &&
           std::ranges::all_of(labels, is_label);
}

bool is_small_number(std::string_view text) noexcept {
    const auto number = take_number(text);
    return number && text.empty() && *number <= 65'535;
}

template <std::size_t Count>
bool is_numbers(std::string_view text) {
    const auto parts = parts_of(text);
    return parts.size() == Count && std::ranges::all_of(parts, is_small_number);
}

template <std::size_t Most>
bool is_short(std::string_view text) noexcept {
    return !text.empty() && text.size() <= Most;
}

bool is_host(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos || colon == 0 || colon > 253) return false;
    const std::string_view port = text.substr(colon + 1);
    return is_small_number(port) && port != "0" &&
           std::ranges::all_of(parts_of(text.substr(0, colon)), is_label);
}

bool is_option_name(std::string_view text) noexcept {
    return text.size() <= 31 && !text.empty() && is_lower(text[0]) &&
           std::ranges::all_of(text, [](char c) { return is_lower(c) || is_digit(c) || c == '_'; });
}

constexpr text_rule id_rule{"a reverse domain name of 3 to 63 of [a-z0-9.-]: \"org.example.yield\"",
                            is_id};
constexpr text_rule version_rule{"three numbers up to 65535: \"1.0.0\"", is_numbers<3>};
constexpr text_rule abi_rule{"two numbers: \"1.0\"", is_numbers<2>};
constexpr text_rule name_rule{"names of 1 to 31 bytes", is_short<31>};
constexpr text_rule account_rule{"names of 1 to 128 bytes", is_short<128>};
constexpr text_rule host_rule{"host and port, in small letters: \"hooks.example.org:443\"",
                              is_host};
constexpr text_rule unit_rule{"a unit of 1 to 15 bytes", is_short<15>};
constexpr text_rule quantity_rule{"a number and its unit",
                                  [](std::string_view text) { return text.size() <= 31; }};
constexpr text_rule option_rule{"a text of at most 4096 bytes",
                                [](std::string_view text) { return text.size() <= 4096; }};

std::optional<std::uint64_t> nanoseconds(std::string_view text) noexcept {
    const auto number = take_number(text);
    const auto unit = std::ranges::find(time_units, text, &time_unit::name);
    std::uint64_t product = 0;
    if (!number || unit == time_units.end() ||
        __builtin_mul_overflow(*number, unit->ns, &product)) {
        return std::nullopt;
    }
    return product;
}

std::optional<std::uint64_t> memory(std::string_view text) noexcept {
    const auto bytes = io::parse_bytes(text);
    return bytes ? std::optional(*bytes) : std::nullopt;
}

struct quantity {
    std::uint64_t least;
    std::uint64_t most;
    std::optional<std::uint64_t> (*read)(std::string_view) noexcept;
    const char* words;
};
constexpr quantity window{millisecond, 366 * day, nanoseconds,
                          "give 1ms to 366d, with ms, s, min, h or d behind it"};
constexpr quantity patience{millisecond, 600 * second, nanoseconds,
                            "give 1ms to 10min, with ms, s or min behind it"};
constexpr quantity room{mib, 65'536 * mib, memory, "give 1MiB to 64GiB"};

std::uint64_t amount_of(const toml_section& from, std::string_view key, const quantity& kind) {
    const auto read = kind.read(from.text(key, quantity_rule));
    if (!read || *read < kind.least || *read > kind.most) {
        from.refuse(key, "not what it may be", kind.words);
    }
    return *read;
}

std::set<std::string> set_of(const toml_section& from, std::string_view key,
                             const text_rule& rule) {
    const auto entries = from.list(key, rule);
    return {entries.begin(), entries.end()};
}

void read_identity(const toml_section& from, manifest& into) {
    into.id = from.text("id", id_rule);
    into.version = from.text("version", version_rule);
    const std::string abi = from.text("abi", abi_rule);
    std::string_view major = parts_of(abi)[0];
    std::string_view minor = parts_of(abi)[1];
    into.abi_major = static_cast<std::uint16_t>(*take_number(major));
    into.abi_minor = static_cast<std::uint16_t>(*take_number(minor));
    constexpr std::array<std::string_view, 3> kinds{"tick", "events", "sink"};
    into.kind = static_cast<plugin_kind>(from.choice("kind", kinds) + 1);
    if (from.has("state")) {
        into.state_version = static_cast<std::uint32_t>(
            from.number("state", 1, std::numeric_limits<std::uint32_t>::max()));
    }
}

void read_occasion(const toml_section& from, manifest& into) {
    const auto tick = from.below("tick");
    const auto events = from.below("events");
    if (into.kind == plugin_kind::tick) {
        if (events) from.refuse("events", "a tick plugin follows none", "remove the table");
        if (!tick)
            from.refuse("", "a tick plugin needs [tick]", "write [tick] and every = \"10s\"");
        tick->only(names{"every", "missed"});
        into.every_ns = amount_of(*tick, "every", window);
        constexpr std::array<std::string_view, 3> ways{"each", "merged", "skipped"};
        if (tick->has("missed")) {
            into.missed = static_cast<missed_windows>(tick->choice("missed", ways) + 1);
        }
        return;
    }
    if (tick) from.refuse("tick", "only a tick plugin has one", "remove the table");
    if (!events) return;
    events->only(names{"follow"});
    into.follow = set_of(*events, "follow", name_rule);
    if (events->has("follow") && into.follow.empty()) {
        events->refuse("follow", "it would never be called", "leave the key out to follow all");
    }
}

void read_mint(const toml_section& from, capabilities& into) {
    const auto mint = from.below("mint");
    if (mint) {
        for (const std::string& code : mint->keys()) {
            if (!is_short<16>(code) || !is_one_line(code)) {
                mint->refuse(code, "no code of an asset", "give a code of 1 to 16 bytes");
            }
            into.mint[code] = mint->number(code, 1, highest);
        }
    }
    const bool may_mint = (into.commands & 1U << PERDURE_COMMAND_MINT) != 0;
    if (may_mint && into.mint.empty()) {
        from.refuse("commands", "\"mint\" without an asset",
                    "write [capabilities.mint] and CODE = the most in one window");
    }
    if (!may_mint && mint) {
        from.refuse("mint", "\"mint\" is not among the commands",
                    "list it in capabilities.commands, or remove the table");
    }
}

void check_contradictions(const toml_section& from, const capabilities& wants) {
    const auto may = [&](std::uint32_t kind) { return (wants.commands & 1U << kind) != 0; };
    if (may(PERDURE_COMMAND_EVENT) && wants.emit.empty()) {
        from.refuse("commands", "\"event\" without a name",
                    "list the events' names in capabilities.emit");
    }
    if (!may(PERDURE_COMMAND_EVENT) && !wants.emit.empty()) {
        from.refuse("emit", "\"event\" is not among the commands",
                    "list it in capabilities.commands, or remove the key");
    }
    if (!wants.debit.empty() && !may(PERDURE_COMMAND_TRANSFER) && !may(PERDURE_COMMAND_HOLD)) {
        from.refuse("debit", "neither \"transfer\" nor \"hold\" is among the commands",
                    "list one in capabilities.commands, or remove the key");
    }
}

void read_capabilities(const toml_section& from, plugin_kind kind, capabilities& into) {
    from.only(names{"commands", "debit", "read", "emit", "hosts", "mint"});
    constexpr text_rule kind_rule{
        "transfer, mint, burn, hold, release, capture, freeze, unfreeze or event",
        [](std::string_view text) { return command_named(text) != 0; }};
    for (const std::string& each : from.list("commands", kind_rule)) {
        into.commands |= 1U << command_named(each);
    }
    if (kind == plugin_kind::sink && into.commands != 0) {
        from.refuse("commands", "a sink posts nothing",
                    "remove the key, or make the kind \"events\"");
    }
    into.debit = set_of(from, "debit", account_rule);
    into.read = set_of(from, "read", name_rule);
    into.emit = set_of(from, "emit", name_rule);
    into.hosts = set_of(from, "hosts", host_rule);
    read_mint(from, into);
    check_contradictions(from, into);
}

void read_limits(const toml_section& from, plugin_limits& into) {
    from.only(names{"soft", "hard", "memory"});
    if (from.has("soft")) into.soft_ns = amount_of(from, "soft", patience);
    if (from.has("hard")) into.hard_ns = amount_of(from, "hard", patience);
    if (from.has("memory")) into.memory_bytes = amount_of(from, "memory", room);
    if (into.soft_ns > into.hard_ns) {
        from.refuse(from.has("soft") ? "soft" : "hard", "limits.soft is above limits.hard",
                    "a call is told of before it is ended: soft 50ms and hard 1s unless told");
    }
}

void read_range(const toml_section& from, plugin_option& into) {
    if (from.has("min")) into.least = from.number("min", lowest, highest);
    if (from.has("max")) into.most = from.number("max", lowest, highest);
    if (into.least && into.most && *into.least > *into.most) {
        from.refuse("min", "above max", "give a min that is not above max");
    }
    into.standard =
        from.number("default", into.least.value_or(lowest), into.most.value_or(highest));
}

plugin_option read_option(const toml_section& all, const std::string& name) {
    if (!is_option_name(name)) {
        all.refuse(name, "no name of a key", "give 1 to 31 of [a-z0-9_], a letter first");
    }
    const toml_section from = *all.below(name);
    from.only(names{"type", "default", "min", "max", "unit", "reload"});
    plugin_option made;
    made.name = name;
    constexpr std::array<std::string_view, 3> forms{"integer", "boolean", "text"};
    const std::size_t type = from.choice("type", forms);
    for (const std::string_view bound : {"min", "max"}) {
        if (type != 0 && from.has(bound)) {
            from.refuse(bound, "only an integer has one", "remove the key");
        }
    }
    if (type == 0) read_range(from, made);
    if (type == 1) made.standard = from.yes_or_no("default");
    if (type == 2) made.standard = from.text("default", option_rule);
    if (from.has("unit")) made.unit = from.text("unit", unit_rule);
    constexpr std::array<std::string_view, 2> ways{"live", "restart"};
    if (from.has("reload")) made.is_live = from.choice("reload", ways) == 0;
    return made;
}

manifest read(const toml_section& from) {
    from.only(names{"id", "version", "abi", "kind", "state", "tick", "events", "capabilities",
                    "limits", "config"});
    manifest made;
    read_identity(from, made);
    if (made.abi_major != PERDURE_PLUGIN_ABI_MAJOR) {
        throw failure(errc::wrong_abi,
                      made.id + ": abi " + std::to_string(made.abi_major) + '.' +
                          std::to_string(made.abi_minor) + ", this host has " +
                          std::to_string(PERDURE_PLUGIN_ABI_MAJOR) + '.' +
                          std::to_string(PERDURE_PLUGIN_ABI_MINOR),
                      "build the plugin with the perdure_plugin.h of this package");
    }
    read_occasion(from, made);
    if (const auto wants = from.below("capabilities")) {
        read_capabilities(*wants, made.kind, made.wants);
    }
    if (const auto limits = from.below("limits")) read_limits(*limits, made.limits);
    if (const auto options = from.below("config")) {
        for (const std::string& name : options->keys()) {
            made.options.push_back(read_option(*options, name));
        }
    }
    return made;
}

}  // namespace

manifest manifest::parse(std::string_view toml, const std::string& origin) {
    if (toml.size() > bytes_max || std::ranges::count(toml, '.') > std::ptrdiff_t{dots_max}) {
        throw failure(errc::bad_plugin,
                      origin + ": a manifest of " + std::to_string(toml.size()) + " bytes",
                      "at most 65536 bytes and 1000 dots are read");
    }
    try {
        const toml::table root = toml::parse(toml, origin);
        return read(toml_section(root, "", origin));
    } catch (const toml::parse_error& error) {
        throw failure(errc::bad_plugin,
                      origin + ':' + std::to_string(error.source().begin.line) + ':' +
                          std::to_string(error.source().begin.column) + ": " +
                          shown(error.description()),
                      "mend the line; docs/formats/plugin_manifest.md has an example");
    }
}

}  // namespace perdure::plugins

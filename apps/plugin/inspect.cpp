// SPDX-License-Identifier: Apache-2.0
#include <array>

#include <fmt/format.h>
#include <boost/json.hpp>
#include <perdure/apps/cli/command.hpp>
#include <perdure/apps/cli/console.hpp>
#include <perdure/apps/plugin/command.hpp>
#include <perdure/io/config.hpp>
#include <perdure/plugins/host/plugin_file.hpp>

namespace perdure::apps {
namespace {

using plugins::manifest;
using plugins::plugin_file;
using plugins::plugin_kind;

std::string_view kind_name(plugin_kind kind) noexcept {
    constexpr std::array<std::string_view, 4> names{"", "tick", "events", "sink"};
    return names[static_cast<std::size_t>(kind)];
}

std::string_view missed_name(plugins::missed_windows missed) noexcept {
    constexpr std::array<std::string_view, 4> names{"", "each", "merged", "skipped"};
    return names[static_cast<std::size_t>(missed)];
}

/// Exact, as plugin.toml has it.
std::string time_text(std::uint64_t ns) {
    constexpr std::uint64_t second = 1'000'000'000;
    if (ns % second == 0) return io::print_seconds(ns / second);
    return std::to_string(ns / 1'000'000) + "ms";
}

std::string joined(const auto& texts, std::string_view none) {
    const std::string all = fmt::format("{}", fmt::join(texts, ", "));
    return all.empty() ? std::string(none) : all;
}

std::string value_text(const plugins::option_value& value) {
    if (const auto* number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
    if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
    return '"' + std::get<std::string>(value) + '"';
}

std::string_view type_name(const plugins::option_value& value) noexcept {
    constexpr std::array<std::string_view, 3> names{"integer", "boolean", "text"};
    return names[value.index()];
}

std::string called_when(const manifest& what) {
    if (what.kind == plugin_kind::tick) {
        return fmt::format("every {} of world time; windows that passed meanwhile: {}",
                           time_text(what.every_ns), missed_name(what.missed));
    }
    return "with events: " + joined(what.follow, "all");
}

std::string option_text(const plugins::plugin_option& option) {
    std::string line = fmt::format("{} = {} ({}", option.name, value_text(option.standard),
                                   type_name(option.standard));
    if (option.least) line += fmt::format(", from {}", *option.least);
    if (option.most) line += fmt::format(", up to {}", *option.most);
    if (!option.unit.empty()) line += fmt::format(", in {}", option.unit);
    return line + (option.is_live ? ", changes live)" : ", changes at a restart)");
}

void print_for_people(const plugin_file& file) {
    const manifest& what = file.what;
    const auto line = [](std::string_view name, std::string_view text) {
        print(text.empty() ? std::string(name) : fmt::format("{:<13}{}", name, text));
    };
    line("plugin", what.id + " " + what.version);
    line("kind", fmt::format("{}, called {}", kind_name(what.kind), called_when(what)));
    line("interface", fmt::format("{}.{}", what.abi_major, what.abi_minor));
    line("state", fmt::format("version {}", what.state_version));
    const auto wants = what.wants.beyond({});
    line("may", wants.empty() ? "change nothing but its own state, and read no table" : "");
    for (const std::string& each : wants) print("  " + each);
    line("limits", fmt::format("a call of {} is told of, one of {} is ended; {} of memory",
                               time_text(what.limits.soft_ns), time_text(what.limits.hard_ns),
                               io::print_bytes(what.limits.memory_bytes)));
    if (!what.options.empty()) line("settings", "");
    for (const auto& each : what.options) print("  " + option_text(each));
    line("file", fmt::format("{} bytes, BLAKE2b-256 {}", grouped(file.bytes), file.hash));
    line("libraries", joined(file.needs, "none"));
}

boost::json::array array_of(const auto& texts) {
    boost::json::array out;
    for (const auto& each : texts) out.emplace_back(std::string_view(each));
    return out;
}

boost::json::object capabilities_json(const plugins::capabilities& wants) {
    boost::json::array commands;
    for (std::uint32_t kind = 1; kind < 32; ++kind) {
        if ((wants.commands & 1U << kind) != 0) commands.emplace_back(plugins::command_name(kind));
    }
    boost::json::object mint;
    for (const auto& [code, most] : wants.mint) mint.emplace(code, most);
    return {{"commands", commands},
            {"debit", array_of(wants.debit)},
            {"read", array_of(wants.read)},
            {"emit", array_of(wants.emit)},
            {"hosts", array_of(wants.hosts)},
            {"mint", mint},
            {"words", array_of(wants.beyond({}))}};
}

boost::json::object option_json(const plugins::plugin_option& option) {
    boost::json::object out{{"name", option.name}, {"type", type_name(option.standard)}};
    std::visit([&](const auto& value) { out.emplace("default", value); }, option.standard);
    if (option.least) out.emplace("min", *option.least);
    if (option.most) out.emplace("max", *option.most);
    if (!option.unit.empty()) out.emplace("unit", option.unit);
    out.emplace("reload", option.is_live ? "live" : "restart");
    return out;
}

boost::json::object json_of(const plugin_file& file) {
    const manifest& what = file.what;
    boost::json::object out{{"id", what.id},
                            {"version", what.version},
                            {"kind", kind_name(what.kind)},
                            {"abi", fmt::format("{}.{}", what.abi_major, what.abi_minor)},
                            {"state", what.state_version}};
    if (what.kind == plugin_kind::tick) {
        out.emplace("every_ns", what.every_ns);
        out.emplace("missed", missed_name(what.missed));
    } else {
        out.emplace("follow", array_of(what.follow));
    }
    out.emplace("capabilities", capabilities_json(what.wants));
    out.emplace("limits", boost::json::object{{"soft_ns", what.limits.soft_ns},
                                              {"hard_ns", what.limits.hard_ns},
                                              {"memory_bytes", what.limits.memory_bytes}});
    boost::json::array options;
    for (const auto& each : what.options) options.emplace_back(option_json(each));
    out.emplace("config", std::move(options));
    out.emplace("hash", file.hash);
    out.emplace("bytes", file.bytes);
    out.emplace("libraries", array_of(file.needs));
    return out;
}

}  // namespace

int plugin_inspect(const plugin_inspect_order& order) {
    const plugin_file file = plugins::inspect(order.file);
    if (order.json) {
        print(json_of(file));
    } else {
        print_for_people(file);
    }
    return exit_done;
}

}  // namespace perdure::apps

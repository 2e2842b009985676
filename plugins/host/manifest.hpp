// SPDX-License-Identifier: Apache-2.0
//
// What plugin.toml says of a plugin: who it is, when it is called, what it may do and at most take.
//
// Promise     What is not listed is refused. A manifest that breaks a rule is refused by key and
//             line, and nothing of the plugin has run by then.
// Threads     Values.
// Format      docs/formats/plugin_manifest.md
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <perdure/core/amount.hpp>
#include <perdure/shm/error.hpp>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace perdure::plugins {

enum class plugin_kind : std::uint32_t {
    tick = 1,    ///< Called for windows of world time.
    events = 2,  ///< Called with events, and may post commands.
    sink = 3,    ///< Called with events; posts nothing.
};

/// What becomes of windows that passed while the plugin or the world did not run.
enum class missed_windows : std::uint32_t {
    each = 1,     ///< Each is run, one after the other.
    merged = 2,   ///< One call from the first of them to the last.
    skipped = 3,  ///< They are not run; an event says how many.
};

/// What a plugin asks to be allowed; what the operator granted looks the same.
struct capabilities {
    std::uint32_t commands = 0;          ///< Bit k: kind k of perdure_plugin.h.
    std::set<std::string> debit;         ///< Names of accounts it may take from.
    std::set<std::string> read;          ///< Names of tables.
    std::set<std::string> emit;          ///< Names of events.
    std::set<std::string> hosts;         ///< "name:port" it may have called.
    std::map<std::string, amount> mint;  ///< By asset code: at most so much a window.

    /// What of it `granted` does not cover, in words; empty: nothing.
    [[nodiscard]] std::vector<std::string> beyond(const capabilities& granted) const;
    /// The same text for the same capabilities: what is hashed.
    [[nodiscard]] std::string canonical() const;

    friend bool operator==(const capabilities&, const capabilities&) = default;
};

struct plugin_limits {
    std::uint64_t soft_ns = 50'000'000;        ///< A longer call is told of.
    std::uint64_t hard_ns = 1'000'000'000;     ///< A longer call ends the process.
    std::uint64_t memory_bytes = 64ULL << 20;  ///< Beyond what the host itself takes.
};

using option_value = std::variant<std::int64_t, bool, std::string>;

/// A key of the plugin's own configuration.
struct plugin_option {
    std::string name;
    option_value standard;
    std::optional<std::int64_t> least;
    std::optional<std::int64_t> most;
    std::string unit;
    bool is_live = false;  ///< May change without a restart of the plugin.
};

struct manifest {
    std::string id;       ///< Reverse DNS, 3 to 63 bytes of [a-z0-9.-].
    std::string version;  ///< Three numbers.
    std::uint16_t abi_major = 0;
    std::uint16_t abi_minor = 0;
    plugin_kind kind = plugin_kind::tick;
    std::uint32_t state_version = 1;
    std::uint64_t every_ns = 0;  ///< Length of a window, of tick plugins.
    missed_windows missed = missed_windows::each;
    std::set<std::string> follow;  ///< Names of events; empty: all.
    capabilities wants;
    plugin_limits limits;
    std::vector<plugin_option> options;

    /// Throws failure: bad_plugin, naming key and line; wrong_abi.
    static manifest parse(std::string_view toml, const std::string& origin);
    /// Of a plugin's file, without loading it. Throws failure: bad_plugin, wrong_abi, io_error.
    static manifest of_file(const std::string& path);

    /// The configuration to hand over: standards, overridden by `given`, a JSON object.
    /// Throws failure: bad_setting, naming the key.
    [[nodiscard]] std::string configure(std::string_view given) const;
};

/// Name of a kind of command as capabilities name it, "" for none; and back, 0 for none.
std::string_view command_name(std::uint32_t kind) noexcept;
std::uint32_t command_named(std::string_view name) noexcept;

}  // namespace perdure::plugins

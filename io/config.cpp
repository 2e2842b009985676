// SPDX-License-Identifier: Apache-2.0
#include <perdure/io/config.hpp>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <fstream>
#include <sstream>

#include <toml++/toml.h>

namespace perdure::io {
namespace {

constexpr std::uint64_t kib = 1ULL << 10;
constexpr std::uint64_t mib = 1ULL << 20;
constexpr std::uint64_t gib = 1ULL << 30;
constexpr std::uint64_t tib = 1ULL << 40;
constexpr std::uint64_t year = 366ULL * 86'400;

constexpr std::array all_settings{
    setting{"region.directory", setting_kind::path, "", 0, 0, 0, "",
            "Where the live region lies. Empty: /dev/shm, or the world's own directory where that "
            "is too small."},
    setting{"region.capacity", setting_kind::bytes, "8GiB", 64 * mib, 16 * tib, 4 * kib, "",
            "The most memory the world may take. Address space; memory is taken as it is used."},
    setting{"region.ring", setting_kind::bytes, "32MiB", 64 * kib, gib, 0, "",
            "The ring between committing processes and the journal. A power of two."},
    setting{"region.undo", setting_kind::bytes, "128KiB", 16 * kib, 64 * mib, 4 * kib, "",
            "What one transaction may change, for each writing thread."},
    setting{"region.slots", setting_kind::count, "64", 2, 1024, 1, "",
            "How many threads may write at one time."},
    setting{"journal.segment", setting_kind::bytes, "64MiB", mib, 4 * gib, 4 * kib, "",
            "The length of a journal file."},
    setting{"journal.pack", setting_kind::bytes, "16MiB", 0, 16 * gib, 1, "",
            "How much of full journal files is packed a second, where that saves 15 in 100. 0B: "
            "nothing."},
    setting{"checkpoint.every", setting_kind::time, "5min", 0, year, 1, "",
            "How often what has changed is saved, so that a recovery is quick. 0s: not by time."},
    setting{"checkpoint.full_every", setting_kind::time, "1h", 0, year, 1, "",
            "How often everything is saved; in between only the pages that were stored to."},
    setting{"checkpoint.journal", setting_kind::bytes, "1GiB", 0, 16 * tib, 1, "",
            "A checkpoint is due after so much journal, whatever the time. 0B: never for that."},
    setting{"checkpoint.recovery", setting_kind::time, "20s", 0, year, 1, "",
            "A checkpoint is due when replaying would take longer than this. 0s: never for that."},
    setting{"checkpoint.at_shutdown", setting_kind::choice, "yes", 0, 0, 0, "yes|no",
            "Whether a keeper that is told to stop takes one."},
    setting{"checkpoint.strategy", setting_kind::choice, "hybrid", 0, 0, 0,
            "hybrid|snapshot_only|event_sourced|versioned",
            "What is kept of the past: docs/operations.md."},
    setting{"checkpoint.shadow", setting_kind::bytes, "0B", 0, 16 * tib, 4 * kib, "",
            "The most memory that writers' copies of pages may take; of a new region. 0B: as much "
            "as the pages themselves."},
    setting{"checkpoint.copy", setting_kind::bytes, "1GiB", mib, 16 * tib, 1, "",
            "How much the keeper copies at a time; when it is less than the world, writers copy "
            "for longer."},
    setting{"checkpoint.scrub", setting_kind::bytes, "4MiB", 0, 16 * gib, 1, "",
            "How much of checkpoints and journal is read again a second, so that rot is found in "
            "time. 0B: nothing."},
    setting{"checkpoint.threads", setting_kind::count, "1", 1, 256, 1, "",
            "How many threads pack."},
    setting{"retention.checkpoints", setting_kind::count, "200", 2, 1000000, 1, "",
            "How many full checkpoints are kept; two in any case."},
    setting{"retention.age", setting_kind::time, "7d", 0, 100 * year, 1, "",
            "Older ones go, and the journal that only they need."},
    setting{"retention.bytes", setting_kind::bytes, "0B", 0, 1024 * tib, 1, "",
            "How much all checkpoints may take; the oldest go first. 0B: any."},
    setting{"retention.free", setting_kind::bytes, "256MiB", 0, 1024 * tib, 1, "",
            "What is to stay free on the disk. With less nothing is packed, with less than half of "
            "it the oldest history goes. 0B: it goes once the disk is full."},
    setting{"ledger.keys_kept", setting_kind::count, "10000000", 65536, 1ULL << 40, 1, "",
            "For how many commits an idempotency key is known. Keys of an import: for ever."},
    setting{"clock.tick", setting_kind::span, "1s", 10, 3'600'000, 1, "",
            "How long a tick of world time is, once the world's clock is started."},
    setting{"clock.missed", setting_kind::choice, "exact", 0, 0, 0, "exact|skip",
            "What becomes of ticks that were missed because nobody kept the world: all are made "
            "up, or world time stood still."},
    setting{"clock.missed_max", setting_kind::time, "7d", 0, year, 1, "",
            "The most that is made up at once; what was missed beyond it is dropped, and told."},
    setting{"access.group", setting_kind::text, "", 0, 0, 0, "",
            "A group, by name or number, whose members may attach. Empty: the owner alone."},
    setting{"access.rights", setting_kind::choice, "write", 0, 0, 0, "read|write",
            "What the group may do: read looks (query, export, top), write trades."},
    setting{"plugins.user", setting_kind::count, "65534", 1, 4294967294, 1, "",
            "The user id that plugins' processes get where the keeper is root; elsewhere they stay "
            "the keeper's."},
    setting{"log.level", setting_kind::choice, "info", 0, 0, 0, "trace|debug|info|warn|error|off",
            "The least that is told."},
    setting{"log.file", setting_kind::file_name, "", 0, 0, 0, "",
            "A file in WORLD/log that gets the log too, as JSON lines. Empty: none."},
    setting{"log.rotate_bytes", setting_kind::bytes, "16MiB", 4 * kib, 64 * gib, 1, "",
            "How long log.file may grow before it is renamed and begun again."},
    setting{"log.rotate_count", setting_kind::count, "5", 1, 1000, 1, "",
            "How many renamed log files are kept."},
};

bool is_number(setting_kind kind) noexcept {
    return kind == setting_kind::bytes || kind == setting_kind::count ||
           kind == setting_kind::time || kind == setting_kind::span;
}

std::string print_number(setting_kind kind, std::uint64_t number) {
    if (kind == setting_kind::time) return print_seconds(number);
    if (kind == setting_kind::span) return print_milliseconds(number);
    return kind == setting_kind::bytes ? print_bytes(number) : std::to_string(number);
}

const setting* find(std::string_view name) noexcept {
    const auto* found = std::ranges::find(all_settings, name, &setting::name);
    return found == all_settings.end() ? nullptr : found;
}

std::string_view section_of(std::string_view name) noexcept {
    return name.substr(0, name.find('.'));
}

bool is_section(std::string_view name) noexcept {
    return std::ranges::any_of(all_settings,
                               [&](const setting& key) { return section_of(key.name) == name; });
}

[[noreturn]] void refuse_unknown(std::string_view name, const std::string& origin) {
    std::vector<std::string_view> names;
    for (const setting& each : all_settings) names.push_back(each.name);
    const std::string_view near = nearest(name, names);
    std::string todo = near.empty() ? "the world.toml that `perdure init` writes lists all keys"
                                    : "did you mean " + std::string(near) + "?";
    throw failure(errc::bad_setting, origin + ": no key is called " + std::string(name),
                  std::move(todo));
}

[[noreturn]] void refuse_value(const setting& key, std::string_view text, const std::string& origin,
                               const std::string& todo) {
    throw failure(errc::bad_setting,
                  origin + ": " + std::string(key.name) + " = \"" + std::string(text) + "\"", todo);
}

std::string range_of(const setting& key) {
    std::string text =
        "give " + print_number(key.kind, key.least) + " to " + print_number(key.kind, key.most);
    if (key.step == 0) return text + ", a power of two";
    if (key.step > 1) text += ", a multiple of " + print_number(key.kind, key.step);
    return text;
}

result<std::uint64_t> parse_number(setting_kind kind, std::string_view text) noexcept {
    if (kind == setting_kind::time) return parse_seconds(text);
    if (kind == setting_kind::span) return parse_milliseconds(text);
    return parse_bytes(text);
}

std::uint64_t checked_number(const setting& key, std::string_view text, const std::string& origin) {
    const auto number = parse_number(key.kind, text);
    const bool unit_where_none_is =
        key.kind == setting_kind::count && !std::ranges::all_of(text, ::isdigit);
    if (!number || unit_where_none_is || *number < key.least || *number > key.most ||
        (key.step == 0 ? !std::has_single_bit(*number) : *number % key.step != 0)) {
        refuse_value(key, text, origin, range_of(key));
    }
    return *number;
}

/// Length of the UTF-8 sequence that the text begins with; 0 if it is none.
std::size_t sequence_at(std::string_view text) noexcept {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = byte(0);
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0) != 0x80) return 0;
    }
    const unsigned second = byte(1);
    const bool too_long = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
    const bool no_character = (first == 0xed && second > 0x9f) || (first == 0xf4 && second > 0x8f);
    return too_long || no_character ? 0 : length;
}

/// What world.toml can hold and a path may be: UTF-8 without control characters.
bool is_printable(std::string_view text) noexcept {
    while (!text.empty()) {
        const std::size_t length = sequence_at(text);
        const auto first = static_cast<unsigned char>(text.front());
        if (length == 0 || first < 0x20 || first == 0x7f) return false;
        text.remove_prefix(length);
    }
    return true;
}

void check_text(const setting& key, std::string_view text, const std::string& origin) {
    if (!is_printable(text)) {
        refuse_value(key, "...", origin, "give UTF-8 text without control characters");
    }
    if (key.kind == setting_kind::path && !text.empty() && text.front() != '/') {
        refuse_value(key, text, origin, "give an absolute path, or nothing");
    }
    if (key.kind == setting_kind::file_name &&
        (text.find('/') != std::string_view::npos || text == "." || text == "..")) {
        refuse_value(key, text, origin, "give a name without a folder, or nothing");
    }
    if (key.kind != setting_kind::choice) return;
    std::istringstream choices{std::string(key.choices)};
    for (std::string choice; std::getline(choices, choice, '|');) {
        if (choice == text) return;
    }
    refuse_value(key, text, origin, "give one of " + std::string(key.choices));
}

/// Edits between two words: insert, drop or change one letter.
std::size_t distance(std::string_view one, std::string_view other) {
    std::vector<std::size_t> row(other.size() + 1);
    for (std::size_t j = 0; j <= other.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= one.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= other.size(); ++j) {
            const std::size_t changed = diagonal + (one[i - 1] == other[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row.back();
}

std::string in_quotes(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + '"';
}

}  // namespace

std::span<const setting> settings() noexcept { return all_settings; }

config::config() {
    for (const setting& key : all_settings) {
        values_.emplace_back();
        set(key.name, key.standard, "standard");
    }
}

void config::set(std::string_view name, std::string_view text, const std::string& origin) {
    const setting* key = find(name);
    if (key == nullptr) refuse_unknown(name, origin);
    value given{std::string(text), 0, origin};
    if (is_number(key->kind)) {
        given.number = checked_number(*key, text, origin);
        // As a file may say it: 08 is none of TOML's numbers.
        if (key->kind == setting_kind::count) given.text = std::to_string(given.number);
    } else {
        check_text(*key, text, origin);
    }
    values_[static_cast<std::size_t>(key - all_settings.data())] = std::move(given);
}

void config::read_file(const std::string& path) {
    std::ifstream stream(path);
    if (!stream.is_open()) {
        if (errno == ENOENT) return;
        throw failure(errc::io_error, path + ": " + std::strerror(errno),
                      "make the file readable for this user");
    }
    try {
        const toml::table root = toml::parse(stream, path);
        for (const auto& [section, content] : root) {
            const toml::table* keys = content.as_table();
            const std::string where = path + ":" + std::to_string(content.source().begin.line);
            if (keys == nullptr || !is_section(section.str())) {
                refuse_unknown(section.str(), where);
            }
            for (const auto& [key, node] : *keys) {
                const std::string name = std::string(section.str()) + "." + std::string(key.str());
                const std::string line = path + ":" + std::to_string(node.source().begin.line);
                if (const auto text = node.value_exact<std::string>()) {
                    set(name, *text, line);
                } else if (const auto number = node.value_exact<std::int64_t>();
                           number && *number >= 0) {
                    set(name, std::to_string(*number), line);
                } else if (const setting* known = find(name); known == nullptr) {
                    refuse_unknown(name, line);
                } else {
                    refuse_value(*known, "...", line, "give a string or a whole number");
                }
            }
        }
    } catch (const toml::parse_error& error) {
        const auto& place = error.source().begin;
        throw failure(errc::bad_setting,
                      path + ":" + std::to_string(place.line) + ":" + std::to_string(place.column) +
                          ": " + std::string(error.description()),
                      "mend the line; `perdure init` writes a sample");
    }
}

void config::read_environment() {
    std::vector<const char*> variables;
    for (char** each = ::environ; *each != nullptr; ++each) variables.push_back(*each);
    read_environment(variables);
}

void config::read_environment(std::span<const char* const> variables) {
    for (const std::string_view variable : variables) {
        constexpr std::string_view ours = "PERDURE_";
        const std::size_t equals = variable.find('=');
        if (!variable.starts_with(ours) || equals == std::string_view::npos) continue;
        std::string name(variable.substr(ours.size(), equals - ours.size()));
        std::ranges::transform(name, name.begin(), [](char c) {
            return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        });
        const std::size_t line = name.find('_');
        if (line == std::string::npos) continue;
        name[line] = '.';
        if (is_section(section_of(name))) {
            set(name, variable.substr(equals + 1), std::string(variable.substr(0, equals)));
        }
    }
}

void config::assign(std::string_view assignment) {
    const std::size_t equals = assignment.find('=');
    if (equals == std::string_view::npos) {
        throw failure(errc::bad_setting, "command line: " + std::string(assignment),
                      "write KEY=VALUE, for example region.ring=64MiB");
    }
    set(assignment.substr(0, equals), assignment.substr(equals + 1), "command line");
}

const config::value& config::at(std::string_view name) const noexcept {
    const setting* key = find(name);
    PERDURE_ASSERT(key != nullptr);
    return values_[static_cast<std::size_t>(key - all_settings.data())];
}

const std::string& config::text(std::string_view name) const noexcept {
    PERDURE_ASSERT(!is_number(find(name)->kind));
    return at(name).text;
}

std::uint64_t config::number(std::string_view name) const noexcept {
    PERDURE_ASSERT(is_number(find(name)->kind));
    return at(name).number;
}

const std::string& config::origin(std::string_view name) const noexcept { return at(name).origin; }

std::string config::print() const {
    std::string out =
        "# How this world is run. A line that begins with # stands for the standard value.\n"
        "# Overridden by PERDURE_<SECTION>_<KEY> (PERDURE_REGION_RING=64MiB), and that by\n"
        "# --set <section>.<key>=<value>. A key nobody knows is refused.\n";
    std::string_view section;
    for (std::size_t i = 0; i < all_settings.size(); ++i) {
        const setting& key = all_settings[i];
        if (section_of(key.name) != section) {
            section = section_of(key.name);
            out += "\n[" + std::string(section) + "]\n";
        } else {
            out += '\n';
        }
        out += "# " + std::string(key.comment) + '\n';
        if (is_number(key.kind)) out += "# A number: " + range_of(key).substr(5) + ".\n";
        if (key.kind == setting_kind::choice) {
            out += "# One of " + std::string(key.choices) + ".\n";
        }
        if (values_[i].text == key.standard) out += "# ";
        out += std::string(key.name.substr(section.size() + 1)) + " = ";
        out += key.kind == setting_kind::count ? values_[i].text : in_quotes(values_[i].text);
        out += '\n';
    }
    return out;
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> known) {
    std::string_view best;
    // Further away than half the word it is another word, not a slip.
    std::size_t least = word.size() / 2 + 1;
    for (const std::string_view each : known) {
        const std::size_t edits = distance(word, each);
        if (edits < least) least = edits, best = each;
    }
    return best;
}

}  // namespace perdure::io

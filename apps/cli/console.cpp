// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/cli/console.hpp>

#include <unistd.h>

#include <array>
#include <filesystem>

#include <fmt/format.h>
#include <boost/json.hpp>

namespace perdure::apps {
namespace {

void write_line(int descriptor, std::string_view line) {
    std::string whole(line);
    whole += '\n';
    std::string_view rest = whole;
    while (!rest.empty()) {
        const auto written = ::write(descriptor, rest.data(), rest.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return;  // Nobody listens; the exit code still tells.
        rest.remove_prefix(static_cast<std::size_t>(written));
    }
}

}  // namespace

bool is_terminal(int descriptor) noexcept { return ::isatty(descriptor) == 1; }

void print(std::string_view line) { write_line(STDOUT_FILENO, line); }

void tell(std::string_view line) { write_line(STDERR_FILENO, line); }

void print(const boost::json::object& object) { print(boost::json::serialize(object)); }

void report(const failure& why, bool json) {
    tell("perdure: " + why.thing());
    tell("  reason   " + std::string(name(why.reason())));
    tell("  to do    " + why.todo());
    if (json) {
        print(boost::json::object{{"error", boost::json::object{{"reason", name(why.reason())},
                                                                {"thing", why.thing()},
                                                                {"remedy", why.todo()}}}});
    }
}

bool is_damage(const failure& why, const std::string& directory) {
    if (why.reason() == errc::damaged || why.reason() == errc::garbled) return true;
    // What is missing inside of a world was lost; elsewhere there is no world, or no region's
    // place.
    return why.reason() == errc::missing && std::filesystem::exists(directory + "/journal") &&
           (why.thing().find("/journal/") != std::string::npos ||
            why.thing().find("/MANIFEST") != std::string::npos);
}

std::string grouped(std::uint64_t number) {
    std::string digits = std::to_string(number);
    for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) {
        digits.insert(static_cast<std::size_t>(at), 1, ',');
    }
    return digits;
}

std::string rounded_bytes(std::uint64_t bytes) {
    constexpr std::array<const char*, 5> units{"B", "KiB", "MiB", "GiB", "TiB"};
    if (bytes < 1024) return std::to_string(bytes) + " B";
    auto value = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (value >= 1000 && unit + 1 < units.size()) value /= 1024, ++unit;
    return fmt::format("{:.3g} {}", value, units[unit]);
}

std::string rounded_time(double nanoseconds) {
    if (nanoseconds < 1e3) return fmt::format("{:.0f} ns", nanoseconds);
    if (nanoseconds < 1e6) return fmt::format("{:.3g} µs", nanoseconds / 1e3);
    if (nanoseconds < 1e9) return fmt::format("{:.3g} ms", nanoseconds / 1e6);
    return fmt::format("{:.3g} s", nanoseconds / 1e9);
}

}  // namespace perdure::apps

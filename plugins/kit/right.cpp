// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <perdure/plugins/host/supervisor.hpp>
#include <perdure/plugins/kit/right.hpp>

namespace perdure::plugins {

capabilities without_right(capabilities all, const std::string& right) {
    if (right.empty()) return all;
    const auto wanted = all.beyond({});
    const auto space = right.find(' ');
    const auto kind = right.substr(0, space);
    const auto which = space == std::string::npos ? std::string() : right.substr(space + 1);
    std::size_t gone = 0;
    if (kind == "debit") gone = all.debit.erase(which);
    if (kind == "read") gone = all.read.erase(which);
    if (kind == "emit") gone = all.emit.erase(which);
    if (kind == "mint" && !which.empty()) gone = all.mint.erase(which);
    const std::uint32_t number = which.empty() ? command_named(kind) : 0;
    if (number != 0 && (all.commands >> number & 1U) != 0) {
        all.commands &= ~(1U << number);
        gone = 1;
    }
    if (gone != 0) return all;
    std::string text;
    for (const auto& each : wanted) text += (text.empty() ? "" : "; ") + each;
    throw stage_failure("without \"" + right + "\": the plugin has no such right; it may " +
                        (text.empty() ? "nothing" : text));
}

std::string host_program_of(const stage_terms& terms) {
    if (!terms.host_program.empty()) return terms.host_program;
    if (const char* const given = std::getenv("PERDURE_PLUGIN_HOST")) return given;
    if (auto beside = find_host_program(); !beside.empty()) return beside;
    // Of the installation whose command a shell finds.
    const char* const path = std::getenv("PATH");
    std::string_view rest = path == nullptr ? "" : path;
    while (!rest.empty()) {
        const auto end = std::min(rest.find(':'), rest.size());
        const std::filesystem::path folder(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
        const auto program = folder / "../libexec/perdure/perdure_plugin_host";
        const bool is_there = ::access((folder / "perdure").c_str(), X_OK) == 0 &&
                              ::access(program.c_str(), X_OK) == 0;
        if (is_there) return program.lexically_normal().string();
    }
    throw stage_failure(
        "perdure_plugin_host is not there: set PERDURE_PLUGIN_HOST to its path, or install the "
        "package whole");
}

}  // namespace perdure::plugins

// SPDX-License-Identifier: Apache-2.0
#include <perdure/plugins/host/plugin_file.hpp>

#include <algorithm>
#include <array>
#include <filesystem>

#include <perdure/io/digest.hpp>
#include <perdure/io/file.hpp>
#include <perdure/plugins/host/elf_section.hpp>

#include <perdure/plugins/abi/perdure_plugin.h>

namespace perdure::plugins {
namespace {

constexpr std::string_view entry = "perdure_plugin_entry_1";

/// All there is in the sandbox of a host.
constexpr std::array<std::string_view, 7> libraries{
    "libc.so.6",       "libm.so.6",  "libstdc++.so.6",      "libgcc_s.so.1",
    "libpthread.so.0", "libdl.so.2", "ld-linux-x86-64.so.2"};

result<std::vector<std::byte>> whole(io::file_system& files, const std::string& path) {
    const io::file opened = PERDURE_TRY(files.open(path, io::open_mode::read));
    const std::uint64_t size = PERDURE_TRY(opened.size());
    if (size > plugin_bytes_max) return errc::value_too_large;
    std::vector<std::byte> content(size);
    content.resize(PERDURE_TRY(opened.read(content, 0)));
    return content;
}

}  // namespace

std::string hash_of(std::span<const std::byte> content) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t byte : io::blake2b(content)) {
        text += digits[byte >> 4U];
        text += digits[byte & 15U];
    }
    return text;
}

std::vector<std::byte> read_plugin(const std::string& path) {
    std::error_code error;
    // A pipe or a device would be waited for.
    const auto kind = std::filesystem::status(path, error).type();
    const std::string place = std::filesystem::canonical(path, error).string();
    if (error) throw failure(errc::io_error, path + ": " + error.message(), "check the path");
    if (kind != std::filesystem::file_type::regular) {
        throw failure(errc::bad_plugin, path + ": not a file", "name the plugin's .so");
    }
    io::kernel_calls calls;
    io::file_system files(calls);
    auto content = whole(files, place);
    if (content) return std::move(*content);
    if (content.error() == errc::value_too_large) {
        throw failure(errc::bad_plugin, path + ": longer than 256 MiB",
                      "strip its debug records: strip -g");
    }
    throw failure(errc::io_error, path + ": " + files.last_error(),
                  "make the file readable for this user");
}

plugin_file inspect(std::span<const std::byte> content, const std::string& origin) {
    const elf_sections sections(content, origin);
    const elf_section* section = sections.find(PERDURE_PLUGIN_SECTION);
    if (section == nullptr || section->content.empty()) {
        sections.refuse("it has no section " PERDURE_PLUGIN_SECTION ", where plugin.toml lies",
                        "build it with perdure_add_plugin(), and do not strip that section");
    }
    if (!sections.exports(entry)) {
        sections.refuse("it exports no function " + std::string(entry),
                        "define it, or use PERDURE_EXPORT_PLUGIN; build with perdure_add_plugin()");
    }
    for (const std::string& each : sections.needs()) {
        if (std::ranges::find(libraries, each) == libraries.end()) {
            sections.refuse("it needs " + each + ", which the host does not have",
                            "link that library statically, with -fPIC");
        }
    }
    const std::string_view text(reinterpret_cast<const char*>(section->content.data()),
                                section->content.size());
    return {manifest::parse(text, origin + " plugin.toml"), hash_of(content), content.size(),
            sections.needs()};
}

plugin_file inspect(const std::string& path) { return inspect(read_plugin(path), path); }

}  // namespace perdure::plugins

// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <vector>

#include <perdure/apps/cli/command.hpp>
#include <perdure/apps/cli/console.hpp>
#include <perdure/apps/plugin/command.hpp>
#include <perdure/apps/plugin/template.hpp>
#include <perdure/shm/error.hpp>

namespace perdure::apps {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t name_max = 31;

/// Targets that CMake or this project has.
constexpr std::array<std::string_view, 8> taken{"all",     "clean",   "edit_cache",    "help",
                                                "install", "package", "rebuild_cache", "test"};

struct text_file {
    std::string path;
    std::string content;
};

/// Of the folder, of a CMake target and, behind "org.example.", of an id.
bool is_name(std::string_view text) noexcept {
    const auto may_be = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    };
    return !text.empty() && text.size() <= name_max && text[0] >= 'a' && text[0] <= 'z' &&
           text.back() != '-' && std::ranges::all_of(text, may_be) &&
           std::ranges::find(taken, text) == taken.end();
}

void replace_all(std::string& text, std::string_view place, std::string_view by) {
    for (std::size_t at = text.find(place); at != std::string::npos;
         at = text.find(place, at + by.size())) {
        text.replace(at, place.size(), by);
    }
}

std::string filled(std::string_view text, const plugin_new_order& order, std::string_view about) {
    const bool is_c = order.language == "c";
    std::string out(text);
    replace_all(out, "@ABOUT@", about);
    replace_all(out, "@ID@", "org.example." + order.name);
    replace_all(out, "@NAME@", order.name);
    replace_all(out, "@SUFFIX@", is_c ? "c" : "cpp");
    replace_all(out, "@LANGUAGE@", is_c ? "C" : "CXX");
    replace_all(out, "@STANDARD@", is_c ? "c_std_11" : "cxx_std_17");
    return out;
}

const plugin_template& template_of(std::string_view kind) noexcept {
    for (const plugin_template* each : {&sink_template, &detector_template}) {
        if (each->kind == kind) return *each;
    }
    return yield_template;
}

std::vector<text_file> files_of(const plugin_new_order& order) {
    const plugin_template& kind = template_of(order.kind);
    const bool is_c = order.language == "c";
    const std::string suffix = is_c ? ".c" : ".cpp";
    const auto made = [&](std::string_view text) { return filled(text, order, kind.about); };
    return {{"CMakeLists.txt", made(project_cmake)},
            {"README.md", made(project_readme)},
            {"plugin.toml", made(project_toml) + made(kind.toml)},
            {"src/" + order.name + suffix, made(is_c ? kind.in_c : kind.in_cpp)},
            {"test/" + order.name + "_test" + suffix, made(test_host) + made(kind.test)},
            {"test/" + order.name + "_stage_test.cpp",
             made(stage_test_head) + made(kind.stage) + made(stage_test_foot)}};
}

void write(const fs::path& folder, const text_file& file) {
    const fs::path path = folder / file.path;
    fs::create_directories(path.parent_path());
    std::ofstream stream(path, std::ios::binary);
    stream << file.content;
    stream.close();
    if (!stream)
        throw fs::filesystem_error("not written", path,
                                   std::error_code(errno, std::generic_category()));
}

}  // namespace

int plugin_new(const plugin_new_order& order) {
    if (!is_name(order.name)) {
        throw failure(errc::bad_name, "\"" + order.name + "\" is no name of a plugin",
                      "give 1 to 31 of [a-z0-9-], a letter first and no - last, none of CMake's "
                      "own targets");
    }
    std::error_code error;
    if (!fs::create_directory(order.name, error)) {
        if (!error) error = std::make_error_code(std::errc::file_exists);
        throw failure(error == std::errc::file_exists ? errc::exists : errc::io_error,
                      order.name + ": " + error.message(),
                      "choose another name, or go to another folder");
    }
    try {
        for (const text_file& each : files_of(order)) write(order.name, each);
    } catch (const fs::filesystem_error& why) {
        fs::remove_all(order.name, error);
        const bool is_full = why.code() == std::errc::no_space_on_device;
        throw failure(is_full ? errc::disk_full : errc::io_error, why.what(),
                      "free space or go to another folder; nothing was left");
    }
    print("made " + order.name + "; next:");
    print("  cd " + order.name);
    print("  cmake -B build && cmake --build build");
    print("  ctest --test-dir build --output-on-failure");
    print("  perdure plugin validate build/" + order.name + ".so");
    print("  perdure plugin load WORLD build/" + order.name + ".so");
    return exit_done;
}

}  // namespace perdure::apps

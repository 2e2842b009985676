// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <perdure/plugins/host/manifest.hpp>

namespace perdure::plugins {
namespace {

/// By kind of perdure_plugin.h; 0 is none.
constexpr std::array<std::string_view, 10> command_names{
    "", "transfer", "mint", "burn", "hold", "release", "capture", "freeze", "unfreeze", "event"};

}  // namespace

std::string_view command_name(std::uint32_t kind) noexcept {
    return kind < command_names.size() ? command_names[kind] : "";
}

std::uint32_t command_named(std::string_view name) noexcept {
    const auto* found = std::find(command_names.begin() + 1, command_names.end(), name);
    return found == command_names.end() ? 0
                                        : static_cast<std::uint32_t>(found - command_names.begin());
}

}  // namespace perdure::plugins

// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <perdure/plugins/host/manifest.hpp>
#include <perdure/plugins/host/shadow.hpp>

namespace perdure::plugins {
namespace {

constexpr std::size_t lines_max = 50;

}  // namespace

void wish::add(std::span<const std::byte> batch) {
    const auto read = take_apart(batch);
    if (!read) {
        is_readable_ = false;
        return;
    }
    for (const auto& each : read->commands) {
        auto& of = sums_[{each.command.kind, each.command.asset}];
        of.commands += 1;
        // For people alone: what wraps around still differs.
        of.amount = static_cast<std::int64_t>(static_cast<std::uint64_t>(of.amount) +
                                              static_cast<std::uint64_t>(each.command.amount));
        const auto fixed = std::as_bytes(std::span(&each.command, 1));
        bytes_.insert(bytes_.end(), fixed.begin(), fixed.end());
        bytes_.insert(bytes_.end(), each.payload.begin(), each.payload.end());
    }
}

void wish::clear() noexcept {
    sums_.clear();
    bytes_.clear();
    is_readable_ = true;
}

std::string wish::difference(const wish& newer) const {
    if (is_readable_ && newer.is_readable_ && bytes_ == newer.bytes_) return {};
    if (!newer.is_readable_) return "the new version's commands cannot be read";
    std::string out;
    auto all = sums_;
    for (const auto& [key, of] : newer.sums_) all.emplace(key, sum{});
    for (const auto& [key, ignored] : all) {
        const auto old_at = sums_.find(key);
        const auto new_at = newer.sums_.find(key);
        const sum was = old_at == sums_.end() ? sum{} : old_at->second;
        const sum is = new_at == newer.sums_.end() ? sum{} : new_at->second;
        if (was == is) continue;
        if (!out.empty()) out += "; ";
        out += std::string(command_name(key.first)) + " of asset " + std::to_string(key.second) +
               ": " + std::to_string(was.commands) + " of " + std::to_string(was.amount) +
               " in all, the new version " + std::to_string(is.commands) + " of " +
               std::to_string(is.amount);
    }
    return out.empty() ? "the same sums by other commands" : out;
}

commit_answer shadow_outlet::commit(std::span<const std::byte> batch) {
    wanted.add(batch);
    return {};
}

void shadow_outlet::log(std::uint32_t /*level*/, std::string_view text) {
    if (lines.size() < lines_max) lines.emplace_back(text);
}

}  // namespace perdure::plugins

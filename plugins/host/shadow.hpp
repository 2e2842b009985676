// SPDX-License-Identifier: Apache-2.0
//
// What a version of a plugin wants in a window, written down instead of done, and how two of them
// differ.
//
// Promise     A version that is shadowed changes nothing: its batches are answered as if they were
//             committed.
// Threads     One.
#pragma once

#include <map>
#include <perdure/plugins/host/outlet.hpp>

namespace perdure::plugins {

/// The commands of one window.
class wish {
  public:
    /// Adds a batch; what cannot be read counts as a difference.
    void add(std::span<const std::byte> batch);
    void clear() noexcept;

    /// "" when both want the same, in the same order; else what differs, in words.
    [[nodiscard]] std::string difference(const wish& newer) const;

  private:
    struct sum {
        std::uint64_t commands = 0;
        std::int64_t amount = 0;
        friend bool operator==(const sum&, const sum&) = default;
    };
    /// By kind of command and asset.
    std::map<std::pair<std::uint32_t, std::uint32_t>, sum> sums_;
    std::vector<std::byte> bytes_;  // Of all commands, as they came.
    bool is_readable_ = true;
};

/// Takes what a shadowed version wants.
class shadow_outlet final : public outlet {
  public:
    commit_answer commit(std::span<const std::byte> batch) override;
    void log(std::uint32_t level, std::string_view text) override;
    void count(std::string_view /*name*/, std::int64_t /*more*/) override {}

    wish wanted;
    std::vector<std::string> lines;
};

}  // namespace perdure::plugins

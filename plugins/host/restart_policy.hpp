// SPDX-License-Identifier: Apache-2.0
//
// How soon a plugin that died is started again, and when no more.
//
// Promise     The first time at once; then after 1 s, doubled each time up to 5 min. Who dies five
//             times in ten minutes is left alone.
// Threads     A value; the time is the caller's.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

namespace perdure::plugins {

class restart_policy {
  public:
    static constexpr std::uint64_t first_wait_ns = 1'000'000'000;
    static constexpr std::uint64_t wait_ns_max = 300'000'000'000;
    static constexpr std::uint64_t memory_ns = 600'000'000'000;
    static constexpr std::size_t deaths_max = 5;

    /// It died now. Answers when to start it again; nothing: not at all.
    std::optional<std::uint64_t> died(std::uint64_t now_ns) noexcept;
    /// It could not do its work now, and lives. Answers when to try again.
    std::uint64_t failed(std::uint64_t now_ns) noexcept;
    /// It has done some work.
    void worked() noexcept { failures_ = 0; }

  private:
    std::array<std::uint64_t, deaths_max> deaths_{};  // The last ones, 0 = none.
    std::size_t next_ = 0;
    std::uint32_t waits_ = 0;
    std::uint32_t failures_ = 0;
};

}  // namespace perdure::plugins

// SPDX-License-Identifier: Apache-2.0
//
// What an import's processes share: how far each has come.
//
// Death       A worker killed anywhere leaves its counts as they were; the next run counts afresh.
// Threads     Each worker stores to its own row; the parent reads all.
#pragma once

#include <array>
#include <cstdint>

namespace perdure::apps {

inline constexpr int import_descriptor = 3;
inline constexpr std::uint32_t import_workers_max = 32;

struct alignas(64) import_row {
    struct refusal {
        std::uint64_t line;
        std::uint64_t reason;  ///< errc
    };
    static constexpr std::size_t refusals_max = 4;

    std::uint64_t done;  ///< Lines of its share that are dealt with, the others' not counted.
    std::uint64_t applied;
    std::uint64_t already_applied;
    std::uint64_t refused;
    std::uint64_t malformed;
    std::array<refusal, refusals_max> first_refused;
    refusal stopped;  ///< What ended the worker before its time; a line of 0: nothing did.
};

struct import_page {
    std::array<import_row, import_workers_max> rows;
};

}  // namespace perdure::apps

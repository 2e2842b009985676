// SPDX-License-Identifier: Apache-2.0
//
// What an import's processes share: how far each has come.
//
// Death       A worker killed anywhere leaves its counts as they were; the next run counts afresh.
// Threads     Each worker stores to its own row; the parent reads all.
#pragma once

#include <array>
#include <cstdint>

#include <perdure/shm/error.hpp>

namespace perdure::apps {

inline constexpr int import_descriptor = 3;
inline constexpr std::uint32_t import_workers_max = 32;

/// What says no to a line; anything else stops the import.
inline constexpr std::array refusal_reasons{
    errc::unknown_account, errc::unknown_asset,   errc::insufficient_funds,
    errc::overflow,        errc::bad_amount,      errc::same_account,
    errc::exists,          errc::budget_exceeded, errc::account_frozen,
    errc::serial_required};

struct alignas(64) import_row {
    struct refusal {
        std::uint64_t line;
        std::uint64_t reason;  ///< errc
    };
    /// An account's balance went away from what the file says it is.
    struct departure {
        std::uint64_t line;
        std::int64_t difference;  ///< Ours less the file's.
    };
    static constexpr std::size_t notes_max = 4;

    std::uint64_t done;  ///< Lines of its share that are dealt with, the others' not counted.
    std::uint64_t applied;
    std::uint64_t already_applied;
    std::uint64_t refused;
    std::uint64_t malformed;
    std::uint64_t left_out;
    std::array<std::uint64_t, refusal_reasons.size()> refused_by;
    std::array<refusal, notes_max> first_refused;
    refusal stopped;         ///< What ended the worker before its time; a line of 0: nothing did.
    std::uint64_t compared;  ///< Balances beside an after_from or after_to.
    std::uint64_t equal;
    std::uint64_t departures;
    std::uint64_t difference_max;  ///< The largest there was, without its sign.
    std::array<departure, notes_max> first_departures;
};

struct import_page {
    std::array<import_row, import_workers_max> rows;
};

}  // namespace perdure::apps

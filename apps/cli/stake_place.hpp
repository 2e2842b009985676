// SPDX-License-Identifier: Apache-2.0
//
// What the verbs of perdure stake share: an open world, its programmes and stakes by name, amounts
// in their asset's scale.
//
// Promise     A refusal names the programme or stake, the cause and the remedy.
// Threads     The main thread.
#pragma once

#include <boost/json.hpp>
#include <perdure/apps/cli/event_text.hpp>
#include <perdure/apps/cli/stake.hpp>
#include <perdure/apps/cli/state_place.hpp>

namespace perdure::apps {

struct stake_place : state_place {
    explicit stake_place(const world_choice& where) : state_place(where), names(in) {}

    [[nodiscard]] const stakes& all() const noexcept { return in.stakes(); }
    /// Throws failure: unknown_programme.
    [[nodiscard]] programme_row programme(const std::string& name);
    /// Those that stand and are asked for, in the order of their rows.
    [[nodiscard]] std::vector<stake_row> stakes_of(const stake_order& order);
    [[nodiscard]] std::vector<programme_row> programmes_of(const stake_order& order);
    /// The programme of a stake that was read. Throws failure.
    [[nodiscard]] const programme_row& programme_of(const stake_row& of);

    /// "12.50 gold"; "12.50".
    [[nodiscard]] std::string priced(const programme_row& of, amount value);
    [[nodiscard]] std::string scaled(std::uint32_t asset, amount value);
    /// Throws failure: bad_amount, overflow.
    [[nodiscard]] amount read_amount(std::uint32_t asset, const std::string& text);

    event_text names;

  private:
    std::vector<programme_row> known_;
};

[[nodiscard]] std::string name_of(const programme_row& of);
/// "stake 1 of alice in vault".
[[nodiscard]] std::string thing_of(const stake_order& order);
/// World time from "90d"; what it is of stands in a refusal. Throws failure: bad_setting.
[[nodiscard]] std::uint64_t span_ns(const std::string& text, const char* what);

}  // namespace perdure::apps

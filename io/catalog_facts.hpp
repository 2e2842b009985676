// SPDX-License-Identifier: Apache-2.0
//
// What the catalog holds of checkpoints, recoveries and validations, made of what is known where
// they happen.
//
// Promise     Only turns one form into another: what is not known stays 0 and is said in the note.
// Threads     Pure functions, but for the wall clock.
#pragma once

#include <optional>
#include <perdure/io/catalog.hpp>
#include <perdure/io/checkpointer.hpp>
#include <perdure/io/opening.hpp>
#include <span>
#include <string_view>

namespace perdure::io {

/// What the MANIFEST says of a checkpoint; how much it holds and what it took is not in there.
[[nodiscard]] checkpoint_fact fact_of(const checkpoint_entry& entry);
[[nodiscard]] std::vector<checkpoint_fact> facts_of(std::span<const checkpoint_entry> entries,
                                                    checkpoint_fact::standing state);

[[nodiscard]] checkpoint_fact fact_of(const checkpoint_news& news);
/// What the taker's own check of it came to; none where it did not get that far.
[[nodiscard]] std::optional<validation_fact> verification_of(const checkpoint_news& news);

/// Its source is "journal", unless somebody knows the checkpoint's id. How many transactions were
/// lost nobody knows: they were in the region, which is gone.
[[nodiscard]] recovery_fact fact_of(const opening_report& report, std::uint64_t incarnation);

/// 100 minus a fair bit for each problem.
[[nodiscard]] int validation_score(std::uint64_t problems) noexcept;
[[nodiscard]] validation_fact fact_of(std::string_view kind, std::uint64_t lsn,
                                      std::span<const std::string> problems);

}  // namespace perdure::io

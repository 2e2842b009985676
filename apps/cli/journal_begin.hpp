// SPDX-License-Identifier: Apache-2.0
//
// Where a world's journal begins: with its first record, or later, where retention has taken
// segments away or the world was restored from a checkpoint.
//
// Promise     An LSN is called gone only while the MANIFEST names no segment that could hold it.
// Threads     One thread.
#pragma once

#include <optional>
#include <perdure/core/world.hpp>

namespace perdure::apps {

/// First LSN the journal still holds; while it has no segment, the one behind the last durable.
/// Throws failure: missing, damaged, foreign, wrong_format, io_error.
[[nodiscard]] std::uint64_t first_kept_lsn(const world& in);

/// first_kept_lsn() where `reason` says that a durable record lies before it; nothing where the
/// reason is another one. Throws failure: as first_kept_lsn.
[[nodiscard]] std::optional<std::uint64_t> begin_if_gone(const world& in, errc reason);

}  // namespace perdure::apps

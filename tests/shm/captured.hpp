// SPDX-License-Identifier: Apache-2.0
//
// What a capture copies, as rows: the oracle compares them with the journal replayed to the cut.
#pragma once

#include <perdure/shm/capture.hpp>
#include <perdure/shm/extent.hpp>
#include <perdure/tests/shm/audit.hpp>

namespace perdure::tests {

/// Puts the rows of one page into `image`, in place of what it says of them.
void put_page(row_image& image, const shm::region& where, const shm::extent_place& extent,
              std::uint64_t index, std::span<const std::byte> page);

/// Copies all that the capture wants into `image`, which holds what the captures before it did.
/// Errors: as capture::copy and capture::end.
result<> copy_all(shm::region& where, shm::capture& by, const shm::cut& at, row_image& image);

/// Leaves rows out of `image` that are not of these tables.
void keep_tables(row_image& image, std::span<const std::uint32_t> tables);

}  // namespace perdure::tests

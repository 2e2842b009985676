// SPDX-License-Identifier: Apache-2.0
//
// The oracle of captures: what must be true of dirty bitmaps and shadow pages, whoever died where.
#pragma once

#include <perdure/shm/region.hpp>
#include <string>

namespace perdure::tests {

/// `first` is the region as it was before anybody stored; a capture that was under way then was cut
/// at that moment. Every page whose rows have changed must be dirty, every page that was dirty must
/// be so still, unless captures were `finished` meanwhile, and every page that the capture wants
/// must be had as it was. Then abandons the capture, as a new keeper would, and looks again.
/// Answers the first fault, "" when there is none.
std::string judge_capture(shm::region& where, std::span<const std::byte> first, bool finished);

}  // namespace perdure::tests

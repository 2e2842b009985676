// SPDX-License-Identifier: Apache-2.0
//
// Whether a text is JSON: RFC 8259, UTF-8, nested at most 64 deep.
//
// Promise     The same text has the same answer everywhere; nothing of it is kept.
// Threads     A pure function.
#pragma once

#include <cstddef>
#include <span>

namespace perdure {

[[nodiscard]] bool is_json(std::span<const std::byte> text);

}  // namespace perdure

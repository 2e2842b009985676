// SPDX-License-Identifier: Apache-2.0
//
// The lists of a recovery as they stand in the catalog: JSON texts.
//
// Promise     What was written is read back as it was. Of a text that somebody has changed, what
//             cannot be read is left out; nothing is refused.
// Threads     Pure functions.
// Format      docs/formats/catalog.md
#pragma once

#include <perdure/io/catalog.hpp>

namespace perdure::io {

[[nodiscard]] std::string json_of(const std::vector<recovery_fact::attempt>& tried);
[[nodiscard]] std::string json_of(const std::vector<recovery_fact::phase>& phases);
[[nodiscard]] std::vector<recovery_fact::attempt> attempts_in(const std::string& text);
[[nodiscard]] std::vector<recovery_fact::phase> phases_in(const std::string& text);

}  // namespace perdure::io

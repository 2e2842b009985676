// SPDX-License-Identifier: Apache-2.0
//
// Codec 2: what is the same in records of one shape is said once, what follows from something else
// is left out, the rest is turned into byte planes, and only planes that can shrink meet zstd.
//
// Promise     That of codec.hpp. No allocation for a block once buffers have grown to its size.
// Threads     One thread.
// Format      shuffle_format.hpp, docs/formats/journal.md#codec-2
#pragma once

#include <memory>

#include <perdure/io/codec.hpp>

namespace perdure::io {

[[nodiscard]] std::unique_ptr<codec> make_shuffle_codec();

}  // namespace perdure::io

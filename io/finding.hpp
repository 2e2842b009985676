// SPDX-License-Identifier: Apache-2.0
//
// What a check of a file found: which kind of fault, in which file, at which byte, and why.
//
// Threads     A value.
#pragma once

#include <cstdint>
#include <string>

#include <perdure/shm/error.hpp>

namespace perdure::io {

struct finding {
    errc reason;           ///< damaged, missing, wrong_format, foreign or io_error.
    std::string file;      ///< Path of the file.
    std::uint64_t offset;  ///< First byte that cannot be trusted.
    std::string cause;     ///< One sentence without an end mark.
};

}  // namespace perdure::io

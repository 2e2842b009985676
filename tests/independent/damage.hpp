// SPDX-License-Identifier: Apache-2.0
//
// Damage to a file on a real disk, for both readers to find.
#pragma once

#include <fstream>
#include <string>

namespace perdure::tests {

/// Turns one bit of the byte at `offset` over; done twice, nothing has happened.
inline void damage(const std::string& path, std::streamoff offset) {
    std::fstream stream(path, std::ios::binary | std::ios::in | std::ios::out);
    stream.seekg(offset);
    const auto byte = static_cast<char>(stream.get() ^ 0x20);
    stream.seekp(offset);
    stream.put(byte);
}

}  // namespace perdure::tests

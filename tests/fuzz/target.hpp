// SPDX-License-Identifier: Apache-2.0
//
// What a fuzz target is: one entry that takes any bytes, and the inputs that mutation begins with.
// libFuzzer's own main runs it in a clang build (`./dev fuzz`), driver.cpp in every other.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

/// The name that libFuzzer looks for. Returns 0.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count);

namespace perdure::tests {

/// Each target has its own.
std::vector<std::string> seeds();

/// A file in memory, for readers that want a path.
class memory_file {
  public:
    memory_file() : descriptor_(::memfd_create("perdure-fuzz", MFD_CLOEXEC)) {
        if (descriptor_ < 0) std::abort();
    }
    memory_file(const memory_file&) = delete;
    memory_file& operator=(const memory_file&) = delete;
    ~memory_file() { ::close(descriptor_); }

    void fill(const void* bytes, std::size_t count) const {
        const bool whole = ::ftruncate(descriptor_, 0) == 0 &&
                           ::pwrite(descriptor_, bytes, count, 0) == static_cast<ssize_t>(count);
        if (!whole) std::abort();
    }
    [[nodiscard]] std::string path() const {
        return "/proc/self/fd/" + std::to_string(descriptor_);
    }

  private:
    int descriptor_;
};

}  // namespace perdure::tests

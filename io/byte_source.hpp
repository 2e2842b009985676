// SPDX-License-Identifier: Apache-2.0
//
// Bytes of a file somebody else made, as they were before they were packed.
//
// Promise     A file that begins with zstd's magic is unpacked as it is read, in bounded memory;
//             any other is read as it stands. A packed file that ends early is damaged, not short.
// Threads     One.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include <perdure/io/digest.hpp>
#include <perdure/shm/error.hpp>

namespace perdure::io {

class byte_source {
  public:
    /// Throws failure: not_found, io_error.
    explicit byte_source(const std::string& path);
    byte_source(const byte_source&) = delete;
    byte_source& operator=(const byte_source&) = delete;
    byte_source(byte_source&&) noexcept;
    byte_source& operator=(byte_source&&) noexcept;
    ~byte_source();

    /// The next bytes, 0 at the end. Answers io_error, damaged.
    [[nodiscard]] result<std::size_t> read(std::span<std::byte> into) noexcept;

  private:
    struct state;
    std::unique_ptr<state> state_;
};

/// Hash of the file as it lies there, and of `more` behind it. Throws failure: not_found, io_error.
[[nodiscard]] block_hash hash_file(const std::string& path, std::span<const std::byte> more = {});

}  // namespace perdure::io

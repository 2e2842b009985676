// SPDX-License-Identifier: Apache-2.0
//
// CSV as RFC 4180 has it, from a file: quoted fields, doubled quotes, LF or CR LF.
//
// Promise     Bounded memory whatever the file holds: a record longer than record_max is skipped
//             and said to be broken. Blank lines are no records.
// Threads     One.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <perdure/io/byte_source.hpp>

namespace perdure::apps {

class csv_reader {
  public:
    static constexpr std::size_t record_max = 1U << 16;

    /// Throws failure: not_found, io_error.
    explicit csv_reader(const std::string& path);

    /// Moves to the next record; false at the end. Throws failure: io_error, damaged.
    bool next();

    /// Line of the file on which the record begins, from 1.
    [[nodiscard]] std::uint64_t line() const noexcept { return line_; }
    [[nodiscard]] std::span<const std::string_view> fields() const noexcept { return fields_; }
    /// Why the record is none; empty while all is well.
    [[nodiscard]] std::string_view broken() const noexcept { return broken_; }

  private:
    int peek();
    int take();
    void take_quoted();
    void end_field();
    void add(int byte);

    std::string path_;
    io::byte_source source_;
    std::vector<std::byte> buffer_;
    std::size_t at_ = 0;
    std::size_t end_ = 0;
    std::uint64_t next_line_ = 1;
    std::uint64_t line_ = 0;
    std::string text_;  // All fields, one behind the other.
    std::vector<std::size_t> ends_;
    std::vector<std::string_view> fields_;
    std::string_view broken_;
};

}  // namespace perdure::apps

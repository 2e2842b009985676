// SPDX-License-Identifier: Apache-2.0
//
// What a program says while it runs: lines for people at a terminal, JSON lines elsewhere.
//
// Promise     One line an entry, whole, whatever its texts contain. A log file is rotated by size.
//             Writing a log entry never throws and never stops the program.
// Death       What was written is in the file; the last line may be missing.
// Power loss  Nothing is promised; the journal is the record, this is not.
// Threads     Any.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include <perdure/shm/error.hpp>

namespace perdure::io {

/// As in log.level; `note` is its "info".
enum class log_level : std::uint8_t { trace = 1, debug, note, warn, error, off };

struct log_options {
    log_level least = log_level::note;
    std::string file;  ///< A path; empty: stderr alone.
    std::uint64_t rotate_bytes = 16ULL << 20;
    std::uint32_t rotate_count = 5;
    int terminal = 2;  ///< The descriptor that people or programs read.
};

/// A named value that belongs to an entry.
struct log_field {
    std::string_view name;
    std::string text;
    bool is_number;

    log_field(std::string_view key, std::string_view value)
        : name(key), text(value), is_number(false) {}
    log_field(std::string_view key, const char* value) : log_field(key, std::string_view(value)) {}
    template <std::integral T>
    log_field(std::string_view key, T value)
        : name(key), text(std::to_string(value)), is_number(true) {}
};

class log {
  public:
    /// Makes the file's directory if it is missing. Throws failure: io_error.
    explicit log(const log_options& options);
    log(const log&) = delete;
    log& operator=(const log&) = delete;
    log(log&&) noexcept;
    log& operator=(log&&) noexcept;
    ~log();

    void write(log_level level, std::string_view message,
               std::initializer_list<log_field> fields = {}) noexcept;

    void debug(std::string_view message, std::initializer_list<log_field> fields = {}) noexcept {
        write(log_level::debug, message, fields);
    }
    void note(std::string_view message, std::initializer_list<log_field> fields = {}) noexcept {
        write(log_level::note, message, fields);
    }
    void warn(std::string_view message, std::initializer_list<log_field> fields = {}) noexcept {
        write(log_level::warn, message, fields);
    }
    void error(std::string_view message, std::initializer_list<log_field> fields = {}) noexcept {
        write(log_level::error, message, fields);
    }

  private:
    struct sinks;
    std::unique_ptr<sinks> sinks_;
};

/// Requires: one of the choices of log.level.
[[nodiscard]] log_level level_named(std::string_view name) noexcept;

}  // namespace perdure::io

// SPDX-License-Identifier: Apache-2.0
//
// Reads what lies on the disk again, little by little, so that rot is found while there is still
// another copy of what it has eaten.
//
// Promise     In a round every byte of every promised checkpoint and of every sealed segment is
//             read from the disk and checked once; what is damaged is answered with file and byte,
//             and not again before a round has found it whole.
// Death       Only reads.
// Threads     One object, one thread.
#pragma once

#include <memory>
#include <perdure/io/checkpoint_file.hpp>
#include <perdure/io/journal_reader.hpp>
#include <set>

namespace perdure::io {

class scrubber {
  public:
    scrubber(file_system& files, std::string directory)
        : files_(&files), directory_(std::move(directory)) {}

    /// Reads on until `bytes` are read or a round has ended. Answers what it found damaged.
    std::optional<finding> read_on(std::uint64_t bytes);

    [[nodiscard]] std::uint64_t rounds() const noexcept { return rounds_; }
    /// Damaged places that were met and not found whole since.
    [[nodiscard]] std::size_t damaged() const noexcept { return known_.size(); }

  private:
    bool begin_round(std::optional<finding>& found);
    bool next_file(std::optional<finding>& found);
    std::uint64_t read_section(std::optional<finding>& found);
    std::uint64_t read_block(std::optional<finding>& found);
    void forget_cached(const std::string& path);
    [[nodiscard]] bool is_promised_still() const;
    bool is_new(const finding& found);

    file_system* files_;
    std::string directory_;
    std::optional<manifest> promised_;
    std::size_t checkpoint_ = 0;  // The next of both.
    std::size_t segment_ = 0;
    std::optional<checkpoint_reader> reading_;
    std::size_t section_ = 0;
    std::optional<journal_reader> following_;
    std::vector<std::byte> payload_;
    std::uint64_t rounds_ = 0;
    using place = std::pair<std::string, std::uint64_t>;  // File and byte.
    std::set<place> known_;                               // Damage that was answered.
    std::set<place> met_;                                 // In this round.
};

}  // namespace perdure::io

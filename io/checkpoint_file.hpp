// SPDX-License-Identifier: Apache-2.0
//
// A checkpoint's file: written section by section, read back section by section.
//
// Promise     A file that open() accepts and whose sections read() answers is, byte for byte, the
//             one that finish() described: the entry's link covers the footer, the footer's root
//             covers all the rest.
// Death       A writer killed anywhere leaves a file under a draft's name, which counts for
//             nothing.
// Power loss  finish() ends with a sync; the name counts from publish_name() on.
// Threads     One object, one thread.
// Format      checkpoint_format.hpp, docs/formats/checkpoint.md
#pragma once

#include <perdure/io/checkpoint_format.hpp>
#include <perdure/io/manifest.hpp>
#include <vector>

namespace perdure::io {

/// Root of a binary hash tree: a node is BLAKE2b-256 of its two children, one alone goes up as it
/// is. Zero for no leaves.
[[nodiscard]] block_hash root_of(std::vector<block_hash> leaves) noexcept;

class checkpoint_writer {
  public:
    /// Begins the draft. Answers disk_full, io_error.
    [[nodiscard]] static result<checkpoint_writer> begin(file_system& files,
                                                         const std::string& directory,
                                                         checkpoint_header header);

    /// Appends a section as table_archive packed it. Answers disk_full, io_error.
    result<> add(std::span<const std::byte> section);

    /// Index, footer, sync. Answers disk_full, io_error.
    [[nodiscard]] result<checkpoint_entry> finish(std::uint64_t row_bytes);

    /// Gives the draft its name, for good. Requires: finish(), and the file was verified.
    result<> publish_name();
    /// Removes the draft; what fails here is nobody's loss.
    void discard() noexcept;

    [[nodiscard]] const std::string& draft() const noexcept { return stream_.path(); }
    /// The highest LSN that a section shows.
    [[nodiscard]] std::uint64_t last_lsn() const noexcept { return footer_.last_lsn; }

  private:
    checkpoint_writer(file_system& files, std::string directory, file stream)
        : files_(&files), directory_(std::move(directory)), stream_(std::move(stream)) {}
    result<> write(std::span<const std::byte> bytes);
    result<> write_end();

    file_system* files_;
    std::string directory_;
    file stream_;
    std::uint64_t at_ = 0;
    checkpoint_header header_{};
    checkpoint_footer footer_{};
    std::vector<index_entry> index_;
};

class checkpoint_reader {
  public:
    /// Opens and checks header, footer and index. Answers missing, damaged, foreign, wrong_format,
    /// io_error; `found` says where and why.
    [[nodiscard]] static result<checkpoint_reader> open(file_system& files, const std::string& path,
                                                        std::optional<finding>& found);

    /// Is it the one that the MANIFEST promises, with the parent it promises? Answers damaged,
    /// foreign.
    result<> compare(const manifest& promised, const checkpoint_entry& entry,
                     std::optional<finding>& found) const;

    [[nodiscard]] const checkpoint_header& header() const noexcept { return header_; }
    [[nodiscard]] const checkpoint_footer& footer() const noexcept { return footer_; }
    /// What the MANIFEST would say of it.
    [[nodiscard]] checkpoint_entry entry() const noexcept;
    [[nodiscard]] std::size_t sections() const noexcept { return index_.size(); }

    /// The section's header, and its payload in `into`. Answers damaged, io_error.
    [[nodiscard]] result<section_header> read(std::size_t section, std::vector<std::byte>& into,
                                              std::optional<finding>& found) const;

  private:
    explicit checkpoint_reader(file stream) noexcept : stream_(std::move(stream)) {}
    [[nodiscard]] result<> load(std::optional<finding>& found);
    [[nodiscard]] errc refuse(std::optional<finding>& found, errc reason, std::uint64_t at,
                              std::string cause) const;

    file stream_;
    std::uint64_t bytes_ = 0;
    checkpoint_header header_{};
    checkpoint_footer footer_{};
    std::vector<index_entry> index_;
};

/// Reads every section of the file. Answers as read().
result<> check_sections(const checkpoint_reader& reader, std::optional<finding>& found);

}  // namespace perdure::io

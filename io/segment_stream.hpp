// SPDX-License-Identifier: Apache-2.0
//
// The bytes of a segment, whether its file holds them as they are or packed: the one place that
// knows the difference.
//
// Promise     read() answers what the segment held when it was written, or why it cannot be had.
//             Whether that is the segment the MANIFEST promises, and whole, its header, its blocks
//             and their chain say, as of any other file.
// Threads     One thread.
// Format      packed_format.hpp, docs/formats/journal.md#packed-segments
#pragma once

#include <memory>
#include <perdure/io/file.hpp>
#include <perdure/io/packed_format.hpp>

struct ZSTD_DCtx_s;

namespace perdure::io {

class segment_stream {
  public:
    segment_stream() = default;

    /// The segment of that first LSN: its own file, else the packed one. Answers not_found,
    /// io_error. What is wrong inside shows in read().
    [[nodiscard]] static result<segment_stream> open(file_system& files,
                                                     const std::string& directory,
                                                     std::uint64_t first_lsn);
    /// A file by its name, packed if that ends in .pz. Answers not_found, io_error.
    [[nodiscard]] static result<segment_stream> open_file(file_system& files,
                                                          const std::string& path);

    /// As file::read. Answers damaged, too: cause() says why.
    [[nodiscard]] result<std::size_t> read(std::span<std::byte> into, std::uint64_t offset);
    [[nodiscard]] result<std::uint64_t> size();

    [[nodiscard]] const std::string& path() const noexcept { return file_.path(); }
    [[nodiscard]] bool is_packed() const noexcept { return is_packed_; }
    [[nodiscard]] std::string_view cause() const noexcept { return cause_; }
    /// Bytes the file takes.
    [[nodiscard]] result<std::uint64_t> file_bytes() const { return file_.size(); }

  private:
    struct free_context {
        void operator()(ZSTD_DCtx_s* context) const noexcept;
    };
    segment_stream(file opened, bool is_packed) noexcept
        : file_(std::move(opened)), is_packed_(is_packed) {}

    [[nodiscard]] result<> read_index();
    [[nodiscard]] result<> unpack(std::size_t frame);
    [[nodiscard]] errc damaged(std::string_view cause) noexcept;

    file file_;
    bool is_packed_ = false;
    std::string_view cause_;
    packed_header header_{};
    std::vector<packed_frame> index_;        // Empty until it is read.
    std::vector<std::uint64_t> places_;      // Of each frame in the file.
    std::size_t at_hand_ = ~std::size_t{0};  // The frame in frame_.
    std::vector<std::byte> frame_;
    std::vector<std::byte> stored_;
    std::unique_ptr<ZSTD_DCtx_s, free_context> unpacking_;
};

/// WORLD/journal/<first LSN, 20 digits>.pz.
[[nodiscard]] std::string packed_path(const std::string& directory, std::uint64_t first_lsn);

}  // namespace perdure::io

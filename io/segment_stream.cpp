// SPDX-License-Identifier: Apache-2.0
#include <zstd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <new>
#include <perdure/io/manifest.hpp>
#include <perdure/io/segment_stream.hpp>
#include <perdure/shm/crash_point.hpp>
#include <perdure/shm/crc32c.hpp>

namespace perdure::io {
namespace {

std::string_view why_broken(const packed_header& header) noexcept {
    const auto bytes = std::as_bytes(std::span(&header, 1)).first(offsetof(packed_header, crc));
    if (header.magic != packed_magic) return "it does not begin with PDJNLPAK";
    if (header.crc != shm::crc32c(bytes)) return "the checksum of the packed header is wrong";
    if (header.format != packed_format_version) return "another packed format version";
    if (header.header_bytes != sizeof header) return "another packed header length";
    if (header.reserved != 0 || header.reserved_back != decltype(header.reserved_back){}) {
        return "reserved bytes are not zero";
    }
    if (header.used_bytes == 0 || header.used_bytes > header.segment_bytes ||
        header.frame_bytes < block_alignment || header.frame_bytes > packed_frame_bytes_max ||
        header.frames != (header.used_bytes + header.frame_bytes - 1) / header.frame_bytes) {
        return "impossible packed lengths";
    }
    return {};
}

bool is_packed_name(const std::string& path) noexcept {
    return path.ends_with(".pz") || path.ends_with(".pz.new");
}

}  // namespace

void segment_stream::free_context::operator()(ZSTD_DCtx_s* context) const noexcept {
    ZSTD_freeDCtx(context);
}

std::string packed_path(const std::string& directory, std::uint64_t first_lsn) {
    std::string path = segment_path(directory, first_lsn);
    path.back() = 'z';
    return path;
}

result<segment_stream> segment_stream::open(file_system& files, const std::string& directory,
                                            std::uint64_t first_lsn) {
    auto plain = open_file(files, segment_path(directory, first_lsn));
    if (plain || plain.error() != errc::not_found) return plain;
    // The packed one gets its name before the other loses its own.
    return open_file(files, packed_path(directory, first_lsn));
}

result<segment_stream> segment_stream::open_file(file_system& files, const std::string& path) {
    return segment_stream(PERDURE_TRY(files.open(path, open_mode::read)), is_packed_name(path));
}

errc segment_stream::damaged(std::string_view cause) noexcept {
    cause_ = cause;
    return errc::damaged;
}

result<> segment_stream::read_index() {
    if (!index_.empty()) return {};
    const auto room = std::as_writable_bytes(std::span(&header_, 1));
    if (PERDURE_TRY(file_.read(room, 0)) != room.size()) {
        return damaged("the packed file is shorter than its header");
    }
    if (const auto cause = why_broken(header_); !cause.empty()) return damaged(cause);
    const std::uint64_t index_bytes = std::uint64_t{header_.frames} * sizeof(packed_frame);
    const std::uint64_t file_bytes = PERDURE_TRY(file_.size());
    if (file_bytes < sizeof header_ + index_bytes) {
        return damaged("the packed file is shorter than its index");
    }
    std::vector<packed_frame> index(header_.frames);
    const auto bytes = std::as_writable_bytes(std::span(index));
    if (PERDURE_TRY(file_.read(bytes, sizeof header_)) != bytes.size() ||
        shm::crc32c(bytes) != header_.index_crc) {
        return damaged("the checksum of the packed index is wrong");
    }
    std::uint64_t at = sizeof header_ + index_bytes;
    places_.clear();
    for (const auto& each : index) {
        places_.push_back(at);
        at += each.stored_bytes;
    }
    if (at != file_bytes) return damaged("the packed file does not end behind its last frame");
    index_ = std::move(index);
    return {};
}

/// Makes the frame the one at hand.
result<> segment_stream::unpack(std::size_t frame) {
    if (at_hand_ == frame) return {};
    at_hand_ = ~std::size_t{0};
    stored_.resize(index_[frame].stored_bytes);
    if (PERDURE_TRY(file_.read(stored_, places_[frame])) != stored_.size() ||
        shm::crc32c(stored_) != index_[frame].crc) {
        return damaged("the checksum of a packed frame is wrong");
    }
    if (unpacking_ == nullptr) unpacking_.reset(ZSTD_createDCtx());
    if (unpacking_ == nullptr) throw std::bad_alloc();
    const std::uint64_t from = std::uint64_t{header_.frame_bytes} * frame;
    const auto wanted = static_cast<std::size_t>(
        std::min<std::uint64_t>(header_.frame_bytes, header_.used_bytes - from));
    frame_.resize(wanted);
    const std::size_t got = ZSTD_decompressDCtx(unpacking_.get(), frame_.data(), frame_.size(),
                                                stored_.data(), stored_.size());
    if (got != wanted) return damaged("a packed frame does not decode");
    at_hand_ = frame;
    return {};
}

result<std::size_t> segment_stream::read(std::span<std::byte> into, std::uint64_t offset) {
    if (!is_packed_) return file_.read(into, offset);
    PERDURE_TRY(read_index());
    if (offset >= header_.segment_bytes) return std::size_t{0};
    const auto all = static_cast<std::size_t>(
        std::min<std::uint64_t>(into.size(), header_.segment_bytes - offset));
    std::size_t done = 0;
    while (done < all && offset + done < header_.used_bytes) {
        const std::uint64_t at = offset + done;
        PERDURE_TRY(unpack(static_cast<std::size_t>(at / header_.frame_bytes)));
        const auto skip = static_cast<std::size_t>(at % header_.frame_bytes);
        const std::size_t part = std::min(all - done, frame_.size() - skip);
        std::memcpy(into.data() + done, frame_.data() + skip, part);
        done += part;
    }
    std::fill(into.begin() + static_cast<std::ptrdiff_t>(done),
              into.begin() + static_cast<std::ptrdiff_t>(all), std::byte{0});  // Z2
    return all;
}

result<std::uint64_t> segment_stream::size() {
    if (!is_packed_) return file_.size();
    PERDURE_TRY(read_index());
    return header_.segment_bytes;
}

}  // namespace perdure::io

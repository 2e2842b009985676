// SPDX-License-Identifier: Apache-2.0
#include <perdure/io/unshuffle.hpp>

#include <algorithm>
#include <cstring>

#include <perdure/shm/crc32c.hpp>

namespace perdure::io {
namespace {

constexpr std::uint64_t unzigzag(std::uint64_t residue) noexcept {
    return (residue >> 1) ^ (0 - (residue & 1));
}

result<stream_mode> stream_mode_of(std::uint8_t number) noexcept {
    if (number < 1 || number > 3) return errc::damaged;
    return static_cast<stream_mode>(number);
}

/// The words of a record, then its checksum where it was left out.
void put_checksum(std::span<std::byte> record) noexcept {
    const std::uint32_t crc = shm::record_crc(record);
    std::memcpy(record.data() + crc_word * 8, &crc, sizeof crc);
}

}  // namespace

result<> unshuffler::decode(std::span<const std::byte> stored, const block_content& content,
                            std::span<std::byte> raw) {
    PERDURE_ASSERT(raw.size() == content.raw_bytes);
    byte_cursor from(stored);
    const auto header = PERDURE_TRY(from.take_object<shuffle_header>());
    const std::uint64_t records = content.last_lsn - content.first_lsn + 1;
    if (header.records != records || header.groups > groups_max || header.reserved != 0 ||
        header.loose_bytes > raw.size() || records > raw.size() / sizeof(shm::record_header)) {
        return errc::damaged;
    }
    const stream_mode order = PERDURE_TRY(stream_mode_of(header.order));
    PERDURE_TRY(read_order(order, header, from));
    loose_.resize(header.loose_bytes);
    const stream_mode loose = PERDURE_TRY(stream_mode_of(header.loose));
    if ((loose == stream_mode::absent) != loose_.empty()) return errc::damaged;
    if (loose != stream_mode::absent) PERDURE_TRY(packer_.get(loose, from, loose_));

    groups_.clear();
    cells_.clear();
    std::size_t raw_left = raw.size() - loose_.size();
    for (std::size_t g = 0; g < header.groups; ++g) {
        PERDURE_TRY(read_group(from, content.first_lsn, raw_left));
    }
    if (raw_left != 0 || !from.is_empty()) return errc::damaged;
    PERDURE_TRY(place(raw));
    return check_records(raw, content);
}

result<> unshuffler::read_order(stream_mode mode, const shuffle_header& header, byte_cursor& from) {
    order_.assign(header.records, std::byte{0});
    if (mode == stream_mode::absent) return {};
    PERDURE_TRY(packer_.get(mode, from, order_));
    const auto beyond = [&](std::byte number) {
        return std::to_integer<std::uint16_t>(number) > header.groups;
    };
    if (std::any_of(order_.begin(), order_.end(), beyond)) return errc::damaged;
    return {};
}

result<> unshuffler::read_group(byte_cursor& from, std::uint64_t first_lsn, std::size_t& raw_left) {
    const auto header = PERDURE_TRY(from.take_object<group_header>());
    const auto is_zero = [](std::uint8_t byte) { return byte == 0; };
    const auto checksum = static_cast<checksum_mode>(header.checksum);
    const bool recomputed = checksum == checksum_mode::recomputed;
    const std::uint32_t bytes_min = recomputed ? 48 : 16;
    if (!std::all_of(std::begin(header.reserved), std::end(header.reserved), is_zero) ||
        (!recomputed && checksum != checksum_mode::kept) || header.record_bytes < bytes_min ||
        header.record_bytes > group_record_bytes_max ||
        header.record_bytes % shm::record_alignment != 0 || header.records == 0 ||
        std::uint64_t{header.record_bytes} * header.records > raw_left) {
        return errc::damaged;
    }
    raw_left -= std::size_t{header.record_bytes} * header.records;

    const auto number = static_cast<std::byte>(groups_.size());
    const std::size_t stride = plane_stride(header.records);
    lsns_.clear();
    for (std::size_t i = 0; i < order_.size(); ++i) {
        if (order_[i] == number) lsns_.push_back(first_lsn + i);
    }
    if (lsns_.size() != header.records) return errc::damaged;
    lsns_.resize(stride, 0);

    const group owner{cells_.size(), stride, header.record_bytes, header.records, 0, checksum};
    const std::size_t columns = header.record_bytes / 8;
    cells_.resize(cells_.size() + columns * stride);
    for (std::size_t column = 0; column < columns; ++column) {
        PERDURE_TRY(read_column(owner, column, from));
    }
    groups_.push_back(owner);
    return {};
}

result<> unshuffler::read_column(const group& owner, std::size_t column, byte_cursor& from) {
    const auto header = PERDURE_TRY(from.take_object<column_header>());
    const auto method = static_cast<column_method>(header.method);
    const bool derived = method == column_method::same || method == column_method::negated;
    const auto planes = static_cast<unsigned>(header.raw_planes | header.packed_planes);
    if (header.reserved != 0 || (header.raw_planes & header.packed_planes) != 0 ||
        (header.constant & byte_mask(planes)) != 0 || (!derived && header.source != 0) ||
        (method != column_method::delta && header.seed != 0)) {
        return errc::damaged;
    }
    if ((derived || method == column_method::lsn) && (planes != 0 || header.constant != 0)) {
        return errc::damaged;
    }
    if (derived && header.source >= column) return errc::damaged;
    return fill_column(header, owner, column, from);
}

result<> unshuffler::fill_column(const column_header& header, const group& owner,
                                 std::size_t column, byte_cursor& from) {
    const std::span words = cells(owner, column);
    const auto method = static_cast<column_method>(header.method);
    if (method == column_method::same || method == column_method::negated) {
        const std::span source = cells(owner, header.source);
        const bool negated = method == column_method::negated;
        for (std::size_t i = 0; i < words.size(); ++i) {
            words[i] = negated ? 0 - source[i] : source[i];
        }
        return {};
    }
    if (method == column_method::lsn) {
        std::copy(lsns_.begin(), lsns_.end(), words.begin());
        return {};
    }
    planes_.resize(8 * owner.stride);
    for (unsigned b = 0; b < 8; ++b) {
        const std::span plane(planes_.data() + b * owner.stride, owner.stride);
        const bool raw = (header.raw_planes >> b & 1U) != 0;
        const bool packed = (header.packed_planes >> b & 1U) != 0;
        std::fill(plane.begin(), plane.end(), static_cast<std::byte>(header.constant >> (8 * b)));
        if (!raw && !packed) continue;
        PERDURE_TRY(packer_.get(raw ? stream_mode::raw : stream_mode::packed, from,
                                plane.first(owner.records)));
    }
    join(planes_.data(), words);
    if (method == column_method::plain) return {};
    if (method == column_method::lsn_distance) {
        for (std::size_t i = 0; i < words.size(); ++i) words[i] = lsns_[i] - words[i];
        return {};
    }
    if (method != column_method::delta) return errc::damaged;
    std::uint64_t before = header.seed;
    for (std::uint64_t& word : words) before = word = before + unzigzag(word);
    return {};
}

result<> unshuffler::place(std::span<std::byte> raw) {
    std::size_t at = 0;
    std::size_t loose_at = 0;
    for (const std::byte number : order_) {
        if (const auto g = std::to_integer<std::size_t>(number); g < groups_.size()) {
            group& owner = groups_[g];
            if (owner.record_bytes > raw.size() - at) return errc::damaged;
            const std::span record = raw.subspan(at, owner.record_bytes);
            const std::uint64_t* cell = cells_.data() + owner.cells_at + owner.placed++;
            for (std::size_t i = 0; i < record.size(); i += 8, cell += owner.stride) {
                std::memcpy(record.data() + i, cell, 8);
            }
            if (owner.checksum == checksum_mode::recomputed) put_checksum(record);
            at += record.size();
            continue;
        }
        if (loose_.size() - loose_at < sizeof(shm::record_header)) return errc::damaged;
        const std::uint32_t bytes = header_at(loose_.data() + loose_at).bytes;
        if (bytes < sizeof(shm::record_header) || bytes > loose_.size() - loose_at ||
            bytes > raw.size() - at) {
            return errc::damaged;
        }
        std::memcpy(raw.data() + at, loose_.data() + loose_at, bytes);
        at += bytes;
        loose_at += bytes;
    }
    if (at != raw.size() || loose_at != loose_.size()) return errc::damaged;
    return {};
}

}  // namespace perdure::io
